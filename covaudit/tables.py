"""Tables as text that other programs read: CSV that no spreadsheet runs, Markdown, LaTeX."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence

from covaudit import INTENDED_USE

FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_LATEX |= {character: "\\" + character for character in "&%$#_{}"}
_LATEX |= {"±": r"$\pm$", "√": r"$\surd$", "−": "$-$", "–": "--", "×": r"$\times$"}

Rows = Sequence[Sequence[object]]


def guarded(text: str) -> str:
    """Text that a spreadsheet would run as a formula gets an apostrophe in front; a number does not."""
    return f"'{text}" if text.startswith(FORMULA) and not _is_number(text) else text


def to_csv(header: Sequence[str], rows: Rows) -> str:
    """Comma-separated values with a line for the header; the intended use is the last column."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    lines: list[list[object]] = [[*header, "intended_use"], *([*row, INTENDED_USE] for row in rows)]
    writer.writerows([[guarded(str(cell)) for cell in line] for line in lines])
    return out.getvalue()


def to_markdown(header: Sequence[str], rows: Rows) -> str:
    """A table of GitHub's Markdown, with the intended use below it."""
    lines = [[_one_line(cell).replace("|", r"\|") for cell in row] for row in (header, *rows)]
    lines.insert(1, ["---"] * len(header))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + f"\n{INTENDED_USE}\n"


def to_latex(header: Sequence[str], rows: Rows) -> str:
    """A tabular environment, to be put into a table, with the intended use as a comment."""
    lines = [" & ".join("".join(_LATEX.get(c, c) for c in _one_line(cell)) for cell in row) for row in (header, *rows)]
    body = "".join(f"{line} \\\\\n" for line in lines[1:])
    begin = f"% {INTENDED_USE}\n\\begin{{tabular}}{{{'l' * len(header)}}}\n\\hline\n"
    return f"{begin}{lines[0]} \\\\\n\\hline\n{body}\\hline\n\\end{{tabular}}\n"


FORMATS: Mapping[str, Callable[[Sequence[str], Rows], str]] = {
    "csv": to_csv,
    "markdown": to_markdown,
    "latex": to_latex,
}


def _one_line(cell: object) -> str:
    return " ".join(str(cell).split())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
