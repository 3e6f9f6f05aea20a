"""Time left: worked out by hand, and held to 30 % when a machine slows down."""

import pytest

from covaudit.domain.time_left import Seconds, after_training, estimate_cost, time_left


def test_nothing_is_said_before_the_first_epoch() -> None:
    assert time_left(10, []) is None


def test_steady_epochs_give_their_number_times_their_length() -> None:
    assert time_left(10, [4.0, 4.0], share=0.5, after=(1, 1)) == Seconds(34, 34)


def test_the_range_is_that_of_the_last_two_epochs() -> None:
    assert time_left(6, [9.0, 2.0, 3.0], after=(0, 0)) == Seconds(6, 9)


def test_one_epoch_alone_may_mislead_by_a_quarter() -> None:
    assert time_left(5, [8.0], after=(0, 0)) == Seconds(24, 40)


@pytest.mark.parametrize("slowdown", [3.0, 1 / 3])
def test_two_epochs_after_the_speed_has_changed_the_middle_is_within_30_percent(slowdown: float) -> None:
    seconds = [10.0] * 5 + [10.0 * slowdown] * 2
    truth = (20 - len(seconds)) * 10.0 * slowdown + 2 * 10.0 * slowdown
    found = time_left(20, seconds, after=(1.6, 2.5))
    assert found is not None
    assert abs((found.low + found.high) / 2 / truth - 1) < 0.3


def test_it_never_goes_below_zero_when_a_protocol_stops_late() -> None:
    assert time_left(3, [1.0] * 4, share=0.9, after=(0, 0)) == Seconds(0, 0)


def test_what_follows_the_training_is_measured_in_epochs_of_that_run() -> None:
    stages = {"decoding images": 50.0, "training": 40.0, "scoring": 3.0, "explaining": 7.0}
    assert after_training(stages, [20.0, 20.0]) == pytest.approx((0.8 * 0.5, 1.25 * 0.5))
    assert after_training({"decoding images": 1.0}, [20.0]) is None
    assert after_training(stages, []) is None


def test_the_cost_of_a_run_before_it_starts() -> None:
    cost = estimate_cost(1_000, 200, 128, 10, seconds_per_image=0.01, parameters=1_000_000)
    assert cost.time == pytest.approx((60, 160))
    assert cost.bytes == 2 * 1_000 * 128 * 128 + 200 * 32 * 32 + 4_000_000
