"""Evidence with planted truth: phantoms whose class goes with the source, or does not, and networks made by hand."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from covaudit.audit.evidence import Evidence, Predict
from covaudit.domain.estimate import Estimate
from covaudit.domain.experiment import Experiment
from covaudit.domain.presets import PRESETS
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
        opened = [open_radiograph(row) for row in samples.to_dict("records")]
        regions = np.stack([region_bits(image, SIZE) for image in opened])
        chosen = np.flatnonzero(samples["split"] == "internal")
        small = experiment.model_copy(update={"training": experiment.training.model_copy(update={"image_size": SIZE})})
        found = predict(np.stack([scale(opened[row].pixels, SIZE) for row in chosen]))
        predictions = samples.iloc[chosen].drop(columns=["path", "mask_path"]).reset_index(drop=True)
        predictions["predicted"] = np.asarray(small.task.classes)[found.argmax(axis=1)]
        predictions["sample_row"] = chosen
        draws = np.random.default_rng(0)
        for column, mean in (heat or {}).items():
            predictions[column] = np.clip(draws.normal(mean, 0.05, len(predictions)), 0, 1)
        for column in {"on_markers", "outside_lungs"} - set(heat or {}):
            predictions[column] = np.nan
        predictions["on_markers_area"], predictions["outside_lungs_area"] = 0.1, 0.7
        return Evidence(small, samples, predictions, estimates or [], regions, predict)

    return make
