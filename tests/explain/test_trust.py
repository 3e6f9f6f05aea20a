"""The trust panel: what an answer rests on and what an image looks like, on films whose truth is known."""

from collections.abc import Callable, Sequence
from functools import cache
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from numpy.typing import NDArray

from covaudit.domain.task import TASKS
from covaudit.domain.training import Preparation
from covaudit.explain import predict_image
from covaudit.explain.heatmaps import ClassMaps, describe_network
from covaudit.explain.predict_image import ImagePrediction, predict_images
from covaudit.explain.trust import cautions, contradictions, look_alike
from covaudit.sources.phantom import STYLES, Phantom, render
from covaudit.sources.phantom.anatomy import whole_lungs
from covaudit.sources.phantom.patient import make_patient
from covaudit.training.network_file import weights_bytes
from covaudit.training.prepare import scale
from models.registry import build_network

SIDE, N = 128, 14
Bytes = NDArray[np.uint8]


@cache
def phantom(label: str, seed: int, source: str) -> Phantom:
    return render(label, seed, STYLES[source], SIDE)


def noise(seed: int = 0) -> Bytes:
    return np.random.default_rng(seed).integers(0, 255, (SIDE, SIDE), dtype=np.uint8)


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """A run folder with `N` train films of each source (NOR of the first, CVP of the others) and one more in val."""

    def make(sources: Sequence[str] = ("phantom-a", "phantom-b"), task: str = "CL2", **columns: Any) -> Path:
        rows, films = [], []
        for place, source in enumerate(sources):
            label = "CVP" if place else "NOR"
            for number in range(N + 1):
                rows.append((source, f"{label}-{number}", label, "train" if number < N else "val"))
                films.append(phantom(label, 100 * place + number, source).image)
        table = pd.DataFrame(rows, columns=["source", "image_id", "class_name", "split"]).assign(**columns)
        table.to_parquet(tmp_path / "samples.parquet")
        np.save(tmp_path / "pixels.npy", np.stack(films))
        plain = {"task": TASKS[task].model_dump(mode="json")}
        (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(plain))
        return tmp_path

    return make


def test_the_nearest_training_image_is_the_one_that_was_changed_a_little(make_run: Callable[..., Path]) -> None:
    folder = make_run()
    for row in (3, N + 1 + 5):
        film = np.load(folder / "pixels.npy")[row]
        near = look_alike(folder, np.clip(film.astype(int) + 2, 0, 255).astype(np.uint8), 0).neighbours
        samples = pd.read_parquet(folder / "samples.parquet")
        assert (near[0].row, near[0].source, near[0].image_id) == (row, *samples.loc[row, ["source", "image_id"]])
        assert near[0].class_name == ("CVP" if row > N else "NOR")
        assert len({one.row for one in near}) == len(near) == 3


def test_an_image_of_validation_is_no_training_image(make_run: Callable[..., Path]) -> None:
    folder = make_run()
    held_out = np.load(folder / "pixels.npy")[N]
    assert N not in [one.row for one in look_alike(folder, held_out, 0).neighbours]


def test_in_a_run_with_folds_every_image_trains_some_network(make_run: Callable[..., Path]) -> None:
    folder = make_run(split="internal", roles="train,internal")
    film = np.load(folder / "pixels.npy")[N]
    assert look_alike(folder, film, 0).neighbours[0].row == N


@pytest.mark.parametrize("source", ["phantom-a", "phantom-b"])
def test_an_image_looks_like_its_source_whatever_its_class(make_run: Callable[..., Path], source: str) -> None:
    """Twelve patients that were not trained on, half of them with the class that the other source has."""
    folder = make_run()
    told = [look_alike(folder, phantom(("NOR", "CVP")[seed % 2], 900 + seed, source).image, 0) for seed in range(12)]
    near = [one for one in told if not one.is_far]
    assert len(near) >= 9
    assert sum(one.source == source for one in near) >= len(near) - 1
    assert all(0.5 <= one.p <= 1 for one in near)
    assert all(one.source == "" and isnan(one.p) for one in told if one.is_far)


def test_of_one_source_no_source_is_told(make_run: Callable[..., Path]) -> None:
    alike = look_alike(make_run(["phantom-a"]), phantom("NOR", 900, "phantom-a").image, 0)
    assert alike.source == "" and isnan(alike.p) and len(alike.neighbours) == 3


def test_what_is_unlike_the_training_images_is_called_far_and_what_is_like_them_is_not(
    make_run: Callable[..., Path],
) -> None:
    folder = make_run()
    typical = [phantom(("NOR", "CVP")[seed % 2], 900 + seed, f"phantom-{'ab'[seed % 2]}").image for seed in range(20)]
    strange = [noise(), np.zeros((SIDE, SIDE), np.uint8), 255 - typical[0], typical[0][::-1], typical[0].T.copy()]
    assert all(look_alike(folder, film, 0).is_far for film in strange)
    assert {look_alike(folder, film, 0).source for film in strange} == {""}
    assert sum(look_alike(folder, film, 0).is_far for film in typical) <= 3


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ((1, 0, 0, 0, 0), None),
        ((0, 1, 1, 0, 1), None),
        ((1, 1, 0, 0, 0), "Normal + Pneumonia"),
        ((0, 1, 0, 0, 1), "Pneumonia + COVID"),
        ((0, 0, 0, 0, 0), "none of the classes"),
    ],
)
def test_answers_that_no_label_has_contradict_each_other(
    make_run: Callable[..., Path], said: tuple[int, ...], words: str | None
) -> None:
    """ML5: Normal, Pneumonia, Virus, Bacteria, COVID; normal 10000, virus 01100, bacteria 01010, COVID-19 01101."""
    found = contradictions(make_run(task="ML5"), np.array(said, np.float32) * 0.8 + 0.1, 0)
    assert (found == ()) if words is None else found[0].endswith(f"no label of the task is {words}.")


def test_a_task_with_one_class_an_image_cannot_contradict_itself(make_run: Callable[..., Path]) -> None:
    assert contradictions(make_run(), np.array([0.5, 0.5], np.float32), 0) == ()


def test_cautions_come_gravest_first() -> None:
    assert cautions(True, False, ()) == ()
    said = cautions(False, True, ["contradiction"])
    assert [one.split(".")[0] for one in said] == [
        "No lungs were found", "The image looks unlike everything that the network was trained on", "contradiction",
    ]  # fmt: skip


# -- with a network that reads one thing ------------------------------------------------------------------------------


def _reads(what: str, films: Bytes) -> NDArray[np.float32]:
    """Logits: CVP where the marker of phantom-b is, or where the middle of the lungs is white."""
    corner, lungs = np.s_[:, : SIDE // 4, -SIDE // 3 :], np.s_[:, 50:80, 25:50]
    score = films[corner].max(axis=(1, 2)) > 200 if what == "marker" else films[lungs].mean(axis=(1, 2)) > 90
    return np.stack([-2.0 + 4 * ~score, -2.0 + 4 * score], axis=1).astype(np.float32)


@pytest.fixture
def ask(make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[ImagePrediction | str]]:
    """Answers of a network that reads one thing, with the left half hot."""

    def answer(what: str, films: Sequence[Bytes], lungs: str = "as they are") -> list[ImagePrediction | str]:
        network = build_network("efficient", 2, image_size=SIDE)
        described = describe_network(network, "efficient", ("NCV", "CVP"), SIDE)
        described = described.model_copy(update={"preparation": Preparation.model_validate({"lungs": lungs})})
        heat = np.zeros((8, 8), np.uint8)
        heat[:, :4] = 255
        for name, instead in {
            "loaded_network": lambda folder, device: (network, described),
            "predict_logits": lambda network, films, rows, device: _reads(what, films[rows]),
            "explain_classes": lambda network, described, films, rows, device: ClassMaps(_reads(what, films[rows]), ()),
            "choose_maps": lambda maps, described, targets: np.stack([heat] * len(targets)),
        }.items():
            monkeypatch.setattr(predict_image, name, instead)
        return predict_images(make_run(), [(f"film {place}", film) for place, film in enumerate(films)], "cpu")

    return answer


def test_an_answer_that_rests_on_the_marker_goes_with_the_marker(ask: Callable[..., list[ImagePrediction]]) -> None:
    (found,) = ask("marker", [phantom("NOR", 901, "phantom-b").image])
    assert found.predicted == "CVP"
    assert found.trust.without_markers is not None and found.trust.without_lungs is not None
    assert found.trust.without_markers.argmax() == 0
    assert found.trust.without_lungs == pytest.approx(found.probabilities)


def test_an_answer_that_rests_on_the_lungs_goes_with_the_lungs(ask: Callable[..., list[ImagePrediction]]) -> None:
    films = [phantom("CVP", seed, "phantom-b").image for seed in range(901, 911)]
    sick = [one for one in ask("lungs", films) if one.predicted == "CVP"]
    assert sick
    for one in sick:
        assert one.trust.without_lungs is not None and one.trust.without_lungs.argmax() == 0
        assert one.trust.without_markers is None or one.trust.without_markers == pytest.approx(one.probabilities)


def test_the_contour_is_that_of_the_lungs_and_heat_beside_them_is_counted(
    ask: Callable[..., list[ImagePrediction]],
) -> None:
    trust = ask("marker", [phantom("NOR", 902, "phantom-a").image])[0].trust
    truth = whole_lungs(make_patient(902), SIDE)
    assert 2 * (trust.lungs & truth).sum() / (trust.lungs.sum() + truth.sum()) > 0.85
    # Half of the film is hot, but for the smoothing at its edge.
    left = ~trust.lungs[:, : SIDE // 2]
    assert trust.outside_lungs == pytest.approx(left.mean(), abs=0.03)


def test_where_no_lungs_are_found_nothing_is_said_of_them(ask: Callable[..., list[ImagePrediction]]) -> None:
    trust = ask("marker", [noise()])[0].trust
    assert isnan(trust.outside_lungs) and not trust.lungs.any()
    assert trust.without_lungs is None and trust.without_markers is None
    assert trust.cautions[0].startswith("No lungs were found.")


@pytest.mark.parametrize("lungs", ["crop", "mask"])
def test_an_image_without_lungs_stops_no_other_where_the_network_is_given_the_lungs(
    ask: Callable[..., list[ImagePrediction | str]], lungs: str
) -> None:
    films = [phantom("NOR", 903, "phantom-a").image, noise(), phantom("CVP", 904, "phantom-b").image]
    first, refused, last = ask("marker", films, lungs)
    assert isinstance(first, ImagePrediction) and isinstance(last, ImagePrediction)
    assert (first.name, last.name) == ("film 0", "film 2")
    assert isinstance(refused, str)
    assert refused.startswith("Where the lungs are is neither known nor found.")
    (alone,) = ask("marker", [noise()], lungs)
    assert alone == refused


def test_of_several_folds_the_mean_of_all_networks_is_given(make_run: Callable[..., Path]) -> None:
    run, film, alone = make_run(), phantom("CVP", 905, "phantom-b").image, []
    for fold in range(3):
        torch.manual_seed(fold)
        network = build_network("efficient", 2, image_size=SIDE).eval()
        (run / f"fold-{fold}").mkdir()
        for folder in (run / f"fold-{fold}", run):  # the run has files of a network too
            described = describe_network(network, "efficient", ("NCV", "CVP"), SIDE)
            (folder / "network.json").write_text(described.model_dump_json())
            (folder / "weights.safetensors").write_bytes(weights_bytes(network))
        with torch.inference_mode():
            images = (torch.from_numpy(scale(film, SIDE)).float()[None, None] / 255 - 0.5) / 0.25
            alone.append(network(images).softmax(dim=1)[0].numpy())
    (found,) = predict_images(run, [("film", film)], "cpu")
    assert isinstance(found, ImagePrediction)
    assert found.n_networks == 3
    assert found.probabilities == pytest.approx(np.mean(alone, axis=0), abs=1e-5)
    assert np.ptp(alone, axis=0).max() > 1e-3  # the networks differ
