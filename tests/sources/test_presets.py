"""The presets on synthetic sources of the printed sizes: every split has the printed size."""

import pandas as pd
import pytest

from covaudit.domain.presets import PRESETS
from covaudit.domain.setups import COLLECTION_OF, SETUPS
from covaudit.sources.sampling import choose

LABELS = {"NCV": ("NOR", "OBP"), "NCP": ("OBP", "OVP")}


def tables_of(name, make_table):
    """One patient an image; the images of a class evenly from its sources, of the labels below it."""
    parts: dict[str, list[pd.DataFrame]] = {}
    for one in SETUPS[name].classes:
        for sources, n in ((one.sources, one.n), (one.test_sources, one.sizes[2])):
            cells = [
                (COLLECTION_OF[source], label) for source in sources for label in LABELS.get(one.name, (one.name,))
            ]
            for place, (source, label) in enumerate(cells):
                size = n * (place + 1) // len(cells) - n * place // len(cells)
                parts.setdefault(source, []).append(make_table(source, label, [1] * size, prefix=f"{one.name}-"))
    return {source: pd.concat(tables, ignore_index=True) for source, tables in parts.items()}


@pytest.mark.parametrize("name", [name for name in SETUPS if not name.startswith("albert")])
def test_the_sizes_of_paper_one(name, make_table):
    samples = choose(PRESETS[name], tables_of(name, make_table))
    counts = samples.table.value_counts(["class_name", "split"]).to_dict()
    for one in SETUPS[name].classes:
        found = tuple(counts[one.name, split] for split in ("train", "val"))
        assert found == one.sizes[:2]
        assert counts[one.name, "external" if one.test_sources else "internal"] == one.sizes[2]


def test_the_sizes_of_paper_two(make_table):
    """448 of 700 and so on; of 58 the paper's two cuts leave 36, 10 and 12, shares of 0.64 and 0.16 37, 9 and 12."""
    table = pd.concat([make_table("coronahack", one.name, [1] * one.n) for one in SETUPS["albert-a"].classes])
    counts = choose(PRESETS["albert-a"], {"coronahack": table}).table.value_counts(["label", "split"]).to_dict()
    for one in SETUPS["albert-a"].classes[:3]:
        assert tuple(counts[one.name, split] for split in ("train", "val", "internal")) == one.sizes
    assert tuple(counts["CVP", split] for split in ("train", "val", "internal")) == (37, 9, 12)
