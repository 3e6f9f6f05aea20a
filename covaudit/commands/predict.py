"""python -m covaudit predict RUN IMAGE..."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from covaudit import INTENDED_USE
from covaudit.commands.base import FAILED, WRONG_USE, AsJson, RunId, open_store, plain, print_json, print_table
from covaudit.errors import BadImage, BadState, CovauditError, clip

if TYPE_CHECKING:
    import numpy as np

    from covaudit.explain.predict_image import ImagePrediction

_BATCH = 16


def predict(
    run_id: RunId,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="PNG, JPEG or DICOM files.")],
    heatmap: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write each image with its heat map to this folder.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let the network of a run look at images of your own. An image that is refused does not stop the others."""
    from covaudit.domain.run import RunState
    from covaudit.store import results, runs

    store = open_store()
    run = runs.get(store, run_id)
    if run.state is not RunState.DONE:
        raise BadState(f"Run {run.id} is {run.state}. Only a run that is done has a network to predict with.")
    refused: list[dict[str, str]] = []
    predictions = list(_predictions(results.folder(store, run), images, store.settings.device, heatmap, refused))
    if as_json:
        print_json({"run_id": run.id, "predictions": predictions, "refused": refused, "intended_use": INTENDED_USE})
    elif predictions:
        classes = list(predictions[0]["probabilities"])
        rows = [(p["image"], p["predicted"], *(f"{p['probabilities'][c]:.3f}" for c in classes)) for p in predictions]
        print_table(rows, ("IMAGE", "PREDICTED", *classes))
        for row in predictions:
            for caution in row["trust"]["cautions"]:
                typer.echo(f"{plain(row['image'])}: {plain(caution)}")
        if predictions[0]["networks"] > 1:
            n = predictions[0]["networks"]
            typer.echo(f"\nThe mean of {n} networks, one of each fold. Heat maps are of the first fold's network.")
        typer.echo(f"\n{INTENDED_USE}")
    if refused:
        raise typer.Exit(FAILED if predictions else WRONG_USE)


def _predictions(
    folder: Path, images: list[Path], device: str, heatmap: Path | None, refused: list[dict[str, str]]
) -> Iterator[dict[str, Any]]:
    taken: set[str] = set()
    for start in range(0, len(images), _BATCH):
        opened = list(_open(images[start : start + _BATCH], refused))
        if not opened:
            continue
        from covaudit.explain.predict_image import predict_images

        for (path, _), found in zip(opened, predict_images(folder, opened, device), strict=True):
            if isinstance(found, str):
                _refuse(path, found, refused)
                continue
            row: dict[str, Any] = {"image": path, "predicted": found.predicted, "networks": found.n_networks}
            row["probabilities"] = {c: float(p) for c, p in zip(found.classes, found.probabilities, strict=True)}
            row["trust"] = _plain(found)
            if heatmap is not None:
                row["heatmap"] = str(_write_overlay(heatmap, Path(path).stem, taken, found.view, found.heatmap))
            yield row


def _plain(found: "ImagePrediction") -> dict[str, Any]:
    """The trust panel as JSON."""
    trust = found.trust

    def by_class(values: "np.ndarray[Any, Any] | None") -> dict[str, float] | None:
        return None if values is None else {c: float(p) for c, p in zip(found.classes, values, strict=True)}

    return {
        "cautions": list(trust.cautions),
        "heat_outside_lungs": trust.outside_lungs,
        "without_lungs": by_class(trust.without_lungs),
        "without_markers": by_class(trust.without_markers),
        "looks_like": {"source": trust.source, "p": trust.source_p} if trust.source else None,
        "nearest": [{"source": n.source, "image": n.image_id, "class": n.class_name} for n in trust.neighbours],
    }


def _open(paths: list[Path], refused: list[dict[str, str]]) -> "Iterator[tuple[str, np.ndarray[Any, Any]]]":
    from covaudit.sources.images import open_upload, read_file

    for path in paths:
        try:
            yield str(path), open_upload(read_file(path), path.name).pixels
        except (BadImage, OSError) as error:
            sentence = str(error) if isinstance(error, BadImage) else f"It cannot be read: {error.strerror}."
            _refuse(path, sentence, refused)


def _refuse(path: Path | str, sentence: str, refused: list[dict[str, str]]) -> None:
    refused.append({"image": str(path), "reason": sentence})
    typer.echo(f"{clip(path, 200)}: {plain(sentence)}", err=True)


def _write_overlay(folder: Path, stem: str, taken: set[str], pixels: Any, heatmap: Any) -> Path:
    from covaudit.explain.overlay import overlay_png
    from covaudit.store.artifacts import write_whole

    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name)
    try:
        write_whole(folder / f"{name}.png", overlay_png(pixels, heatmap))
    except OSError as error:
        raise CovauditError(f"The folder {clip(folder)} cannot be written ({error.strerror}). Give another.") from error
    return folder / f"{name}.png"
