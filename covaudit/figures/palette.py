"""Colours of all figures: told apart with any colour vision, visible on a light and on a dark page."""

from collections.abc import Sequence

from plotly.colors import sample_colorscale, unlabel_rgb

# Okabe and Ito (2008), those first that have a contrast of about 3:1 on white and on near-black alike; black and yellow
# are left out, for each vanishes on one of the two.
SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# A second sign beside the colour: nothing is told by colour alone.
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
MATRIX = "Cividis"
NEUTRAL = "#808080"
"""Grey that shows on both themes, for lines that carry no value."""
INK_ON_LIGHT, INK_ON_DARK = "#31333F", "#FAFAFA"
FAINT = "rgba(128, 128, 128, 0.28)"


def colour(number: int) -> str:
    """Colour of the series with this number, from 0; repeats after six."""
    return SERIES[number % len(SERIES)]


def symbol(number: int) -> str:
    """Marker of the series with this number, from 0; shifts when the colours repeat."""
    return SYMBOLS[(number + number // len(SERIES)) % len(SYMBOLS)]


def dash(number: int) -> str:
    """Line style of the series with this number, from 0."""
    return DASHES[(number + number // len(SERIES)) % len(DASHES)]


def text_on(share: float) -> str:
    """Black or white, whichever reads better on the matrix colour of a share in [0, 1]."""
    cell = sample_colorscale(MATRIX, [min(max(share, 0.0), 1.0)])[0]
    light = _luminance([channel / 255 for channel in unlabel_rgb(cell)])
    return "#000000" if (light + 0.05) / 0.05 > 1.05 / (light + 0.05) else "#ffffff"


def _luminance(channels: Sequence[float]) -> float:
    """Relative luminance of WCAG 2.2."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
