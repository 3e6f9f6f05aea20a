"""Numbers in sentences, written one way."""


def percent(share: float) -> str:
    """A share as a whole percentage, e.g. 94 %."""
    return f"{round(100 * share)} %"


def interval(low: float, high: float) -> str:
    """The interval of a share in words."""
    return f"95 % interval {percent(low)} to {percent(high)}"
