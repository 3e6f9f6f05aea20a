"""Which device a run computes on."""

import torch

from covaudit.errors import JobFailed


def resolve_device(name: str) -> torch.device:
    """`auto` takes CUDA, then MPS, then the CPU. Another name must be there: a run never moves to the CPU by itself."""
    if name == "auto":
        name = "cuda:0" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise JobFailed(
            f"Device '{name}' cannot be used here. Allowed: auto, cpu, cuda:N, mps, as far as present."
        ) from error
    return torch.device(name)
