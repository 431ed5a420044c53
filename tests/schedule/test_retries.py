"""When the schedule tries again: soon, then less and less often, and once more before the deadline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ajpes_reporting.schedule.retries import Retries

DEADLINE = datetime(2026, 11, 17, 17, tzinfo=UTC)
MOMENTS = st.integers(-6 * 3600, 6 * 3600).map(lambda seconds: DEADLINE + timedelta(seconds=seconds))


def test_each_pause_is_twice_the_one_before_up_to_the_longest() -> None:
    """A server that is down is not hammered, and is found soon after it is up again."""
    retries, now = Retries(60, 900), DEADLINE - timedelta(hours=5)
    pauses = [(retries.after_failure(n, now, DEADLINE) - now).total_seconds() for n in range(1, 8)]
    assert pauses == [60, 120, 240, 480, 900, 900, 900]


@given(st.integers(1, 10**6), MOMENTS, st.floats(1, 86_400), st.floats(1, 86_400))
def test_there_is_always_one_more_try_shortly_before_the_deadline(
    failures: int, now: datetime, first: float, longest: float
) -> None:
    """A pause never steps over the last five minutes, in which a person could still act."""
    retries = Retries(first, longest)
    last_call = DEADLINE - timedelta(minutes=5)
    for then in (
        retries.after_failure(failures, now, DEADLINE),
        retries.after_hold(now, DEADLINE),
        retries.after_quiet(now, DEADLINE),
    ):
        assert now < then <= now + timedelta(seconds=longest)
        assert not now < last_call < then


def test_it_goes_on_after_the_deadline() -> None:
    """A late report is better than none."""
    late = DEADLINE + timedelta(hours=3)
    assert Retries(60, 900).after_failure(40, late, DEADLINE) == late + timedelta(seconds=900)
