"""Which patients the phantom sources are made of."""

import pytest

from covaudit.sources import phantom
from covaudit.sources.readers.phantoms import N_PATIENTS, parse, seed_of


def test_seeds_differ_over_all_sources_and_labels():
    seeds = {
        seed_of(source, label, number)
        for source in phantom.STYLES
        for label in phantom.LABELS
        for number in range(N_PATIENTS)
    }
    assert len(seeds) == len(phantom.STYLES) * 4 * 300


def test_paths():
    assert parse("phantom:phantom-a/CVP/17") == ("phantom-a", "CVP", 17)
    for bad in ("phantom:phantom-a/CVP", "phantom:phantom-a/CVP/x", "phantom:"):
        with pytest.raises(ValueError):
            parse(bad)
