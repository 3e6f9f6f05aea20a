"""python -m covaudit sources ..."""

from pathlib import Path
from typing import Annotated, Any

import typer

from covaudit.commands.base import AsJson, build_app, open_store, plain, print_json, print_table
from covaudit.commands.health import progress_of
from covaudit.errors import BadSource, CovauditError, clip

app = build_app("List, add and look at the sources of images.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of a source.")]


@app.command("list")
def list_sources(as_json: AsJson = False) -> None:
    """List all sources: the made-up ones, then the added ones."""
    from covaudit.sources.catalog import card_of
    from covaudit.store import sources

    rows = [(source, card_of(source)) for source in sources.listing(open_store())]
    if as_json:
        print_json([source.model_dump() | {"title": card.title} for source, card in rows])
        return
    print_table(
        [(source.name, source.reader, source.path or "(made up on demand)", card.title) for source, card in rows],
        ("NAME", "READER", "PLACE", "TITLE"),
    )


@app.command("add")
def add_source(
    name: Name,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The folder of the images, or a CSV file.")],
    reader: Annotated[
        str | None, typer.Option(metavar="R", help="How to read it; found from NAME or from the layout if left out.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="MEANING=HEADER", help="For a CSV file: image, label, patient, view, sex or age."),
    ] = None,
) -> None:
    """Add a source; its files stay where they are."""
    from covaudit.sources import catalog
    from covaudit.store import sources

    store = open_store()
    source = catalog.add_source(name, path, reader, _columns(column or []), store.settings.roots)
    sources.add(store, source)
    typer.echo(
        plain(f"Added {source.name}, read by {source.reader}. See it: python -m covaudit sources show {source.name}")
    )


@app.command("get")
def get_source(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of a collection that is open to all.")],
    path: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where to put it; 'sources/NAME' in the workspace if left out."),
    ] = None,
) -> None:
    """Fetch an open collection, check and unpack it, and add it. Stopped with Ctrl-C, it goes on at the next call."""
    from covaudit.commands.progress import show_bytes
    from covaudit.sources import get
    from covaudit.sources.catalog import CARDS
    from covaudit.sources.roots import check_inside
    from covaudit.store import sources

    store = open_store()
    place = (path or store.workspace / "sources" / name).expanduser()
    check_inside(place, store.settings.roots)
    if name in {source.name for source in sources.listing(store)}:
        raise BadSource(f"There is a source '{clip(name)}' already. Remove it first, if it is to be fetched anew.")
    if name in CARDS:
        typer.echo(plain(f"{CARDS[name].title}. Licence: {CARDS[name].licence}."))
    with show_bytes() as on_progress:
        found = get.get(name, place, store.workspace / "cache" / "downloads", on_progress)
    sources.add(store, found.source)
    typer.echo(plain(f"SHA-256 {found.sha256}, {found.n_bytes:,} bytes."))
    typer.echo(plain(f"Added {name}. See it: python -m covaudit sources show {name}"))


@app.command("show")
def show_source(name: Name, as_json: AsJson = False) -> None:
    """Show what is known of a source, and count its images by label."""
    from covaudit.jobs import scans, submit
    from covaudit.sources.catalog import card_of
    from covaudit.store import sources

    store = open_store()
    source = sources.get(store, name)
    index = submit.index_of(store, source)
    if index.n_pending and source.path is not None:
        index = scans.scan(store, source, progress_of(source.name))
    counts = {str(label): int(n) for label, n in index.table["label"].value_counts().sort_index().items()}
    shown: dict[str, Any] = source.model_dump() | card_of(source).model_dump(mode="json")
    shown |= {"counts": counts, "n": len(index.table), "patients": int(index.table["patient"].nunique())}
    shown["dropped"] = index.dropped
    if as_json:
        print_json(shown)
        return
    for key, value in shown.items():
        typer.echo(plain(f"{key.replace('_', ' ') + ':':20}{_text(value)}"))


@app.command("remove")
def remove_source(name: Name) -> None:
    """Forget a source; its files stay where they are."""
    from covaudit.store import sources

    sources.remove(open_store(), name)
    typer.echo(plain(f"Removed {name}."))


def _columns(pairs: list[str]) -> dict[str, str]:
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise CovauditError(
            f"--column came as '{clip(wrong[0])}'. Write it as MEANING=HEADER, such as label=Diagnosis."
        )
    return dict(pair.split("=", 1) for pair in pairs)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items()) or "–"
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value)) or "–"
    return str(value) if value not in (None, "") else "–"
