"""What all commands share: settings, errors as one sentence, text that is safe to print."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from covaudit.errors import CovauditError, JobFailed, MissingArtifact

if TYPE_CHECKING:
    from covaudit.domain.estimate import Estimate
    from covaudit.store import Store

FAILED = 1
WRONG_USE = 2

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text for people.")]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="The id of a run, or the first 4 characters or more of it.")]


class PlainGroup(TyperGroup):
    """Commands whose errors are a sentence on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CovauditError as error:
            typer.echo(plain(str(error)), err=True)
            failed = isinstance(error, JobFailed | MissingArtifact)
            raise typer.Exit(FAILED if failed else WRONG_USE) from error


def build_app(help_text: str, name: str | None = None) -> typer.Typer:
    """An empty group of commands."""
    return typer.Typer(
        name=name, cls=PlainGroup, help=help_text, no_args_is_help=True, add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]},
    )  # fmt: skip


def open_store() -> "Store":
    """The store that the environment names."""
    from covaudit.settings import Settings
    from covaudit.store import Store

    return Store.open(Settings.from_env())


def plain(text: object) -> str:
    """The text with every character that would steer the terminal written as an escape; line ends and tabs stay."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in str(text))


def print_json(value: Any) -> None:
    """JSON with undefined numbers as null."""
    from covaudit.store.results import finite

    sys.stdout.write(json.dumps(finite(value), ensure_ascii=False, indent=2) + "\n")


def print_table(rows: Sequence[Sequence[object]], header: Sequence[str]) -> None:
    """Columns as wide as they need to be; nothing is cut, so that the output can be searched."""
    cells = [[plain(cell).replace("\n", " ") for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def estimate_text(item: "Estimate | None") -> str:
    """0.95 [0.92, 0.98] n=200, in the digits of the pages; a dash where it is undefined."""
    from covaudit.reports.text import interval

    return "–" if item is None or not item.is_defined else f"{interval(item)} n={item.n}"
