"""python -m covaudit explain RUN IMAGE"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from covaudit import INTENDED_USE
from covaudit.commands.base import AsJson, RunId, open_store, plain, print_json
from covaudit.domain.explanation import METHOD_CARDS, MapOptions
from covaudit.errors import BadState, CovauditError, UnknownName, clip

if TYPE_CHECKING:
    from covaudit.domain.run import Run
    from covaudit.explain.on_demand import ImageMap
    from covaudit.store import Store

METHODS_HELP = f"One of: {', '.join(METHOD_CARDS)}."


def explain(
    run_id: RunId,
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="The id of a test image of the run, or a file.")],
    method: Annotated[str, typer.Option(metavar="NAME", help=METHODS_HELP)] = "hires-cam",
    target: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="The class to explain; else the likeliest.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the overlay to this PNG.")] = None,
    array: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the map as it is drawn to this NumPy file, uint8 (S, S).")
    ] = None,
    relu_gradients: Annotated[
        bool, typer.Option("--relu-gradients", help="Drop negative gradients first, as paper 2's Grad-CAM.")
    ] = False,
    threshold: Annotated[
        float, typer.Option(min=0, max=0.99, help="Blank what is below this share of the maximum; paper 1: 0.6.")
    ] = 0.0,
    smooth: Annotated[bool, typer.Option("--smooth", help="Amplify and blur, as paper 2's saliency.")] = False,
    baseline: Annotated[
        str, typer.Option(metavar="LEVEL", help="grey or black: what Integrated Gradients and occlusion begin with.")
    ] = "grey",
    as_json: AsJson = False,
) -> None:
    """Draw why the network of a run answers as it does for one image, by a method of your choice."""
    if method not in METHOD_CARDS:
        raise UnknownName("method", method, METHOD_CARDS)
    if baseline not in ("grey", "black"):
        raise UnknownName("level", baseline, ("grey", "black"))
    options = MapOptions.model_validate(
        {"relu_gradients": relu_gradients, "threshold": threshold, "smooth": smooth, "baseline": baseline}
    )
    store = open_store()
    found = _explain(store, _done(store, run_id), image, target, method, options)
    written = {name: str(path) for name, path in (("overlay", out), ("array", array)) if path is not None}
    _write(found, out, array)
    shown: dict[str, Any] = {
        "run_id": run_id, "image": image, "method": method, "class": found.target, "probability": found.probability,
        "score": found.score, "has_evidence": not found.is_empty, "options": options.model_dump(), "files": written,
        "intended_use": INTENDED_USE,
    }  # fmt: skip
    if as_json:
        print_json(shown)
        return
    card = METHOD_CARDS[method]
    said = f"{card.title} of {found.target}: p = {found.probability:.3f}, log-odds {found.score:.2f}."
    typer.echo(plain(f"{said} The map shows {card.reads} ({card.publication})."))
    if found.is_empty:
        typer.echo("No evidence for this class: the map is empty.")
    for name, path in written.items():
        typer.echo(plain(f"{name}: {path}"))
    typer.echo(f"\n{INTENDED_USE}")


def _done(store: "Store", run_id: str) -> "Run":
    from covaudit.domain.run import RunState
    from covaudit.store import runs

    run = runs.get(store, run_id)
    if run.state is not RunState.DONE:
        raise BadState(f"Run {run.id} is {run.state}. Only a run that is done has a network to explain.")
    return run


def _explain(
    store: "Store", run: "Run", image: str, target: str | None, method: str, options: MapOptions
) -> "ImageMap":
    """Of a file where there is one of that name, else of the run's test image."""
    from covaudit.sources.images import open_upload, read_file
    from covaudit.store import results

    device = store.settings.device
    if Path(image).is_file():
        from covaudit.explain.on_demand import explain_image

        pixels = open_upload(read_file(Path(image)), Path(image).name).pixels
        return explain_image(results.folder(store, run), pixels, target, method, options, device)
    folder, film = results.test_film(store, run, image)
    from covaudit.explain.on_demand import explain_film

    return explain_film(folder, film, target, method, options, device)


def _write(found: "ImageMap", out: Path | None, array: Path | None) -> None:
    import io

    import numpy as np

    from covaudit.explain.overlay import overlay_png
    from covaudit.store.artifacts import write_whole

    held = io.BytesIO()
    np.save(held, found.heat)
    contents = ((out, overlay_png(found.film, found.heat)), (array, held.getvalue()))
    for path, content in contents:
        if path is None:
            continue
        try:
            write_whole(path, content)
        except OSError as error:
            raise CovauditError(f"The file {clip(path)} cannot be written ({error.strerror}). Give another.") from error
