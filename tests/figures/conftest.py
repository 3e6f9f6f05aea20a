"""Estimates with made-up digits."""

from collections.abc import Callable

import pytest

from covaudit.domain.estimate import Estimate


@pytest.fixture
def estimate() -> Callable[..., Estimate]:
    """An estimate with an interval of +-0.05 unless the value is NaN."""

    def build(
        value: float,
        metric: str = "balanced_accuracy",
        split: str = "internal",
        class_name: str | None = None,
        source: str | None = None,
        n: int = 120,
    ) -> Estimate:
        return Estimate(
            split=split,
            metric=metric,
            value=value,
            low=value - 0.05,
            high=value + 0.05,
            n=n,
            method="undefined: no image" if value != value else "wilson",
            source=source,
            class_name=class_name,
        )

    return build
