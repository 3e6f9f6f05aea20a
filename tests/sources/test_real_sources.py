"""The real collections where they are beside the project: counts as their README says, every image decodes."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from covaudit.domain.experiment import Experiment
from covaudit.sources.catalog import add_source, find_reader
from covaudit.sources.index import read_index
from covaudit.sources.radiograph import open_radiograph
from covaudit.sources.sampling import choose

pytestmark = pytest.mark.data

COUNTS = {
    "cxri": {"NOR": 971, "OBP": 1810, "OVP": 958},
    "chestxray8": {"NOR": 368, "NCP": 355},
    "cidc": {"CVP": 82},
    "hannover": {"CVP": 167},
    "figure1": {"CVP": 35},
    "mgc": {"CVP": 349, "NCV": 397},
}
DROPPED = {"figure1": {"no finding is given": 15, "a finding other than COVID-19": 5}}
PATIENTS = {"cxri": 1893, "chestxray8": 485, "cidc": 55, "hannover": 48}


@pytest.fixture(scope="module")
def index_of(tmp_path_factory):
    """Each collection is looked at once."""
    cache = tmp_path_factory.mktemp("cache")
    return lambda folder: read_index(add_source(folder.name, folder), cache)


@pytest.mark.parametrize("name", COUNTS)
def test_counts(shared, name, index_of):
    folder = shared / "data" / name
    assert find_reader("a name that says nothing", folder) == name
    table, dropped, *_ = index_of(folder)
    assert table["label"].value_counts().to_dict() == COUNTS[name]
    assert dropped == DROPPED.get(name, {})
    assert table["image_id"].is_unique and table["patient"].ne("").all()
    assert table["patient"].nunique() == PATIENTS.get(name, table["patient"].nunique())
    assert table["mask_path"].notna().sum() == (37 if name == "cidc" else 0)  # of 82, see cidc_masks.py


@pytest.mark.parametrize("name", ["chestxray8", "cidc", "hannover", "figure1", "mgc"])
def test_every_image_decodes(shared, name, index_of):
    table = index_of(shared / "data" / name).table
    with ThreadPoolExecutor(2) as pool:
        shapes = list(pool.map(lambda row: open_radiograph(row).pixels.shape, table.to_dict("records")))
    assert shapes == list(zip(table["height"], table["width"], strict=True))


def test_lung_masks_lie_on_their_images(shared, index_of):
    table = index_of(shared / "data" / "cidc").table
    table = table[table["mask_path"].notna()]
    shares = [open_radiograph(row).lung_mask.mean() for row in table.to_dict("records")]
    assert min(shares) > 0.05 and max(shares) < 0.8


def test_the_single_set_up_of_the_paper(shared, index_of):
    tables = {name: index_of(shared / "data" / name).table for name in ("cxri", "cidc")}
    asked = Experiment.from_plain(
        {
            "name": "single",
            "task": "CL2",
            "train": [{"source": "cxri", "label": "NCV", "limit": 1000}, {"source": "cidc", "label": "CVP"}],
        }
    )
    table = choose(asked, tables).table
    assert table["class_name"].value_counts().to_dict() == {"NCV": 1000, "CVP": 82}
    assert table.groupby(["source", "patient"])["split"].nunique().max() == 1
    shares = table.groupby("class_name")["split"].value_counts(normalize=True)
    assert shares["NCV", "train"] == pytest.approx(0.6, abs=0.01)
    assert shares["CVP", "train"] == pytest.approx(0.6, abs=0.05)
