"""The sources that are known: what a reader must know of each before a mixture can be judged, and how one is added."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from covaudit.archives import is_archive
from covaudit.domain.built_in import BUILT_IN
from covaudit.domain.source import Source, SourceCard
from covaudit.errors import BadSource, UnknownName, clip
from covaudit.sources import phantom
from covaudit.sources.cards import COLLECTIONS
from covaudit.sources.readers import READERS, Reader
from covaudit.sources.readers.base import said_of
from covaudit.sources.readers.files import SUFFIXES, is_text
from covaudit.sources.roots import check_inside

__all__ = ["BUILT_IN", "CARDS", "READERS", "Reader", "add_source", "card_of", "find_reader"]

PHANTOM = "phantom"


def _phantom_card(name: str) -> SourceCard:
    style = phantom.STYLES[name]
    seen = [f"the letters {style.marker.letters}" if style.marker else "", "burned-in text" if style.text else ""]
    marks = " and ".join(filter(None, seen)) or "no marker"
    return SourceCard(
        name=name,
        title=f"Made-up radiographs, machine {name[-1].upper()}",
        population="Made-up adults; no one was exposed",
        licence="Part of CovAudit (MIT)",
        reference_standard="Drawn, so known exactly; with lung, lesion and marker masks",
        confounders=(f"Every image has the machine's grey levels, noise and border, and {marks}",),
        access="made up",
        obtain="Nothing to obtain: drawn when looked at",
    )


CARDS: Mapping[str, SourceCard] = {
    **{name: _phantom_card(name) for name in phantom.STYLES},
    **{card.name: card for card in COLLECTIONS},
}


def card_of(source: Source) -> SourceCard:
    """The card of a known collection, under the name the source was added by; else one that says what to state."""
    known = CARDS.get(source.name) if source.path is None else CARDS.get(source.reader)
    if known is not None:
        return known.model_copy(update={"name": source.name})
    unknown = "Unknown, please state"
    return SourceCard(
        name=source.name,
        title=source.name,
        modality=unknown,
        population=unknown,
        licence=unknown,
        reference_standard=unknown,
        confounders=("Nothing is known of how the images were taken and chosen",),
    )


def find_reader(name: str, path: Path) -> str:
    """The reader that the name says, if the layout agrees; else the first whose layout it is. Raises BadSource."""
    if not path.exists():
        raise BadSource(f"There is no folder '{clip(path)}'. Check the path.")
    if path.is_file():
        _check_table(path)
        return "csv"
    by_name = name.strip().lower()
    for candidate in (by_name, *READERS):
        if candidate in READERS and _matches(candidate, path):
            return candidate
    raise BadSource(
        f"No reader knows the layout of this folder. Give a folder with one sub-folder per class, a CSV file with the "
        f"columns image and label, or a collection as released: {', '.join(READERS)}."
    )


def _check_table(path: Path) -> None:
    """Raises BadSource, saying what to do, for a file that can be no table."""
    if is_archive(path):
        raise BadSource(f"'{clip(path.name)}' is an archive. Unpack it, and give the folder that comes out.")
    if path.suffix.lower() in SUFFIXES:
        raise BadSource(f"'{clip(path.name)}' is one image. Give the folder that holds the images, or a CSV file.")


def _matches(reader: str, path: Path) -> bool:
    if path.is_file() and reader != "csv":
        return False
    try:
        return READERS[reader].matches(path)
    except OSError:
        return False


def add_source(
    name: str,
    path: Path,
    reader: str | None = None,
    columns: Mapping[str, str] | None = None,
    roots: Iterable[Path] = (),
) -> Source:
    """A source that was found to have images, its path made real. Raises BadSource, and UnknownName for the reader."""
    name = name.strip()
    if not name or len(name) > 80 or not is_text(name):
        raise BadSource("A source needs a name of 1 to 80 characters. Give it a short one.")
    if name in CARDS and CARDS[name] not in COLLECTIONS:
        raise BadSource(f"The name '{name}' belongs to a made-up source. Choose another name.")
    if reader is not None and reader not in READERS:
        raise UnknownName("reader", reader, READERS)
    place = _real_place(path)
    check_inside(place, roots)
    if place.is_file() and (reader or "csv") != "csv":
        raise BadSource(
            f"The reader {reader} needs the folder that holds the collection; this is a file. Give its folder."
        )
    try:
        chosen = reader or ("csv" if {"image", "label"} & set(columns or {}) else find_reader(name, place))
        found = READERS[chosen].read(place, columns or {})
    except OSError as error:
        raise BadSource(f"The folder cannot be read: {error.strerror}. Check its permissions and its files.") from error
    if found.table.empty:
        reasons = said_of(f"{reason}: {n}" for reason, n in found.dropped.items())
        dropped = f" Left out: {reasons}." if reasons else ""
        raise BadSource(f"The reader {chosen} found no image in this folder.{dropped} Check the path and the reader.")
    return Source(name=name, reader=chosen, path=str(place), columns=dict(columns or {}))


def _real_place(path: Path) -> Path:
    try:
        place = path.expanduser().resolve()
        exists = place.is_dir() or place.is_file()
    except (OSError, RuntimeError, ValueError):  # a loop of links, an unknown user, NUL
        exists = False
    if not exists:
        raise BadSource(f"There is no folder '{clip(path)}'. Check the path.")
    if not is_text(place):
        raise BadSource("The name of this folder, or of one above it, is not UTF-8 and cannot be kept. Rename it.")
    return place
