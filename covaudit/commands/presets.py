"""python -m covaudit presets ..."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from covaudit.commands.base import AsJson, build_app, open_store, plain, print_json, print_table
from covaudit.commands.runs import Changes, Priority, Wait, queue

if TYPE_CHECKING:
    from covaudit.store import Store

app = build_app("Experiments to start from: the demo, open sources, both papers' set-ups as printed.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of a preset.")]
Small = Annotated[
    bool,
    typer.Option("--small", help="Cut down to minutes: random weights, small images, 100 a class, 2 epochs, one fold."),
]


@app.command("list")
def list_presets(as_json: AsJson = False) -> None:
    """List the presets, which of their sources are missing here, and how those are had."""
    from covaudit.domain.presets import PRESETS, missing
    from covaudit.sources.catalog import CARDS
    from covaudit.store import sources

    known = sources.listing(open_store())
    lacking = {name: missing(preset, known) for name, preset in PRESETS.items()}
    if as_json:
        print_json([_row(name, lacking[name], CARDS) for name in PRESETS])
        return
    rows = [
        (name, preset.task.name, preset.network, ", ".join(lacking[name]) or "–", preset.name)
        for name, preset in PRESETS.items()
    ]
    print_table(rows, ("NAME", "TASK", "NETWORK", "MISSING HERE", "TITLE"))
    wanted = sorted({source for names in lacking.values() for source in names})
    if wanted:
        typer.echo("\nHow what is missing is had:")
        print_table([(source, CARDS[source].obtain) for source in wanted], ("SOURCE", "FROM"))
    typer.echo("\nWhat is printed and what is here: presets show NAME. Queue one: presets run NAME.")


def _row(name: str, lacking: tuple[str, ...], cards: Mapping[str, Any]) -> dict[str, Any]:
    from covaudit.domain.presets import PRESETS
    from covaudit.domain.setups import SETUPS

    preset, setup = PRESETS[name], SETUPS.get(name)
    return {
        "name": name,
        "task": preset.task.name,
        "network": preset.network,
        "title": preset.name,
        "folds": preset.n_folds,
        "missing": {source: cards[source].obtain for source in lacking},
        "printed": setup
        and {one.name: {"sources": one.sources, "n": one.n, "sizes": one.sizes} for one in setup.classes},
        "reported": setup and setup.reported,
        "remarks": setup.remarks if setup else (),
    }


@app.command("show")
def show_preset(name: Name, changes: Changes = None, small: Small = False, as_json: AsJson = False) -> None:
    """Print a preset as YAML, its sources by their names here, to be saved, changed and run.

    Above it, as comments: what the paper printed, how much of it is here, and how what is missing is had.
    """
    from covaudit.domain.change import with_values
    from covaudit.jobs import preset

    store = open_store()
    experiment = with_values(preset.fitted(store, name, small), changes or ())
    if as_json:
        print_json(experiment.model_dump(mode="json"))
        return
    for sentence in _comments(store, name):
        typer.echo(plain(f"# {sentence}"))
    typer.echo(plain(experiment.to_yaml()), nl=False)


def _comments(store: "Store", name: str) -> Iterator[str]:
    from covaudit.domain.presets import PRESETS, missing
    from covaudit.domain.setups import SETUPS
    from covaudit.jobs import preset
    from covaudit.store import sources

    here = preset.counts_here(store, name)
    setup = SETUPS.get(name)
    for one in setup.classes if setup else ():
        sizes = " / ".join(f"{size:,}" for size in one.sizes)
        tested = f", tested on {', '.join(one.test_sources)}" if one.test_sources else ""
        also = f" and {here[one.name].n_test:,} to test on" if one.test_sources else ""
        yield (
            f"{one.name} from {', '.join(one.sources)}{tested}: printed {one.n:,} (train / validation / test {sizes}); "
            f"here {here[one.name].n:,}{also}."
        )
    if setup and setup.reported:
        yield f"Accuracy as printed: {setup.reported}."
    yield from setup.remarks if setup else ()
    for source in missing(PRESETS[name], sources.listing(store)):
        yield f"Not here: {preset.how_to_get(source)}"


@app.command("run")
def run_preset(
    name: Name, changes: Changes = None, small: Small = False, priority: Priority = 0, wait: Wait = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Queue a preset, as it is or with fields changed. The name of the run tells what was changed."""
    from covaudit.domain.change import with_values
    from covaudit.jobs import preset

    store = open_store()
    experiment = with_values(preset.fitted(store, name, small), changes or ())
    preset.require_sources(store, name)
    queue(store, experiment, priority, wait, as_json)
