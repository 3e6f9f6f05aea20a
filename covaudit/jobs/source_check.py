"""Whether the images that a run drew are still what they were."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from covaudit.domain.run import Run
from covaudit.errors import CovauditError, clip
from covaudit.store import Store, artifacts, results
from covaudit.store import sources as source_table

if TYPE_CHECKING:
    import pandas as pd

_FROZEN = ConfigDict(frozen=True)
_NAMED = 10
_IMAGE = ["source", "image_id"]


class SourceCheck(BaseModel):
    """What is not as it was when the run drew its images, which are named source/image."""

    model_config = _FROZEN

    n: int
    absent: dict[str, str] = {}
    """Sources that cannot be read, with the reason."""
    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    drawn_otherwise: int = 0
    """Images that the same experiment would draw, or put on another side of the split, where the run did not."""

    @property
    def is_same(self) -> bool:
        return not (self.absent or self.missing or self.changed or self.drawn_otherwise)

    def words(self) -> Iterator[str]:
        """A sentence for each thing that is not as it was."""
        for name, reason in self.absent.items():
            yield f"Source {clip(name)} cannot be read: {reason}"
        for what, names in (("missing", self.missing), ("changed", self.changed)):
            if names:
                more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
                verb = "is" if len(names) == 1 else "are"
                yield f"{len(names)} of {self.n} images {verb} {what}: {', '.join(map(clip, names[:_NAMED]))}{more}."
        if self.drawn_otherwise:
            yield f"{self.drawn_otherwise} images would be drawn otherwise: the sources hold other images than then."


def check_sources(store: Store, run: Run) -> SourceCheck:
    """Hash every image that the run drew, and draw again. Raises `MissingArtifact` without the run's samples."""
    from covaudit.sources.index import read_index

    drawn = results.samples(store, run)
    tables: dict[str, Any] = {}
    absent: dict[str, str] = {}
    for name in dict.fromkeys(drawn["source"].astype(str)):
        try:
            source = source_table.get(store, name)
            tables[name] = read_index(source, store.index_cache, store.settings.roots).table
        except CovauditError as error:
            absent[name] = str(error)
    missing, changed = [], []
    for name, table in tables.items():
        now = table.set_index("image_id")
        for row in drawn[drawn["source"] == name].drop_duplicates("image_id").to_dict("records"):
            title = f"{name}/{row['image_id']}"
            if row["image_id"] not in now.index:
                missing.append(title)
            elif _hash_now(now.loc[row["image_id"]]) != row["sha256"]:
                changed.append(title)
    otherwise = 0 if absent or missing or changed else _drawn_otherwise(store, run, drawn, tables)
    n = len(drawn.drop_duplicates(_IMAGE))
    return SourceCheck(n=n, absent=absent, missing=tuple(missing), changed=tuple(changed), drawn_otherwise=otherwise)


def _hash_now(row: "pd.Series[Any]") -> str:
    """From the bytes themselves: the index trusts a file whose size and time of change are as before."""
    path = Path(str(row["path"]))
    try:
        return artifacts.sha256_of(path) if path.is_file() else str(row["sha256"])
    except OSError:
        return ""


def _drawn_otherwise(store: Store, run: Run, drawn: "pd.DataFrame", tables: "Mapping[str, pd.DataFrame]") -> int:
    from covaudit.sources.duplicates import families
    from covaudit.sources.roles import ROLES
    from covaudit.sources.sampling import choose

    n_folds = run.experiment.n_folds
    try:
        tables = families(dict(tables), store.index_cache)
        again = [choose(run.experiment, tables, fold).table.assign(fold=fold) for fold in range(n_folds)]
    except CovauditError:
        return len(drawn)
    then = _places(drawn, n_folds, ROLES in drawn)
    now = {place for table in again for place in _places(table, n_folds, ROLES in drawn)}
    unreadable = {place[:2] for place in then if place[-1] == "dropped"}  # drawn, and then not opened: in no split
    return len({place[:2] for place in then ^ now} - unreadable)


def _places(table: "pd.DataFrame", n_folds: int, is_exact: bool) -> set[tuple[Any, ...]]:
    """(source, image, split), of several folds (source, image, fold, split).

    The pooled table of an older run holds each image once, as `train`, with the fold that tests it; then that fold
    stands for its split, as it does in the table of a fold."""
    from covaudit.sources.roles import ABSENT, ROLES, roles_of

    if ROLES in table:
        images = zip(table["source"], table["image_id"], roles_of(table), strict=True)
        return {(*image, fold, role) for *image, roles in images for fold, role in enumerate(roles) if role != ABSENT}
    if is_exact:
        return set(zip(table["source"], table["image_id"], table["fold"], table["split"], strict=True))
    split = table["split"]
    if n_folds > 1:
        tested = "internal" if (split == "internal").any() else "train"
        table = table[split.isin([tested, "external", "dropped"])]
        split = table["split"].where(table["split"] != tested, table["fold"].astype(str).str.removesuffix(".0"))
    return set(zip(table["source"], table["image_id"], split, strict=True))
