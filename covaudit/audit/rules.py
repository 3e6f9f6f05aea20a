"""The thresholds of every check in one place, written down before a result is seen.

A finding is critical only when the behaviour of the network shows the shortcut and the lower end of its 95 % interval
is past the threshold; how the data were mixed is a risk, never more than a warning.
"""

# Cramér's V of class and source: above STRONG the class is nearly determined by the source.
CONFOUNDING_STRONG = 0.8
CONFOUNDING_SOME = 0.3

# Balanced accuracy lost from the internal to the external test.
GAP_CRITICAL = 0.10

# Share of the predictions that change when one part of the acquisition changes and the patient does not.
FLIP_CRITICAL = 0.30
FLIP_WARNING = 0.10
SWAP_IMAGES = 60

# Heat on a region, as a multiple of what an even map would put there; the lower end of the interval is held to it.
MARKER_ENRICHMENT = 2.0
OUTSIDE_ENRICHMENT = 1.1

# A check on fewer images than this says nothing.
ENOUGH_IMAGES = 20
