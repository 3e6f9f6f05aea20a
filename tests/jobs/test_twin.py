"""The label-shuffled twin: trained on the run's images, kept with the run, cancelled and refused in words."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from covaudit.domain.presets import PRESETS
from covaudit.errors import BadState
from covaudit.explain.heatmaps import describe_network
from covaudit.jobs import twin
from covaudit.jobs.errands import sanity_of, watch
from covaudit.store import artifacts, results, runs
from covaudit.store.results import finite
from covaudit.training.network_file import weights_bytes
from models.registry import build_network

SIZE, N = 128, 32


@pytest.fixture
def run_id(store):
    """A finished run of the light network on squares: bright ones for CVP."""
    experiment = PRESETS["demo-single"]
    with store.engine.begin() as connection:
        runs.create(connection, experiment)
    attempt = runs.claim(store, experiment.id, "cpu")
    folder = artifacts.run_folder(store, experiment.id, attempt)
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    classes = experiment.task.classes
    network = build_network("efficient", len(classes), image_size=SIZE)
    (folder / "weights.safetensors").write_bytes(weights_bytes(network))
    (folder / "network.json").write_text(describe_network(network, "efficient", classes, SIZE).model_dump_json())
    draws = np.random.default_rng(0)
    np.save(folder / "pixels.npy", draws.integers(0, 255, (N, SIZE, SIZE)).astype(np.uint8))
    label = np.where(np.arange(N) % 2, "CVP", "NOR")
    names = [str(experiment.task.class_of(one)) for one in label]
    split = np.where(np.arange(N) < 16, "train", np.where(np.arange(N) < 20, "val", "internal"))
    samples = pd.DataFrame({"source": "phantom-a", "image_id": np.arange(N).astype(str), "label": label})
    samples = samples.assign(patient=samples["image_id"], class_name=names, split=split)
    samples.to_parquet(folder / "samples.parquet")
    tested = samples[samples["split"] == "internal"].assign(heat_target=classes[0], sample_row=np.arange(20, N))
    tested.assign(heatmap_row=np.arange(N - 20)).to_parquet(folder / "predictions.parquet")
    results.write_outcome(store, experiment.id, attempt, results.Outcome(), [])
    return experiment.id


@pytest.mark.slow
def test_a_twin_is_trained_and_its_outcome_kept(store, run_id, monkeypatch) -> None:
    trained, fit = [], twin.fit

    def watched(network, data, training, *rest):
        trained.append((data, training))
        return fit(network, data, training, *rest)

    monkeypatch.setattr(twin, "fit", watched)
    told = []
    found = twin.check_methods(
        store, run_id, ["hires-cam", "guided-backprop"], 2, on_progress=lambda *at: told.append(at)
    )
    ((data, training),) = trained
    truth = pd.factorize(results.samples(store, runs.get(store, run_id))["class_name"])[0]
    assert training.epochs == 2 and data.train.tolist() == list(range(16))
    assert sorted(data.targets[data.train]) == sorted(truth[data.train])  # as many of each class
    assert data.targets[data.train].tolist() != truth[data.train].tolist()
    assert data.targets[20:].tolist() == truth[20:].tolist()
    assert told[-1][0] == told[-1][1] > 0
    assert found["twin"]["n"] == 16 and 0 <= found["twin"]["accuracy_on_shuffled_labels"] <= 1
    for one in found["methods"].values():
        for part in ("cascade", "twin"):
            assert one[part]["n"] == 12 and one[part]["low"] <= one[part]["value"] <= one[part]["high"]
    assert results.sanity(store, runs.get(store, run_id)) == json.loads(json.dumps(finite(found)))
    assert watch(store, sanity_of(run_id)) is None


def test_what_cannot_be_tested_is_refused(store, run_id) -> None:
    several = PRESETS["demo-single"].model_copy(
        update={"split": PRESETS["demo-single"].split.model_copy(update={"folds": 3}), "seed": 9}
    )
    with store.engine.begin() as connection:
        runs.create(connection, several)
    with pytest.raises(BadState, match="Only a run that is done"):
        twin.check_methods(store, several.id, ["hires-cam"])
    assert results.sanity(store, runs.get(store, run_id)) == {}
