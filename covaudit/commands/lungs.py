"""python -m covaudit lungs train|measure"""

import json
import time
from functools import partial
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
    from covaudit.explain.lungs import WEIGHTS, find_lungs
    from covaudit.explain.measure_lungs import measure

    _check(folder)
    print_json(measure(folder, partial(find_lungs, weights=WEIGHTS)))


@app.command("train")
def train_lungs(
    folder: Folder,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A folder for the weights and their record.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of all draws.")] = 0,
) -> None:
    """Train the network anew (10 minutes of one core), measure it, and write it with the record of both."""
    from covaudit.explain.lungs import RECORD, WEIGHTS, find_lungs
    from covaudit.explain.measure_lungs import measure
    from covaudit.explain.train_lungs import describe, train, weights_of
    from covaudit.store.artifacts import write_whole

    _check(folder)

    def show(step: int, steps: int, loss: float) -> None:
        if step % 50 == 0 or step == steps:
            typer.echo(f"step {step}/{steps}: loss {loss:.3f}", err=True)

    start = time.process_time()
    weights = weights_of(train(folder, seed, on_step=show))
    record = describe(folder, seed, weights, time.process_time() - start)
    write_whole(out / WEIGHTS.name, weights)
    record["measured"] = measure(folder, partial(find_lungs, weights=out / WEIGHTS.name))
    write_whole(out / RECORD.name, json.dumps(record, indent=2).encode() + b"\n")
    typer.echo(f"Written. To use it, put both files into models/weights: {clip(out, 200)}")


def _check(folder: Path) -> None:
    if not (folder / "cidc" / "lung_masks").is_dir():
        raise CovauditError(f"{clip(folder, 200)} has no cidc/lung_masks. Give the folder that holds the collections.")
