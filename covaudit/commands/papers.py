"""python -m covaudit papers: the printed numbers of both papers, recomputed."""

from typing import Annotated

import typer

from covaudit.commands.base import AsJson, build_app, plain, print_json, print_table
from covaudit.errors import UnknownName

app = build_app("The printed numbers of both papers, recomputed where the numbers allow it.")


@app.command("check")
def check(as_json: AsJson = False) -> None:
    """Recompute the tables. Shows how many cells agree, each cell that does not, and what the tests cannot carry."""
    from covaudit.papers.check import CHECKS, check_papers
    from covaudit.papers.check import as_json as to_json

    report = check_papers()
    if as_json:
        print_json(to_json(report))
        return
    rows = [(f"{agreed} of {n}", CHECKS[name].title) for name, (agreed, n) in
            ((name, report.agreed(name)) for name in report.cells)]  # fmt: skip
    print_table(rows, ("AS PRINTED", "RULE"))
    typer.echo("\nFlagged cells")
    flagged = [
        (f"P{c.paper} {c.table}", c.row, c.column, c.printed, c.recomputed or "–", c.flag) for c in report.flagged()
    ]
    print_table(flagged, ("TABLE", "ROW", "COLUMN", "PRINTED", "RECOMPUTED", "WHY"))
    typer.echo("\nClaims")
    for claim in report.claims:
        mark = "carried    " if claim.is_carried else "not carried"
        typer.echo(plain(f"  {mark}  {claim.said}\n               {claim.numbers}\n               {claim.verdict}"))


@app.command("table")
def table(
    paper: Annotated[str, typer.Argument(help="1 or 2.")],
    name: Annotated[str, typer.Argument(help="Such as 'Table 5'.")],
    form: Annotated[str, typer.Option("--format", help="csv, markdown or latex.")] = "markdown",
) -> None:
    """Print a table of a paper as it is printed, with what is wrong with its cells in the last column."""
    from covaudit.papers.check import check_papers
    from covaudit.papers.tables import plain_rows, printed_tables
    from covaudit.tables import FORMATS

    known = {f"{one.paper} {one.name}": one for one in printed_tables(check_papers())}
    if f"{paper} {name}" not in known:
        raise UnknownName("table", f"{paper} {name}", known)
    if form not in FORMATS:
        raise UnknownName("format", form, FORMATS)
    found = known[f"{paper} {name}"]
    typer.echo(FORMATS[form](*plain_rows(found)), nl=False)
