"""`python read_pickle.py SOURCE TARGET`: the tensors of a state dict that torch saved, rewritten as safetensors.

It runs as a process of its own, with little memory and time, for a pickle is a program; `weights_only` runs none of it
but what makes tensors. It imports nothing of the project.
"""

import resource
import sys
from collections.abc import Mapping

import torch
from safetensors.torch import save_file

_MEMORY_BYTES = 16 * 2**30
_SECONDS = 120


def main(source: str, target: str) -> int:
    """Exit code 0 when TARGET is written; otherwise 1, with a word on stderr."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    try:
        read = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:
        print(type(error).__name__, file=sys.stderr)
        return 1
    tensors = _tensors(read)
    if not tensors:
        print("NoTensors", file=sys.stderr)
        return 1
    save_file(tensors, target)
    return 0


def _tensors(read: object) -> dict[str, torch.Tensor]:
    """The tensors by name; training scripts put them one level down."""
    if not isinstance(read, Mapping):
        return {}
    inner = next((read[key] for key in ("state_dict", "model") if isinstance(read.get(key), Mapping)), read)
    return {
        str(name): tensor.detach().contiguous().clone()
        for name, tensor in inner.items()
        if isinstance(tensor, torch.Tensor)
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
