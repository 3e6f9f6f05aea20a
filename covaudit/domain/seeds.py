"""One seed a use: randomness enters by argument, and no two uses share a stream."""

import hashlib


def derive_seed(seed: int, *use: str | int) -> int:
    """A seed in [0, 2**31) for one named use of an experiment's seed, e.g. derive_seed(0, "shuffle", epoch)."""
    text = "/".join([str(seed), *map(str, use)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
