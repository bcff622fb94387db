"""Admission: what may wait, how long, and what changes when a queue stays."""

import pytest

from shelfwise.serve.admission import Admission
from shelfwise.serve.limits import Limits
from shelfwise.serve.refusal import RefusedError


def busy(seconds, **limits):
    """An admission whose model took so many seconds for each of a hundred products, used since time 0."""
    admission = Admission(Limits(**limits))
    admission.took(100, 100 * seconds)
    admission.emptied(0.0)
    return admission


def test_who_is_alone_is_never_refused():
    admission = busy(1.0, queue=10, items=10, delay=0.001)

    admission.enter(1_000, 50.0)

    assert admission.waiting == 1_000


def test_a_burst_may_wait_as_long_as_any():
    admission = busy(0.01, delay=0.5, steady=0.05, batch=1)
    for _ in range(51):
        admission.enter(1, 0.05)

    with pytest.raises(RefusedError) as refused:
        admission.enter(1, 0.05)
    assert (refused.value.kind, refused.value.retry_after) == ("busy", pytest.approx(0.51))


def test_a_queue_that_stays_is_kept_short():
    admission = busy(0.01, delay=0.5, steady=0.05, batch=1)
    for _ in range(30):
        admission.enter(1, 0.05)

    with pytest.raises(RefusedError):
        admission.check(10.0)
    admission.emptied(10.0)
    admission.check(10.05)


def test_few_requests_may_stand_as_long_as_a_burst():
    admission = busy(0.001, delay=0.5, steady=0.05, batch=1)
    for _ in range(8):
        admission.enter(50, 0.05)

    admission.check(10.0)

    assert admission.delay == pytest.approx(0.4)


def test_what_left_is_counted_no_more():
    admission = busy(0.01)
    admission.enter(5, 1.0)
    admission.enter(7, 1.0)
    admission.leave(5)

    assert (admission.waiting, admission.requests) == (7, 1)


def test_room_in_the_queue_is_bounded_whatever_the_model_does():
    admission = Admission(Limits(queue=10, items=10))
    admission.enter(8, 0.0)

    with pytest.raises(RefusedError):
        admission.enter(3, 0.0)
    admission.enter(2, 0.0)


def test_a_slow_model_may_have_two_full_batches_waiting():
    admission = busy(0.01, delay=10.0, batch=64)
    for _ in range(128):
        admission.enter(1, 0.05)

    admission.check(10.0)
    admission.enter(1, 10.0)
    with pytest.raises(RefusedError):
        admission.check(10.0)
