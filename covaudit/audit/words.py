"""Numbers in sentences, written one way."""

from covaudit.audit import rules


def percent(share: float) -> str:
    """A share as a whole percentage, e.g. 94 %."""
    return f"{round(100 * share)} %"


def interval(low: float, high: float) -> str:
    """The interval of a share in words."""
    return f"95 % interval {percent(low)} to {percent(high)}"


def points(share: float) -> str:
    """A difference of shares in whole points, e.g. '+40 points'."""
    return f"{round(100 * share):+d} points"


def p_value(p: float) -> str:
    """A p value to three places, never as nought."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def too_few(n: int, of_what: str) -> str:
    """The reason of a check that could not be made for want of images."""
    return f"There are too few {of_what}: {n}, and {rules.ENOUGH_IMAGES} are needed."
