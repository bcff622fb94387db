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
        admission.enter(1, 0.0)

    with pytest.raises(RefusedError) as refused:
        admission.enter(1, 0.0)
    assert (refused.value.kind, refused.value.retry_after) == ("busy", pytest.approx(0.51))


def test_the_longer_a_queue_is_in_use_the_less_may_wait():
    admission = busy(0.01, delay=0.5, steady=0.05, batch=1)
    for _ in range(20):
        admission.enter(1, 0.0)

    admission.check(0.059)
    with pytest.raises(RefusedError):
        admission.check(0.061)


def test_a_queue_that_stays_is_kept_short():
    admission = busy(0.01, delay=0.5, steady=0.05, batch=1)
    for _ in range(30):
        admission.enter(1, 0.0)

    with pytest.raises(RefusedError):
        admission.check(10.0)
    admission.emptied(10.2)
    admission.check(10.23)


def crowded(few):
    """An admission that some requests of 50 products have been using for ten seconds; a batch is less."""
    admission = busy(0.001, delay=0.5, steady=0.001, batch=10)
    for _ in range(few):
        admission.enter(50, 0.0)
    return admission


def test_few_requests_may_stand_as_long_as_a_burst():
    admission = crowded(7)

    admission.check(10.0)

    assert admission.delay == pytest.approx(0.35)


def test_where_some_are_refused_there_are_more_than_a_few():
    admission = crowded(8)
    with pytest.raises(RefusedError):
        admission.check(10.0)
    for _ in range(6):
        admission.leave(50)

    with pytest.raises(RefusedError):
        admission.check(10.9)
    admission.check(12.0)


def test_one_that_comes_next_may_wait_however_large_the_two_are():
    admission = crowded(8)
    with pytest.raises(RefusedError):
        admission.check(10.0)
    for _ in range(7):
        admission.leave(50)

    admission.enter(50, 10.01)
    with pytest.raises(RefusedError):
        admission.check(10.02)


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


def test_a_model_may_have_two_full_batches_however_slow_it_is():
    admission = busy(0.01, delay=10.0, batch=64)
    for _ in range(127):
        admission.enter(1, 0.0)

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
    assert paced(0.01, 0.004, sizes).batch == 17
    assert paced(0.01, 0.004, sizes, batch=10).batch == 10
    assert Admission(Limits()).batch == 64  # nothing is known


def test_batches_of_one_size_change_nothing_and_some_are_small():
    admission = paced(0.002, 0.0027, [1, 64, 32, 5, 9])
    seen = []
    for _ in range(64):
        admission.took(8, 0.002 + 0.0027 * 8)
        seen.append(admission.batch)

    assert set(seen) == {8, 2}
    assert seen.count(2) == 4


def test_in_a_long_overload_what_a_product_takes_is_still_learned():
    admission = paced(0.002, 0.0027, [1, 64, 32, 5, 9])
    for _ in range(400):  # the model has a better machine now, and no queue holds more than a batch
        size = admission.batch
        admission.took(size, 0.002 + 0.0004 * size)

    assert admission.batch == pytest.approx(34, abs=1)


def test_one_slow_batch_does_not_make_all_small_for_good():
    """Lists of 32 go one by one where that seems enough: then all batches are of one size."""
    admission = paced(0.003, 0.0001, [32, 32, 32, 64])
    admission.took(64, 0.2)
    sizes = []
    for _ in range(1000):
        sizes.append(32 if admission.batch <= 32 else 64)
        admission.took(sizes[-1], 0.003 + 0.0001 * sizes[-1])

    assert set(sizes[:100]) == {32}
    assert sizes[-100:].count(64) > 90


class Line:
    """A server on paper: requests of one size come at a fixed rate; `pace` is what its model takes."""

    def __init__(self, pace, size):
        self.pace, self.size = pace, size
        self.admission = paced(*pace, [1, 64, 32, 5, 9])
        self.admission.emptied(0.0)
        self.queue, self.model = [], []  # when each came
        self.begun, self.free = 0.0, math.inf  # since when and until when the model works
        self.waits, self.idle = [], 0.0

    def seconds(self, products):
        """Of a batch in the model."""
        return self.pace[0] + self.pace[1] * products

    def take(self, now):
        """The next batch goes to the model."""
        count = max(1, self.admission.batch // self.size)
        self.model, self.queue = self.queue[:count], self.queue[count:]
        self.begun, self.free = now, math.inf
        if self.model:
            self.free = now + self.seconds(len(self.model) * self.size)
            if not self.queue:
                self.admission.emptied(now, len(self.model) * self.size)

    def answer(self):
        """What is in the model is done."""
        self.admission.took(len(self.model) * self.size, self.free - self.begun)
        self.waits += [(at, self.free - at) for at in self.model]
        for _ in self.model:
            self.admission.leave(self.size)
        self.take(self.free)

    def run(self, every, seconds):
        """Let a request come every so many seconds."""
        for now in (number * every for number in range(int(seconds / every))):
            while self.free <= now:
                self.answer()
            with contextlib.suppress(RefusedError):
                self.admission.enter(self.size, now)
                self.queue.append(now)
                if not self.model:
                    self.idle += now - self.begun
                    self.take(now)


@pytest.mark.parametrize("size", [1, 8, 32, 100])
@pytest.mark.parametrize("pace", [(0.0025, 0.00015), (0.002, 0.0027)], ids=["words", "encoder"])
@pytest.mark.parametrize("times", [1.5, 5])
def test_in_a_long_overload_hardly_anybody_waits_for_more_than_two_batches_and_the_model_never_rests(
    pace, size, times
):
    line = Line(pace, size)
    full = line.admission.batch
    batch, small = line.seconds(max(size, full // size * size)), line.seconds(max(size, math.ceil(full / 4)))
    line.run(batch / max(1, full // size) / times, 300 * batch)
    waits = [wait for at, wait in line.waits if at > 0.1 + 40 * batch]

    assert len(waits) > 50
    assert sorted(waits)[int(0.97 * len(waits))] <= 2 * batch + 1.05 * small
    assert line.idle <= 0.05 * 300 * batch


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
    admission.check(1.21)
