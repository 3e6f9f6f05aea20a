"""Predictions tables, made by hand or by a seed."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

Predictions = Callable[..., pd.DataFrame]


@pytest.fixture
def table() -> Predictions:
    """Rows of (truth, prediction[, probability of class "B"]) for classes A and B; one patient each unless given."""

    def build(
        rows: Sequence[tuple[str, str] | tuple[str, str, float]],
        split: str = "internal",
        source: str = "s",
        patients: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        chance = [row[2] if len(row) == 3 else (0.9 if row[1] == "B" else 0.1) for row in rows]
        return pd.DataFrame(
            {
                "source": source,
                "image_id": [f"{split}-{number}" for number in range(len(rows))],
                "patient": list(patients) if patients is not None else [f"{split}-{n}" for n in range(len(rows))],
                "class_name": [row[0] for row in rows],
                "predicted": [row[1] for row in rows],
                "split": split,
                "p_A": 1 - np.array(chance),
                "p_B": chance,
            }
        )

    return build


@pytest.fixture
def random_table() -> Predictions:
    """A table of `n` images with tied probabilities (one decimal), classes "0".."k-1", `images` for each patient."""

    def build(seed: int, n: int, k: int, images: int = 1, split: str = "internal", skill: float = 1.0) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        truth = rng.integers(k, size=n)
        logits = rng.normal(size=(n, k))
        logits[np.arange(n), truth] += skill
        chance = np.round(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), 1)
        columns = {f"p_{index}": chance[:, index] for index in range(k)}
        return pd.DataFrame(
            {
                "source": rng.choice(["s", "t"], size=n),
                "image_id": [f"{split}-{number}" for number in range(n)],
                "patient": [f"{split}-{number // images}" for number in range(n)],
                "class_name": truth.astype(str),
                "predicted": chance.argmax(axis=1).astype(str),
                "split": split,
                **columns,
            }
        )

    return build
