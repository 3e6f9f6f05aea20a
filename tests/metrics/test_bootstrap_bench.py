"""The bench's own promise: the same values as scikit-learn on the same resamples, many times as fast."""

import pytest

from benchmarks import bootstrap


def test_the_same_values_on_the_same_resamples(monkeypatch):
    # `measure` refuses a difference of more than 1e-12.
    monkeypatch.setitem(bootstrap.ROWS, "small", (300, 20))
    assert float(bootstrap.measure("small", is_quick=True)[-1]) <= 1e-12


@pytest.mark.slow
def test_it_pays():
    """Measured: 40 and more; a third less allows for another processor and its caches."""
    assert float(bootstrap.measure("10,000 predictions", is_quick=True)[2]) > 25
