"""The papers' set-ups as printed, and what is here of them."""

import pytest

from covaudit.domain.presets import OPEN, PRESETS, fit, missing
from covaudit.domain.setups import COLLECTION_OF, SETUPS
from covaudit.domain.source import Source
from covaudit.papers import printed


def test_all_twelve_set_ups_are_presets() -> None:
    assert set(SETUPS) <= set(PRESETS) and len(SETUPS) == 12


@pytest.mark.parametrize("setup", printed.setups(), ids=lambda setup: setup.name)
def test_paper_one_is_as_in_the_record_of_what_is_printed(setup: printed.Setup) -> None:
    ours = SETUPS[setup.name.lower()]
    assert ours.title == setup.name and {one.name: list(one.sizes) for one in ours.classes} == setup.split
    for one in ours.classes:
        assert list(one.sources) == setup.sources_train[one.name]
        count = setup.classes[one.name]
        assert one.n == (count if isinstance(count, int) else count[0])
        assert list(one.test_sources) == (setup.sources_test or {}).get(one.name, [])
    accuracy = [number for number in setup.printed["accuracy"] if number is not None]
    assert [float(number) for number in ours.reported.split(" ± ")] == accuracy


@pytest.mark.parametrize("name", SETUPS)
def test_presets_draw_what_is_printed(name: str) -> None:
    preset, setup = PRESETS[name], SETUPS[name]
    for one in setup.classes:
        drawn = {c.source for c in preset.train.components() if c.label == one.name}
        assert drawn == {COLLECTION_OF[source] for source in one.sources}
        tested = {(c.source, c.limit) for c in preset.test.components() if c.label == one.name}
        assert tested == {(COLLECTION_OF[source], one.sizes[2]) for source in one.test_sources}
    assert preset.n_folds == (5 if "single" in name or "multiple" in name else 1)


def test_what_is_missing_is_told_and_what_is_here_under_another_name_is_found() -> None:
    known = [Source(name="children", reader="cxri", path="/x"), Source(name="cidc", reader="cidc", path="/y")]
    assert missing(PRESETS["cxr-single-cl2"], known) == ()
    assert missing(PRESETS["cxr-multiple-cl2"], known) == ("chestxray8", "ccxri", "bimcv")
    assert missing(PRESETS["cxr-single-cl2"], []) == ("cxri", "cidc")
    fitted = fit(PRESETS["cxr-single-cl2"], known)
    assert fitted.train.sources() == ("children", "cidc") and fitted.sampling == PRESETS["cxr-single-cl2"].sampling
    assert fit(PRESETS["cxr-single-cl2"], known[1:]) == PRESETS["cxr-single-cl2"]


def test_open_presets_name_their_set_up() -> None:
    for name in PRESETS:
        if name.endswith(OPEN):
            assert SETUPS[name.removesuffix(OPEN)].title in PRESETS[name].name
