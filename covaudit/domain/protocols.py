"""Whole protocols by name: ours, and what the two papers say and ran, with every known difference in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from covaudit.domain.training import Augmentation, Copies, EarlyStopping, Plateau, Preparation, Training


@dataclass(frozen=True)
class Protocol:
    """`training` is what is run; `folds`, `split` and `shares` (val, internal) are how the paper divided
    its images, for the form to offer.

    `differences` says, a sentence each, where paper, released code and this program part.
    """

    name: str
    title: str
    training: Training
    folds: int = 1
    split: str = "patient"
    shares: Mapping[str, float] = field(default_factory=dict)
    differences: tuple[str, ...] = ()


_STILL = {"gamma": 0.0, "contrast": 0.0, "brightness": 0.0, "noise": 0.0, "scale": 0.0}

_CVRNET = Training(
    protocol="cvrnet-paper",
    image_size=224,
    epochs=200,
    batch_size=8,
    optimiser="adam",
    lr=1e-4,
    weight_decay=0,
    schedule="plateau",
    plateau=Plateau(monitor="val_loss", factor=0.9, patience=12),
    stopping=EarlyStopping(monitor="val_loss", patience=25),
    keep="best-accuracy",
    class_weights="minority",
    weighted_mean="images",
    augmentation=Augmentation(rotation=0.45, shift=0.2, horizontal_flip=0.5, vertical_flip=0.5, **_STILL),
    preparation=Preparation(interpolation="nearest"),
    intensity="raw",
    pretrained="imagenet",
)

_ALBERT_A = Training(
    protocol="albert-a",
    image_size=768,
    epochs=30,
    batch_size=3,
    optimiser="adam",
    amsgrad=True,
    lr=1e-4,
    weight_decay=0,
    schedule="plateau",
    plateau=Plateau(monitor="val_loss", factor=0.5, patience=3, min_delta=1e-4, cooldown=2, min_lr=1e-8),
    stopping=EarlyStopping(monitor="val_loss", patience=12),
    keep="last",
    class_weights="none",
    augment=False,
    preparation=Preparation(interpolation="bilinear"),
    intensity="unit",
)

_ALBERT_SHARES = {"val": 0.16, "internal": 0.2}

_OF_CVRNET = (
    "Taps: the paper names Xception's middle and entry flow, the notebook taps block 13 and block 4 before their "
    "residual sums; the network's own option says which (E11).",
    "The comparison networks had other heads than 'the same protocol' suggests: their printed parameter counts are "
    "those of Flatten and Dense 1024 (E12).",
    "The released notebook chose its weights on the fold that it then tested on; here validation and test are apart "
    "always (E13).",
    "Class weights: the paper prints N_j / N, which gives the majority more; the notebook ran N_max / N_j, and so do "
    "we. 'literal' is kept as a negative control (E1).",
    "Which of four folds validates is not said, and films of one person may be on both sides in the paper; here the "
    "fold after the test validates, and patients are kept together unless the split says otherwise (E16).",
    "The notebook dropped the images that filled no batch; here the last batch is smaller.",
)

_OF_ALBERT = (
    "The smallest learning rate is cut off in the paper ('1x10-'); 1e-8 is the code's, as are the cooldown of 2 and "
    "the least gain of 1e-4.",
    "The weights of the last epoch are kept, as in the code, though early stopping waited many epochs after the best.",
    "The batch size is the code's. Steps that filled no batch were dropped there; here the last batch is smaller.",
    "Images were saved as JPEG after each step, up to three times; here no step loses anything.",
    "Sampling and split are this program's: patients are kept together; the paper split images, so that films of one "
    "person were on both sides.",
)

_OF_COPIES = (
    "COVID test images are copies of a few: 12 of each. Copies of one film are one family, never on both sides of a "
    "split, and no independent evidence; intervals count each family once.",
)

_SPECS = (
    Protocol("fast", "Fast: one cycle of AdamW, mild augmentation, best validation weights", Training()),
    Protocol(
        "cvrnet-paper",
        "CVR-Net as the paper says (Hasan et al. 2020)",
        _CVRNET,
        folds=5,
        split="paper",
        differences=(
            *_OF_CVRNET,
            "The learning rate falls 'by 10.0 %' after 12 epochs without gain: read as times 0.9; stop after 25. The "
            "notebook had times 0.1 after 4 and stop after 13, on validation accuracy, and Adamax (E14).",
            "Batch size 8, at most 200 epochs, keeping the best validation accuracy and grey levels of 0 to 255 "
            "without any scaling are the notebook's: the paper does not say (E14).",
            "Rotation 0.45, shift 0.2 and flips '1' are printed as probabilities but look like the arguments of Keras' "
            "generator: 0.45 degrees, 0.2 of the side, each flip for half of the images. Vertical flips are "
            "implausible, horizontal ones put the heart on the wrong side (E15).",
        ),
    ),
    Protocol(
        "cvrnet-notebook",
        "CVR-Net as its released notebook ran",
        _CVRNET.model_copy(
            update={
                "protocol": "cvrnet-notebook",
                "optimiser": "adamax",
                "plateau": Plateau(monitor="val_accuracy", factor=0.1, patience=4, min_lr=1e-8),
                "stopping": EarlyStopping(monitor="val_accuracy", patience=13),
                "augmentation": Augmentation(rotation=0, shift=0, horizontal_flip=0.5, vertical_flip=0.5, **_STILL),
            }
        ),
        folds=5,
        split="paper",
        differences=(
            *_OF_CVRNET,
            "Adamax, times 0.1 after 4 epochs, stop after 13, all on validation accuracy: the paper says Adam, 10 %, "
            "12 and 25 (E14).",
            "Flips are the only augmentation; the paper adds rotation and shifts (E15).",
        ),
    ),
    Protocol(
        "albert-a",
        "Albert, experiment A: plain images",
        _ALBERT_A,
        split="image",
        shares=_ALBERT_SHARES,
        differences=_OF_ALBERT,
    ),
    Protocol(
        "albert-b",
        "Albert, experiment B: copies of the COVID-19 images",
        _ALBERT_A.model_copy(update={"protocol": "albert-b", "copies": Copies()}),
        split="image",
        shares=_ALBERT_SHARES,
        differences=(*_OF_ALBERT, *_OF_COPIES),
    ),
    Protocol(
        "albert-c",
        "Albert, experiment C: B with crop, CLAHE and augmentation",
        _ALBERT_A.model_copy(
            update={
                "protocol": "albert-c",
                "epochs": 50,
                "passes": 2,
                "batch_size": 5,
                "plateau": _ALBERT_A.plateau.model_copy(update={"patience": 5}),
                "stopping": EarlyStopping(monitor="val_loss", patience=15),
                "copies": Copies(),
                "preparation": Preparation(
                    interpolation="bilinear", crop_start=40, crop_end=30, clahe_clip=3.0, clahe_grid=8
                ),
                "augment": True,
                "augmentation": Augmentation(rotation=10, shift=0.05, shear=0.02, horizontal_flip=0.5, **_STILL),
            }
        ),
        split="image",
        shares=_ALBERT_SHARES,
        differences=(
            *_OF_ALBERT,
            *_OF_COPIES,
            "An epoch shows each image twice, as the code's 2n // 5 steps do.",
        ),
    ),
)

PROTOCOLS: Mapping[str, Protocol] = {spec.name: spec for spec in _SPECS}


def changed_fields(training: Training) -> tuple[str, ...]:
    """The fields in which a training is no longer the protocol that it names; all that are not usual for a name of the
    person's own."""
    named = PROTOCOLS.get(training.protocol, PROTOCOLS["fast"]).training
    return tuple(
        name for name in Training.model_fields if name != "protocol" and getattr(training, name) != getattr(named, name)
    )


def how_trained(training: Training) -> str:
    """A sentence: what the network started from, and how far the protocol was followed."""
    start = "ImageNet" if training.pretrained == "imagenet" else "random"
    changed = [name.replace("_", " ") for name in changed_fields(training) if name != "pretrained"]
    but = f" but for: {', '.join(changed)}" if changed else ""
    extent = f"at most {training.epochs} epochs at {training.image_size} px"
    return f"From {start} weights, {extent}, as {training.protocol}{but}."


def warnings(training: Training, n_sources: int) -> tuple[str, ...]:
    """What a person should know before running these fields, a sentence each."""
    found = []
    if training.class_weights == "literal":
        found.append(
            "Literal class weights give the majority more, against the paper's own sentence: a negative control (E1)."
        )
    if training.augment and training.augmentation.vertical_flip:
        found.append("Vertical flips show films that no machine makes.")
    if training.augment and training.augmentation.horizontal_flip:
        found.append("Horizontal flips put the heart on the wrong side and mirror the side markers.")
    if training.copies is not None and training.copies.test:
        found.append(
            f"The internal test holds {training.copies.test} copies of each {training.copies.label} film: they are no "
            "independent evidence, and intervals count each film once."
        )
    if training.keep == "last":
        found.append("The last epoch's weights are kept, not the best validation epoch's.")
    if training.schedule == "one-cycle" and training.stopping is not None:
        found.append("One cycle is planned for all epochs: early stopping cuts its slow end off.")
    if training.balance_sources and n_sources < 2:
        found.append("There is one source only: balanced sampling changes nothing.")
    if training.group_dro and training.accumulate > 1:
        found.append("GroupDRO moves its weights with every batch, also where the gradients of several are added up.")
    if training.group_dro and training.class_weights != "none":
        found.append("GroupDRO weighs groups by their loss: class weights play no part.")
    return tuple(found)
