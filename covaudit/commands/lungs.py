"""python -m covaudit lungs train|measure"""

import json
from pathlib import Path
from typing import Annotated

import typer

from covaudit.commands.base import build_app, print_json
from covaudit.errors import CovauditError, clip

app = build_app("Train and measure the network that finds the lungs.")

Folder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Holds cidc with lung_masks, and cxri, chestxray8, hannover, mgc.")
]


@app.command("measure")
def measure_lungs(folder: Folder) -> None:
    """Measure the shipped network on the patients that were kept out of its training."""
    from covaudit.explain.measure_lungs import measure

    _check(folder)
    print_json(measure(folder))


@app.command("train")
def train_lungs(
    folder: Folder,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A folder for the weights and their record.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of all draws.")] = 0,
) -> None:
    """Train the network anew (20 minutes on one core), and write it with a record of what it was trained on."""
    from covaudit.explain.lungs import RECORD, WEIGHTS
    from covaudit.explain.train_lungs import describe, train, weights_of
    from covaudit.store.artifacts import write_whole

    _check(folder)

    def show(step: int, steps: int, loss: float) -> None:
        if step % 50 == 0 or step == steps:
            typer.echo(f"step {step}/{steps}: loss {loss:.3f}", err=True)

    weights = weights_of(train(folder, seed, on_step=show))
    write_whole(out / WEIGHTS.name, weights)
    write_whole(out / RECORD.name, json.dumps(describe(folder, seed, weights), indent=2).encode() + b"\n")
    typer.echo(f"Written. To use it, put both files into models/weights: {clip(out, 200)}")


def _check(folder: Path) -> None:
    if not (folder / "cidc" / "lung_masks").is_dir():
        raise CovauditError(f"{clip(folder, 200)} has no cidc/lung_masks. Give the folder that holds the collections.")
