"""Training through `torch.compile`, or as the network is written where that cannot be had."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from covaudit.errors import clip
from covaudit.training.learner import Learner

_CACHE = "TORCHINDUCTOR_CACHE_DIR"

_OPTIONS: dict[str, str | int | bool | Callable[..., object]] = {
    "compile_threads": 1,  # one process: what a killed run leaves behind, nobody would end
    "cpp_cache_precompile_headers": False,  # these lie in /tmp whatever the cache is, where others may have put theirs
}


@contextmanager
def compiling(learner: Learner, on_note: Callable[[str], None]) -> Iterator[None]:
    """Inside, whole batches of the learner are computed by its network compiled, if the compiler manages one on trial;
    `on_note` is told which. Weights, batch norm's statistics and random numbers stay what they were."""
    begun = time.monotonic()
    on_note("The network is compiled first, which can take minutes.")
    with TemporaryDirectory(prefix="covaudit-compiled-") as folder, _compiler_writes_to(folder):
        try:
            compiled = torch.compile(learner.network, dynamic=False, options=_OPTIONS)
            _try(compiled, learner)
        except Exception as error:  # of a compiler of many parts, none of which the training needs
            why = clip(str(error).strip().partition("\n")[0] or type(error).__name__, 200)
            on_note(f"The network is trained without torch.compile, which failed here: {why}")
        else:
            learner.compiled = compiled
            on_note(f"The network was compiled by torch.compile in {time.monotonic() - begun:.0f} s.")
        try:
            yield
        finally:
            if learner.compiled is not learner.network:
                learner.compiled = learner.network
                torch.compiler.reset()


def _try(compiled: Callable[[Tensor], Tensor], learner: Learner) -> None:
    """One batch of zeros there and back, without a trace: only then is everything compiled."""
    network, training, device = learner.network, learner.training, learner.device
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    shape = (training.batch_size, 1, *learner.data.pixels.shape[1:])
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            network.train()
            with learner.pace.computing(device):
                logits = compiled(learner.pace.lay_out(torch.zeros(shape, device=device)))
            logits.float().sum().backward()  # type: ignore[no-untyped-call]
    finally:
        network.zero_grad(set_to_none=True)
        for name, buffer in network.named_buffers():
            buffer.copy_(buffers[name])


@contextmanager
def _compiler_writes_to(folder: str) -> Iterator[None]:
    """The compiler loads what it finds in its cache, by default a folder in /tmp that others may have filled."""
    before = os.environ.get(_CACHE)
    os.environ[_CACHE] = folder
    try:
        yield
    finally:
        os.environ.pop(_CACHE)
        if before is not None:
            os.environ[_CACHE] = before
