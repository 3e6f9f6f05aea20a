"""Checks of files alone: unreadable, named wrongly, constant, tiny, oddly shaped."""

from collections.abc import Iterator
from pathlib import PurePath

from covaudit.domain.finding import AuditFinding, Severity
from covaudit.sources.health.material import Material, counted, in_words, named
from covaudit.sources.images import SUFFIXES
from covaudit.sources.refusals import REASONS

_SMALL_SIDE = 64
_EXTREME_ASPECT = 4.0


def unreadable(material: Material) -> Iterator[AuditFinding]:
    """Files that were refused, and why: one finding for each reason."""
    if material.refused.empty:
        n = len(material.table)
        yield _clear("unreadable", f"All {n:,} image files can be read", "Every file was decoded to its last pixel.")
    for reason, rows in material.refused.groupby("reason", sort=True):
        places = in_words(counted(rows["source"]))
        yield AuditFinding(
            check="unreadable",
            severity=Severity.WARNING,
            title=f"Files left out: {len(rows):,}, for {_first_sentence(REASONS[str(reason)])}",
            detail=f"{REASONS[str(reason)]} By source: {places}.",
            evidence={"reason": reason, "n": len(rows), "labels": counted(rows["label"]), "images": named(rows)},
        )


def wrong_extension(material: Material) -> Iterator[AuditFinding]:
    """Names that say another format than the content shows; the content decides, so the image is used."""
    table = material.table
    said = table["path"].map(lambda path: SUFFIXES.get(PurePath(path).suffix.lower(), ""))
    wrong = table[(said != "") & (said != table["format"])]
    if len(wrong):
        pairs = counted(f"{a} in name, {b} inside" for a, b in zip(said[wrong.index], wrong["format"], strict=True))
        yield AuditFinding(
            check="wrong_extension",
            severity=Severity.NOTE,
            title=f"Files that are not of the format that their name says: {len(wrong):,}",
            detail=f"{in_words(pairs)}. CovAudit goes by the content; another program may refuse them or, worse, not. "
            "Files that were saved again have lost detail, and what was saved again may go with the label.",
            evidence={"kinds": pairs, "labels": counted(wrong["label"]), "images": named(wrong)},
        )


def odd_images(material: Material) -> Iterator[AuditFinding]:
    """Constant, tiny and very long images: scans that failed, icons, strips."""
    table = material.table
    small = table[["width", "height"]].min(axis=1) < _SMALL_SIDE
    ratio = table[["width", "height"]].max(axis=1) / table[["width", "height"]].min(axis=1)
    for rows, what, means in (
        (
            table[table["contrast"] == 0],
            "Images with the same value in every pixel",
            "They show nothing to learn from.",
        ),
        (
            table[small],
            f"Tiny images, a side below {_SMALL_SIDE} pixels",
            "Enlarged, they are blurred; size then tells.",
        ),
        (
            table[ratio > _EXTREME_ASPECT],
            "Images of an extreme shape",
            "Stretched to a square, they look like no chest.",
        ),
    ):
        if len(rows):
            yield AuditFinding(
                check="odd_images",
                severity=Severity.WARNING if "value" in what else Severity.NOTE,
                title=f"{what}: {len(rows):,}",
                detail=f"{means} By source: {in_words(counted(rows['source']))}.",
                evidence={"n": len(rows), "labels": counted(rows["label"]), "images": named(rows)},
            )


def _first_sentence(text: str) -> str:
    return text.split(".")[0][0].lower() + text.split(".")[0][1:]


def _clear(check: str, title: str, detail: str) -> AuditFinding:
    return AuditFinding(check=check, severity=Severity.CLEAR, title=title, detail=detail)
