"""The batcher: who waits, who is refused, who is dropped; with an answerer that can be held up."""

import asyncio
import threading
import time

import pytest

from shelfwise.serve.answerer import Asked, Wish
from shelfwise.serve.batching import Batcher
from shelfwise.serve.limits import Limits
from shelfwise.serve.messages import Prediction
from shelfwise.serve.offers import Offer
from shelfwise.serve.refusal import RefusedError


class Slow:
    """Answers with the ids that it was sent, when it may."""

    def __init__(self, seconds=0.0):
        self.seconds, self.batches = seconds, []
        self.gate = threading.Event()
        self.gate.set()

    def answer(self, asked):
        self.gate.wait(10)
        time.sleep(self.seconds)
        ids = [offer.product_id for one in asked for offer in one.offers]
        if "bad" in ids:
            raise ValueError("bad")
        self.batches.append(ids)
        return [[Prediction(offer.product_id) for offer in one.offers] for one in asked]


def asked(*names, explain=False):
    return Asked([Offer(product_id=str(name)) for name in names], Wish(explain=explain))


def later(seconds=10.0):
    return time.monotonic() + seconds


def run(work, **limits):
    """Run work(batcher) in an event loop."""

    async def go():
        batcher = Batcher(Limits(**limits))
        try:
            return await work(batcher)
        finally:
            batcher.close()

    return asyncio.run(go())


def test_a_lone_request_is_answered_at_once():
    slow = Slow()

    async def work(batcher):
        begun = time.monotonic()
        (one,) = await batcher.ask(slow, asked("a"), later())
        return one.product_id, time.monotonic() - begun

    name, seconds = run(work, wait=5.0)

    assert name == "a"
    assert seconds < 1


def test_what_comes_while_the_model_is_busy_goes_together():
    slow = Slow()

    async def work(batcher):
        slow.gate.clear()
        tasks = [asyncio.ensure_future(batcher.ask(slow, asked(0), later()))]
        await asyncio.sleep(0.05)
        tasks += [asyncio.ensure_future(batcher.ask(slow, asked(n), later())) for n in range(1, 8)]
        await asyncio.sleep(0.05)
        slow.gate.set()
        return [[one.product_id for one in await task] for task in tasks]

    assert run(work, batch=4) == [[str(n)] for n in range(8)]
    assert slow.batches == [["0"], ["1", "2", "3", "4"], ["5", "6", "7"]]


def test_a_full_queue_refuses_at_once():
    slow = Slow()

    async def work(batcher):
        slow.gate.clear()
        first = asyncio.ensure_future(batcher.ask(slow, asked(*range(8)), later()))
        await asyncio.sleep(0.05)
        begun = time.monotonic()
        with pytest.raises(RefusedError) as refused:
            await batcher.ask(slow, asked(*range(8)), later())
        seconds = time.monotonic() - begun
        slow.gate.set()
        await first
        (one,) = await batcher.ask(slow, asked("after"), later())
        return refused.value, seconds, one.product_id, batcher.waiting

    error, seconds, name, waiting = run(work, queue=10, items=8)

    assert (error.kind, error.code, name, waiting) == ("busy", "busy", "after", 0)
    assert error.seconds >= 1
    assert seconds < 0.02


def test_a_long_wait_is_refused_by_what_the_model_did_lately():
    slow = Slow(0.2)

    async def work(batcher):
        await batcher.ask(slow, asked("a"), later())  # so long does one take
        many = [asyncio.ensure_future(batcher.ask(slow, asked(n), later())) for n in range(40)]
        results = await asyncio.gather(*many, return_exceptions=True)
        return [isinstance(one, RefusedError) for one in results]

    refused = run(work, delay=0.3, batch=8)

    assert not any(refused[:10])
    assert all(refused[-10:])


def test_callers_that_went_or_are_late_never_reach_the_model():
    slow = Slow()

    async def work(batcher):
        slow.gate.clear()
        first = asyncio.ensure_future(batcher.ask(slow, asked("first"), later()))
        await asyncio.sleep(0.05)
        gone = asyncio.ensure_future(batcher.ask(slow, asked("gone"), later()))
        late = asyncio.ensure_future(batcher.ask(slow, asked("late"), later(0.05)))
        stays = asyncio.ensure_future(batcher.ask(slow, asked("stays"), later()))
        await asyncio.sleep(0.1)
        gone.cancel()
        with pytest.raises(RefusedError, match="time"):
            await late
        slow.gate.set()
        await asyncio.gather(first, stays)
        return batcher.dropped, batcher.waiting

    assert run(work) == (2, 0)
    assert [name for batch in slow.batches for name in batch] == ["first", "stays"]


def test_one_that_breaks_spoils_no_other():
    slow = Slow()

    async def work(batcher):
        slow.gate.clear()
        names = ["first", "a", "bad", "b"]
        tasks = []
        for name in names:
            tasks.append(asyncio.ensure_future(batcher.ask(slow, asked(name), later())))
            await asyncio.sleep(0.02)
        slow.gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, a, bad, b = run(work)

    assert [first[0].product_id, a[0].product_id, b[0].product_id] == ["first", "a", "b"]
    assert isinstance(bad, ValueError)


def test_several_models_take_turns():
    one, two = Slow(), Slow()

    async def work(batcher):
        one.gate.clear()
        tasks = [asyncio.ensure_future(batcher.ask(one, asked(0), later()))]
        await asyncio.sleep(0.05)
        for n in range(1, 5):
            for slow in (one, two):
                tasks.append(asyncio.ensure_future(batcher.ask(slow, asked(n), later())))
        await asyncio.sleep(0.05)
        one.gate.set()
        await asyncio.gather(*tasks)

    run(work)

    assert one.batches == [["0"], ["1", "2", "3", "4"]]
    assert two.batches == [["1", "2", "3", "4"]]


def test_a_batch_that_is_not_enough_takes_one_more_list():
    slow = Slow()

    async def work(batcher):
        batcher.admission._pace.batch, batcher.admission._pace.product = 0.006, 0.001
        assert 32 < batcher.admission.batch < 64
        slow.gate.clear()
        tasks = [asyncio.ensure_future(batcher.ask(slow, asked(*range(32)), later()))]
        await asyncio.sleep(0.05)
        tasks += [asyncio.ensure_future(batcher.ask(slow, asked(*range(32)), later())) for _ in range(3)]
        await asyncio.sleep(0.05)
        slow.gate.set()
        await asyncio.gather(*tasks)

    run(work)

    assert [len(batch) for batch in slow.batches] == [32, 64, 32]


def test_what_lies_between_two_batches_counts_as_their_time():
    slow = Slow()

    async def work(batcher):
        task = asyncio.ensure_future(batcher.ask(slow, asked(*range(8)), later()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        time.sleep(0.2)  # the loop has other things to do
        await task
        batcher.admission.enter(8, time.monotonic())
        return batcher.delay

    assert run(work) >= 0.2
