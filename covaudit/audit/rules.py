"""The thresholds of every check and of the verdict in one place, written down before a result is seen.

A finding is critical only when the behaviour of the network shows the shortcut and the lower end of its 95 % interval
is past the threshold; how the data were mixed is a risk, never more than a warning. All tests of a check in a run are
one family for Holm's correction.
"""

from typing import NamedTuple


class Portion(NamedTuple):
    """How many films a check asks the network about: its share of all that the checks may ask, within two bounds."""

    share: float
    least: int
    most: int


# Films that the checks may ask the network about, for each image that an epoch trains: to predict costs about a third
# of a training step, so that all checks together cost less than an epoch. The bounds of a portion keep its power.
ASKED_PER_TRAINED = 1.0

# Cramér's V of class and source: above STRONG the class is nearly determined by the source.
CONFOUNDING_STRONG = 0.8
CONFOUNDING_SOME = 0.3

# Balanced accuracy lost from the internal to the external test.
GAP_CRITICAL = 0.10

# Share of the predictions that change when one part of the acquisition changes and the patient does not.
FLIP_CRITICAL = 0.30
FLIP_WARNING = 0.10
SWAP = Portion(0.2, 20, 60)

# Counterfactuals on the films themselves: flips beyond those of the matched control. The exact test, corrected
# by Holm over all changes, says whether there are any; a share above FLIP_WARNING warns. Critical, as
# everywhere, needs the lower end of the interval past FLIP_CRITICAL.
COUNTERFACTUAL = Portion(0.6, 24, 120)
COUNTERFACTUAL_P = 0.05

# Share of the network's advantage over chance that is left when the lungs are blanked.
NO_LUNG_CRITICAL = 0.50
NO_LUNG_WARNING = 0.25
NO_LUNG = Portion(0.2, 40, 160)
NO_LUNG_OF_A_CLASS = 5
# Of balanced accuracy above chance: less has nothing to lose.
NO_LUNG_LEAST_ADVANTAGE = 0.15

# Heat on a region, as a multiple of what an even map would put there; the lower end of the interval is held to it.
MARKER_ENRICHMENT = 2.0
OUTSIDE_ENRICHMENT = 1.1
BUDGET_IMAGES = 120

# Rank correlation of a heat map with those of the network with forgotten layers, the mean over a cascade from the head
# down; the lower end of the interval is held to it. A method above it is blind to what the network learnt, and its maps
# are no evidence. It lies between the two cases that Adebayo et al. (2018) tell apart: the input gradient, which they
# let pass, has 0.5 to 0.6 on networks of ours, and guided backpropagation, which they do not, 0.7 and more.
SANITY_LIKENESS = 0.6
SANITY_IMAGES = 16
SANITY_ENOUGH = 4

# Within one true class, the AUROC of the score for the source: the lower end of the interval is held to it.
SEPARABLE_WARNING = 0.70
SEPARABLE_IMAGES = 20  # of each source
SEPARABLE_PATIENTS = 10
SEPARABLE_MOST = 1000  # of a pair of sources; more would cost more than they tell

# Sensitivity of a class in one group against the others: Holm's p, and the lower end of the difference.
SUBGROUP_P = 0.05
SUBGROUP_LOSS = 0.05
SUBGROUP_IMAGES = 10
AGE_BANDS = (0, 18, 40, 60, 80, 130)

# A network that gives nearly all images one answer has learnt nothing, whatever its accuracy.
CONSTANT_SHARE = 0.98

# Correlation of two films' thumbnails, without their coarse structure, above which they are one film.
SAME_FILM = 0.985

# A check on fewer images than this says nothing.
ENOUGH_IMAGES = 20

# The verdict. Strong: at least one critical finding of a check that watched the network answer. Some: a warning of one
# of these, or heat on markers. None: neither; then the largest effect that could have hidden is said. A constant
# predictor is not tested: nothing could change its answers.
BEHAVIOUR = ("acquisition", "counterfactuals", "no_lung")
SIGNS = (*BEHAVIOUR, "attribution", "separability")
