"""Admission: what may wait, how long, and what changes when a queue stays."""

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.serve.admission import Admission, Pace
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
    admission.emptied(10.2)
    admission.check(10.25)


def test_few_requests_may_stand_as_long_as_a_burst():
    admission = busy(0.001, delay=0.5, steady=0.05, batch=1)
    for _ in range(7):
        admission.enter(50, 0.05)

    admission.check(10.0)

    assert admission.delay == pytest.approx(0.35)


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


# -- batches and long queues ---------------------------------------------------------------------------------


def paced(fixed, each, sizes, **limits):
    """An admission that saw batches of these sizes, of a model with so many seconds a batch and a product."""
    admission = Admission(Limits(**limits))
    for size in sizes:
        admission.took(size, fixed + each * size)
    return admission


@given(
    st.floats(1e-4, 0.1), st.floats(1e-5, 0.1), st.lists(st.integers(1, 64), min_size=3, max_size=60)
)  # fmt: skip
def test_a_pace_is_the_line_through_its_batches(batch, product, sizes):
    pace = Pace()
    for size in [1, 8, *sizes, 1, 64]:
        pace.took(size, batch + product * size)

    assert pace.batch == pytest.approx(batch, rel=0.01, abs=1e-7)
    assert pace.product == pytest.approx(product, rel=0.01, abs=1e-7)


def test_batches_grow_as_long_as_a_product_gets_cheaper():
    sizes = [1, 64, 32, 5, 9]

    assert paced(0.0025, 0.00015, sizes).batch == 64  # a model of words: most of it is for the batch
    assert paced(0.002, 0.0027, sizes).batch == 8  # a sentence encoder
    assert paced(0.01, 0.004, sizes).batch == 25
    assert paced(0.01, 0.004, sizes, batch=10).batch == 10
    assert Admission(Limits()).batch == 64  # nothing is known


def test_batches_of_one_size_change_nothing_and_some_may_have_any():
    admission = paced(0.002, 0.0027, [1, 64, 32, 5, 9])
    seen = []
    for _ in range(64):
        admission.took(8, 0.002 + 0.0027 * 8)
        seen.append(admission.batch)

    assert set(seen) == {8, 64}
    assert seen.count(64) == 4


def overloaded(admission, batch, product, times, seconds):
    """Waits of what was accepted, of so many times more than the model can do; how many came."""
    every = (product + batch / 8) / times
    waiting, waits, came = [], [], int(seconds / every)
    under_way, begun, free = [], 0.0, math.inf  # in the model, since when, until when
    for now in (number * every for number in range(came)):
        while free <= now:
            admission.took(len(under_way), free - begun)
            waits += [free - at for at in under_way]
            for _ in under_way:
                admission.leave(1)
            under_way, begun, free = take(admission, waiting, free, batch, product)
        with contextlib.suppress(RefusedError):
            admission.enter(1, now)
            waiting.append(now)
            if not under_way:
                under_way, begun, free = take(admission, waiting, now, batch, product)
    return sorted(waits), came


def take(admission, waiting, now, batch, product):
    """The next batch: what is in it, when it begins and when it ends."""
    size = min(len(waiting), admission.batch)
    taken = [waiting.pop(0) for _ in range(size)]
    if taken and not waiting:
        admission.emptied(now, size)
    return taken, now, now + batch + product * size if taken else math.inf


def test_in_a_long_overload_answers_wait_for_some_batches_and_no_fewer_are_given():
    pace = (0.002, 0.0027)
    waits, came = overloaded(paced(*pace, [1, 64, 32, 5, 9]), *pace, 5, 60)
    of_eight = pace[0] + 8 * pace[1]

    assert waits[int(0.98 * len(waits))] <= 4 * of_eight
    assert len(waits) >= 0.9 * came / 5


def test_a_lull_between_refusals_is_no_lull():
    admission = busy(0.01, delay=0.5, steady=0.05, batch=1)
    for _ in range(8):
        admission.enter(1, 0.05)
    with pytest.raises(RefusedError):
        admission.check(1.0)
    admission.emptied(1.05)

    with pytest.raises(RefusedError):
        admission.check(1.06)
    admission.emptied(1.2)
    admission.check(1.25)
