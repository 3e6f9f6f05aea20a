"""The named protocols hold the papers' numbers."""

import pytest

from covaudit.domain.protocols import PROTOCOLS, changed_fields, warnings
from covaudit.domain.training import Training


def test_the_default_is_fast() -> None:
    assert PROTOCOLS["fast"].training == Training() and not changed_fields(Training())


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_names_itself(name: str) -> None:
    training = PROTOCOLS[name].training
    assert training.protocol == name and Training.model_validate(training.model_dump(mode="json")) == training
    assert not changed_fields(training)
    assert changed_fields(training.model_copy(update={"epochs": 3})) == ("epochs",)


def test_cvr_net_as_printed_and_as_run() -> None:
    paper, notebook = (PROTOCOLS[name].training for name in ("cvrnet-paper", "cvrnet-notebook"))
    assert (paper.optimiser, paper.lr, paper.amsgrad, notebook.optimiser) == ("adam", 1e-4, False, "adamax")
    assert (paper.plateau.factor, paper.plateau.patience, paper.plateau.monitor) == (0.9, 12, "val_loss")
    assert (notebook.plateau.factor, notebook.plateau.patience, notebook.plateau.monitor) == (0.1, 4, "val_accuracy")
    assert paper.stopping is not None and notebook.stopping is not None
    assert (paper.stopping.patience, notebook.stopping.patience) == (25, 13)
    assert paper.image_size == 224 and paper.preparation.interpolation == "nearest" and paper.batch_size == 8
    assert paper.class_weights == "minority" and PROTOCOLS["cvrnet-paper"].folds == 5
    cited = " ".join((*PROTOCOLS["cvrnet-paper"].differences, *PROTOCOLS["cvrnet-notebook"].differences))
    assert all(f"E{number}" in cited for number in range(11, 17))


@pytest.mark.parametrize(
    ("name", "epochs", "patience", "stop", "batch", "copies"),
    [("albert-a", 30, 3, 12, 3, None), ("albert-b", 30, 3, 12, 3, (15, 12)), ("albert-c", 50, 5, 15, 5, (15, 12))],
)
def test_alberts_experiments(
    name: str, epochs: int, patience: int, stop: int, batch: int, copies: tuple[int, int] | None
) -> None:
    training = PROTOCOLS[name].training
    assert (training.epochs, training.plateau.patience, training.batch_size) == (epochs, patience, batch)
    assert (training.stopping and training.stopping.patience) == stop
    assert (training.copies and (training.copies.train, training.copies.test)) == copies
    assert (training.optimiser, training.amsgrad, training.lr, training.keep) == ("adam", True, 1e-4, "last")
    assert (training.plateau.factor, training.plateau.cooldown, training.plateau.min_delta) == (0.5, 2, 1e-4)
    assert training.image_size == 768 and training.intensity == "unit"
    is_c = name == "albert-c"
    crop = training.preparation.crop_start, training.preparation.crop_end, training.preparation.clahe_clip
    assert crop == ((40, 30, 3.0) if is_c else (0, 0, 0.0)) and training.augment is is_c
    assert training.passes == (2 if is_c else 1)


def test_what_misleads_is_said() -> None:
    assert any("negative control" in one for one in warnings(Training(class_weights="literal"), 2))
    assert any("heart" in one for one in warnings(PROTOCOLS["cvrnet-notebook"].training, 2))
    assert any("changes nothing" in one for one in warnings(Training(balance_sources=True), 1))
    assert warnings(Training(), 2) == ()
