"""Evidence with planted truth: phantoms whose class goes with the source, or does not, and networks made by hand."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from covaudit.audit.evidence import Evidence, Predict
from covaudit.domain.estimate import Estimate
from covaudit.domain.experiment import Experiment
from covaudit.domain.presets import PRESETS
from covaudit.domain.regions import LUNG, LUNGS_KNOWN, MARKER, MARKERS_KNOWN
from covaudit.explain.regions import Shares, measure_shares
from covaudit.sources.radiograph import open_radiograph
from covaudit.training.prepare import region_bits, scale

SIZE = 64
PATIENTS = 16


def samples_of(cells: list[tuple[str, str, str]]) -> pd.DataFrame:
    """`PATIENTS` phantoms in each of the splits train and internal for each (source, label, class)."""
    rows = []
    for source, label, class_name in cells:
        for number in range(2 * PATIENTS):
            split = "train" if number < PATIENTS else "internal"
            path = f"phantom:{source}/{label}/{number}"
            rows.append((source, f"{label}-{number}", f"{label}-{number}", path, None, label, class_name, split))
    columns = ["source", "image_id", "patient", "path", "mask_path", "label", "class_name", "split"]
    return pd.DataFrame(rows, columns=columns)


MIXTURES = {
    "single": [("phantom-a", "NOR", "NCV"), ("phantom-b", "CVP", "CVP")],
    "crossed": [(source, label, "NCV" if label == "NOR" else label) for source in ("phantom-a", "phantom-b")
                for label in ("NOR", "CVP")],
}  # fmt: skip


def reads_bright_corner(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """CVP where the upper right corner is brighter than the upper left: the marker of phantom-b against phantom-a's."""
    side = images.shape[-1] // 4
    score = (images[:, :side, -side:].max(axis=(1, 2)) > 200).astype(np.float32) * 0.9 + 0.05
    return np.stack([1 - score, score], axis=1)


def always_first(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """NCV whatever is shown."""
    return np.tile(np.array([0.9, 0.1], np.float32), (len(images), 1))


NETWORKS: dict[str, Predict] = {"reads the corner": reads_bright_corner, "constant": always_first}


@cache
def _drawn(path: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Grey levels and region bits of a phantom, (SIZE, SIZE) each."""
    opened = open_radiograph({"path": path})
    return scale(opened.pixels, SIZE), region_bits(opened, SIZE)


@pytest.fixture
def make_evidence() -> Callable[..., Evidence]:
    def make(
        mixture: str = "single",
        network: str = "constant",
        estimates: list[Estimate] | None = None,
        heat: dict[str, float] | None = None,
        experiment: Experiment = PRESETS["demo-single"],
    ) -> Evidence:
        samples, predict = samples_of(MIXTURES[mixture]), NETWORKS[network]
        drawn = [_drawn(path) for path in samples["path"]]
        regions = np.stack([bits for _, bits in drawn])
        chosen = np.flatnonzero(samples["split"] == "internal")
        small = experiment.model_copy(update={"training": experiment.training.model_copy(update={"image_size": SIZE})})
        films = np.stack([pixels for pixels, _ in drawn])
        found = predict(films[chosen])
        predictions = samples.iloc[chosen].drop(columns=["path", "mask_path"]).reset_index(drop=True)
        predictions["predicted"] = np.asarray(small.task.classes)[found.argmax(axis=1)]
        predictions["sample_row"] = chosen
        for number, name in enumerate(small.task.classes):
            predictions[f"p_{name}"] = found[:, number]
        draws = np.random.default_rng(0)
        for column, mean in (heat or {}).items():
            predictions[column] = np.clip(draws.normal(mean, 0.05, len(predictions)), 0, 1)
        for column in {"on_markers", "outside_lungs"} - set(heat or {}):
            predictions[column] = np.nan
        predictions["on_markers_area"], predictions["outside_lungs_area"] = 0.1, 0.7
        return Evidence(small, samples, predictions, estimates or [], films, regions, predict)

    return make


class Planted(NamedTuple):
    """Films whose every cue is known: lungs whiter for CVP, and a marker and a border of the source."""

    side: int = 64
    n: int = 80

    def lungs(self) -> NDArray[np.bool_]:
        y, x = np.mgrid[: self.side, : self.side] / self.side
        return np.any([((x - c) / 0.13) ** 2 + ((y - 0.5) / 0.25) ** 2 < 1 for c in (0.32, 0.68)], axis=0)

    def film(self, is_sick: bool, is_second: bool, draws: np.random.Generator) -> NDArray[np.uint8]:
        film = draws.normal(110, 8, (self.side, self.side))
        film += np.kron(draws.normal(0, 15, (16, 16)), np.ones((4, 4)))  # every patient looks different
        film[self.lungs()] -= 50 - 40 * is_sick
        ring = np.ones(film.shape, bool)
        ring[4:-4, 4:-4] = False
        film[ring] = 60 if is_second else 10
        film[self.box(is_second)] = 250
        return np.clip(film, 0, 255).astype(np.uint8)

    def box(self, is_second: bool) -> tuple[slice, slice]:
        return np.s_[6:14, -14:-6] if is_second else np.s_[6:14, 6:14]


def _squash(score: NDArray[np.floating]) -> NDArray[np.float32]:
    p = (1 / (1 + np.exp(-np.clip(score, -6, 6)))).astype(np.float32)
    return np.stack([1 - p, p], axis=1)


def _reads_lungs(films: NDArray[np.uint8]) -> NDArray[np.float32]:
    return _squash((films[:, Planted().lungs()].mean(axis=1) - 80) / 5)


def _reads_marker(films: NDArray[np.uint8]) -> NDArray[np.float32]:
    right = films[:, *Planted().box(True)].mean(axis=(1, 2))
    return _squash((right - 170) / 15)


def _reads_border(films: NDArray[np.uint8]) -> NDArray[np.float32]:
    return _squash((films[:, :3].mean(axis=(1, 2)) - 35) / 5)


READERS: dict[str, Predict] = {"lungs": _reads_lungs, "marker": _reads_marker, "border": _reads_border}


@pytest.fixture
def plant() -> Callable[..., Evidence]:
    """Evidence of a network that reads one thing, on films where the source gives the class away, or does not."""

    def make(reads: str, seed: int, tied: bool = True, hot: str = "lungs") -> Evidence:
        planted, draws = Planted(), np.random.default_rng(seed)
        rows, films, bits = [], [], []
        for number in range(2 * planted.n):
            is_sick = bool(number % 2)
            is_second = is_sick if tied else bool((number // 2) % 2)
            name, source = ("CVP" if is_sick else "NCV"), ("second" if is_second else "first")
            split = "train" if number < planted.n else "internal"
            sex = "F" if draws.random() < 0.5 else "M"
            rows.append((source, f"i{number}", f"p{number}", f"h{number}", sex, name, name, split))
            films.append(planted.film(is_sick, is_second, draws))
            mark = np.where(planted.lungs(), LUNG, 0).astype(np.uint8) | np.uint8(LUNGS_KNOWN | MARKERS_KNOWN)
            mark[planted.box(is_second)] |= MARKER
            bits.append(mark)
        columns = ["source", "image_id", "patient", "sha256", "sex", "label", "class_name", "split"]
        samples, pixels = pd.DataFrame(rows, columns=columns), np.stack(films)
        tested = np.flatnonzero(samples["split"] == "internal")
        found = READERS[reads](pixels[tested])
        experiment = PRESETS["demo-single"].model_copy(update={"seed": seed})
        predictions = samples.iloc[tested].reset_index(drop=True)
        predictions["predicted"] = np.asarray(experiment.task.classes)[found.argmax(axis=1)]
        for place, name in enumerate(experiment.task.classes):
            predictions[f"p_{name}"] = found[:, place]
        predictions["sample_row"], predictions["heatmap_row"] = tested, np.arange(len(tested))
        regions = np.stack(bits)
        heat = (regions[tested] & (LUNG if hot == "lungs" else MARKER) > 0).astype(np.uint8) * 200
        shares = np.array([measure_shares(one, region, 1) for one, region in zip(heat, regions[tested], strict=True)])
        predictions[list(Shares._fields)] = shares
        return Evidence(experiment, samples, predictions, [], pixels, regions, READERS[reads], heat, 1.0)

    return make
