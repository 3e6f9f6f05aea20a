"""Learning curves: losses above, validation balanced accuracy below."""

from collections.abc import Sequence
from math import isfinite, nan
from typing import NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from covaudit.domain.run import EpochRecord
from covaudit.figures.layout import empty, finish, legend_above
from covaudit.figures.palette import NEUTRAL, colour, dash
from covaudit.figures.text import number


class HistoryInfo(NamedTuple):
    """One value per epoch, in order; a loss that is not finite is NaN and its epoch is in `diverged`. `best` is the
    epoch whose weights are kept, None before the first."""

    epochs: tuple[int, ...]
    train_loss: tuple[float, ...]
    val_loss: tuple[float, ...]
    val_balanced_accuracy: tuple[float, ...]
    lr: tuple[float, ...]
    best: int | None
    diverged: tuple[int, ...]


def history_info(records: Sequence[EpochRecord]) -> HistoryInfo:
    """The curves of one attempt's records, which may come in any order."""
    ordered = sorted(records, key=lambda record: record.epoch)
    best = [record.epoch for record in ordered if record.is_best]
    return HistoryInfo(
        epochs=tuple(record.epoch for record in ordered),
        train_loss=tuple(_finite(record.train_loss) for record in ordered),
        val_loss=tuple(_finite(record.val_loss) for record in ordered),
        val_balanced_accuracy=tuple(_finite(record.val_balanced_accuracy) for record in ordered),
        lr=tuple(record.lr for record in ordered),
        best=best[-1] if best else None,
        diverged=tuple(r.epoch for r in ordered if not (isfinite(r.train_loss) and isfinite(r.val_loss))),
    )


def plot_history(info: HistoryInfo, log_loss: bool = False) -> go.Figure:
    """Two panels over the epochs; `log_loss` draws the losses on a logarithmic axis."""
    if not info.epochs:
        return empty("No epoch is finished yet.")
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.09)
    figure.add_trace(_curve("Train", "loss", info, info.train_loss), row=1, col=1)
    figure.add_trace(_curve("Validation", "loss", info, info.val_loss), row=1, col=1)
    figure.add_trace(_curve("Validation", "balanced accuracy", info, info.val_balanced_accuracy), row=2, col=1)
    top = legend_above(figure, ["Train", "Validation"])
    finish(figure, height=400 + top, top=top)
    figure.update_yaxes(title_text="Loss", type="log" if log_loss else "linear", row=1, col=1)
    figure.update_yaxes(title_text="Balanced accuracy", range=[-0.03, 1.03], dtick=0.25, row=2, col=1)
    figure.update_xaxes(tickformat="d", dtick=max(1, len(info.epochs) // 8))
    figure.update_xaxes(title_text="Epoch", row=2, col=1)
    _mark(figure, info)
    return figure


def _curve(images: str, what: str, info: HistoryInfo, values: tuple[float, ...]) -> go.Scatter:
    order = ("Train", "Validation").index(images)
    return go.Scatter(
        x=info.epochs,
        y=values,
        name=images,
        legendgroup=images,
        showlegend=what == "loss",
        mode="lines+markers",
        line={"color": colour(order), "dash": dash(order), "width": 2},
        marker={"size": 6},
        customdata=[f"{rate:.2g}" for rate in info.lr],
        hovertemplate=f"Epoch %{{x}}<br>{images} {what} %{{y:.3f}}<br>Learning rate %{{customdata}}<extra></extra>",
    )


def _mark(figure: go.Figure, info: HistoryInfo) -> None:
    if info.best is not None:
        value = info.val_balanced_accuracy[info.epochs.index(info.best)]
        figure.add_vline(x=info.best, line={"color": NEUTRAL, "dash": "dot", "width": 1.5})
        last = info.best > (info.epochs[0] + info.epochs[-1]) / 2
        figure.add_annotation(
            text=f"kept: epoch {info.best}, {number(value)}",
            x=info.best,
            y=0.03,
            xref="x2",
            yref="y2",
            showarrow=False,
            xanchor="right" if last else "left",
            yanchor="bottom",
            xshift=-4 if last else 4,
        )
    for epoch in info.diverged:
        figure.add_annotation(
            text="✕",
            x=epoch,
            y=0,
            xref="x",
            yref="y domain",
            yanchor="bottom",
            showarrow=False,
            hovertext=f"Epoch {epoch}: the loss is not a number",
            font={"color": colour(1), "size": 16},
        )


def _finite(value: float) -> float:
    return value if isfinite(value) else nan
