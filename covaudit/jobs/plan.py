"""What a run would be made of, before it is queued: images by split and class, what is left out, what leaks."""

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from covaudit.domain.experiment import Experiment
from covaudit.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from covaudit.sources.leakage import Leakage

_KEPT = 24
_WITH_FAMILIES = 20_000  # images; of more, near duplicates are looked for when the run begins, not while a page waits
_MATTERS = ("task", "train", "test", "sampling", "split", "seed")


class Plan(NamedTuple):
    """Images of one fold by (split, class), those left out by reason, and what is on more than one side."""

    counts: dict[tuple[str, str], int]
    dropped: dict[str, int]
    leakage: "Leakage"


# The last plans, with the tables that they were made from: a page asks for the same one at every drawing.
_plans: "dict[str, tuple[tuple[pd.DataFrame, ...], Plan]]" = {}


def plan(store: Store, experiment: Experiment, fold: int = 0) -> Plan:
    """The plan of one fold. Raises `CovauditError` where the experiment cannot be run; leakage is told, not refused."""
    from covaudit.jobs.submit import index_of
    from covaudit.sources.duplicates import families
    from covaudit.sources.leakage import find_leakage
    from covaudit.sources.sampling import choose
    from covaudit.store import sources as source_table

    names = dict.fromkeys((*experiment.train.sources(), *experiment.test.sources()))
    tables = {name: index_of(store, source_table.get(store, name)).table for name in names}
    key = _key(store, experiment, fold)
    made_from, found = _plans.get(key, ((), None))
    if found is not None and len(made_from) == len(tables) and all(map(_is, made_from, tables.values())):
        return found
    few = sum(map(len, tables.values())) <= _WITH_FAMILIES
    samples = choose(experiment, families(tables, store.index_cache) if few else tables, fold)
    cells = samples.table.value_counts(["split", "class_name"]).items()
    counts = {(str(split), str(name)): int(n) for (split, name), n in cells}
    found = Plan(counts, samples.dropped, find_leakage(samples.table))
    if len(_plans) >= _KEPT:
        _plans.pop(next(iter(_plans)))
    _plans[key] = tuple(tables.values()), found
    return found


def _is(one: Any, other: Any) -> bool:
    return one is other


def _key(store: Store, experiment: Experiment, fold: int) -> str:
    plain = experiment.model_dump(mode="json", include=set(_MATTERS))
    return json.dumps([str(store.workspace), fold, plain], sort_keys=True)
