"""What the numbers of a run say, in sentences."""

from collections.abc import Sequence

from covaudit.domain.estimate import Estimate
from covaudit.figures.text import METRICS
from covaudit.reports.tables import HEADLINE, find
from covaudit.reports.text import score


def gap_words(estimates: Sequence[Estimate], metric: str = HEADLINE) -> str:
    """The gap as one or two sentences. Our own words only, fit for Markdown."""
    gap, name = find(estimates, "gap", metric), METRICS[metric].lower()
    if not find(estimates, "external", metric).n:
        return "There is no external test: nothing can be said about sources that the network has not seen."
    if not gap.is_defined:
        return f"The gap in {name} is not defined: a class has no image in one of the two tests."
    span = f"(95 % interval {score(gap.low)} to {score(gap.high)})"
    if gap.low > 0:
        return (
            f"On sources that it has not seen the network loses **{score(gap.value)}** of {name} {span}. "
            "The interval lies above 0: the loss is more than chance."
        )
    if gap.high < 0:
        return (
            f"The network does better by **{score(-gap.value)}** of {name} on the external test "
            f"(95 % interval of the gap {score(gap.low)} to {score(gap.high)}): that test may be easier."
        )
    return (
        f"The gap in {name} is **{score(gap.value)}** {span}. The interval holds 0: "
        f"with this many images no loss can be told from chance; a gap up to {score(gap.high)} fits the data too."
    )


def design_effect_words(estimates: Sequence[Estimate], split: str) -> list[str]:
    """What several images of a patient cost, as a sentence; none where each has one."""
    effect = find(estimates, split, "design_effect")
    if not effect.is_defined:
        return []
    told = (
        f"Design effect of patients with several images: {score(effect.value)}. The {effect.n:,} images tell as much as"
    )
    if effect.value <= 1:
        return [f"{told} independent ones would."]
    return [f"{told} {effect.n / effect.value:,.0f} independent ones."]
