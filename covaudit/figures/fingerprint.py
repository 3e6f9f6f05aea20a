"""How the images of several sources were taken and stored, side by side; what is unlike stands out."""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import NamedTuple

import plotly.graph_objects as go

from covaudit.figures.layout import SIDE, empty, finish, legend_above, still
from covaudit.figures.palette import NEUTRAL, colour
from covaudit.figures.text import literal, share

_ROW = 34
_RARE = 0.02


class SpreadInfo(NamedTuple):
    """One fact of each source: its 5, 25, 50, 75 and 95 % quantiles, (S, 5). `number` is the colour of each source."""

    title: str
    sources: tuple[str, ...]
    quantiles: tuple[tuple[float, ...], ...]
    numbers: tuple[int, ...]


class KindsInfo(NamedTuple):
    """Shares (S, K) of images of each kind of file, the most frequent kind first; the rare ones are 'other'."""

    sources: tuple[str, ...]
    kinds: tuple[str, ...]
    shares: tuple[tuple[float, ...], ...]


def spread_info(title: str, spread: Mapping[str, Sequence[float]]) -> SpreadInfo:
    """From quantiles by source, in the order that the sources have in all figures; unknown facts are left out."""
    known = [(number, name, tuple(values)) for number, (name, values) in enumerate(spread.items())]
    known = [one for one in known if one[2] and not any(map(isnan, one[2]))]
    numbers, names, quantiles = zip(*known, strict=True) if known else ((), (), ())
    return SpreadInfo(title, names, quantiles, numbers)


def kinds_info(kinds: Mapping[str, Mapping[str, float]]) -> KindsInfo:
    """From the shares of each source."""
    totals: dict[str, float] = {}
    for shares in kinds.values():
        for kind, part in shares.items():
            totals[kind] = max(totals.get(kind, 0.0), part)
    shown = sorted((kind for kind, most in totals.items() if most >= _RARE), key=lambda kind: -totals[kind])
    rows = [[shares.get(kind, 0.0) for kind in shown] for shares in kinds.values()]
    has_rest = any(sum(row) < 1 - 1e-9 for row in rows)
    return KindsInfo(
        tuple(kinds),
        (*shown, *(["other"] if has_rest else [])),
        tuple((*row, *([1 - sum(row)] if has_rest else [])) for row in rows),
    )


def plot_spread(info: SpreadInfo) -> go.Figure:
    """A box for each source: the middle half of its images, a line at the median, whiskers to 5 and 95 %."""
    if not info.sources:
        return empty("Not known for these sources.")
    figure = go.Figure()
    for name, quantiles, order in zip(info.sources, info.quantiles, info.numbers, strict=True):
        low, first, middle, third, high = quantiles
        figure.add_trace(
            go.Box(
                y=[literal(name, 18)], lowerfence=[low], q1=[first], median=[middle], q3=[third], upperfence=[high],
                orientation="h", name=literal(name, 18), showlegend=False, line={"color": colour(order), "width": 2},
                hoverinfo="skip",
            )
        )  # fmt: skip
        figure.add_trace(
            go.Scatter(
                x=[middle], y=[literal(name, 18)], mode="markers", marker={"color": colour(order), "size": 9},
                showlegend=False, customdata=[_hover(name, quantiles)], hovertemplate="%{customdata}<extra></extra>",
            )
        )  # fmt: skip
    finish(figure, height=64 + _ROW * len(info.sources), top=SIDE, bottom=44)
    figure.update_xaxes(title={"text": info.title, "font": {"size": 13}}, showgrid=True, nticks=6)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return still(figure)


def plot_kinds(info: KindsInfo) -> go.Figure:
    """A bar for each source, cut by kind of file."""
    if not info.sources:
        return empty("Not known for these sources.")
    figure = go.Figure()
    names = [literal(name, 18) for name in info.sources]
    for order, kind in enumerate(info.kinds):
        parts = [row[order] for row in info.shares]
        told = list(zip(names, parts, strict=True))
        figure.add_trace(
            go.Bar(
                y=names, x=[100 * part for part in parts], orientation="h", name=literal(kind, 30),
                marker={"color": NEUTRAL if kind == "other" else colour(order), "line": {"width": 0}},
                customdata=[f"<b>{name}</b><br>{literal(kind)}: {share(part)}" for name, part in told],
                hovertemplate="%{customdata}<extra></extra>",
            )
        )  # fmt: skip
    top = legend_above(figure, info.kinds)
    finish(figure, height=52 + top + _ROW * len(names), top=top, bottom=44)
    figure.update_layout(barmode="stack", bargap=0.35)
    figure.update_xaxes(title={"text": "Share of files, %", "font": {"size": 13}}, range=[0, 100])
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return still(figure)


def _hover(name: str, quantiles: Sequence[float]) -> str:
    low, first, middle, third, high = (f"{value:,.3g}" for value in quantiles)
    return (
        f"<b>{literal(name)}</b><br>median {middle}<br>half of the images: {first} to {third}<br>90 %: {low} to {high}"
    )
