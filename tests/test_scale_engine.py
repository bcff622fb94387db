"""Shards come back in the order in which they were handed out, and never are too many under way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.errors import PictureError, RecipeError
from shelfwise.scale.engine import Failed, Shard, check_engine, failing, in_order
from shelfwise.scale.shards import Done, Task


def done(number):
    return Done(number, 1, {"ok": 1}, None, "")


@given(st.lists(st.booleans(), max_size=20), st.integers(1, 5))
def test_order_is_kept_and_few_are_under_way(finished, most):
    under_way, highest = set(), [0]

    def submit(task):
        under_way.add(task.number)
        highest[0] = max(highest[0], len(under_way))
        return task

    def result(task):
        under_way.discard(task.number)
        return done(task.number)

    tasks = [done(i) if was else Task(i, "") for i, was in enumerate(finished)]
    numbers = [outcome.number for outcome in in_order(tasks, submit, result, most)]

    assert numbers == list(range(len(finished)))
    assert highest[0] <= most
    assert not under_way


def raised(error):
    """Work that ends so."""

    def work():
        raise error

    return work


def test_errors_that_a_user_can_mend_are_values_and_all_others_are_raised():
    told = failing(Shard(7), raised(PictureError("empty", "a.png is empty")))

    assert told == Failed("PictureError", "a.png is empty")
    assert str(told.error()) == "a.png is empty"
    assert "shard 7 on " in failing(Shard(7), raised(OSError("the disk is full"))).message
    assert failing(Shard(7), raised(MemoryError())).message.endswith("MemoryError")
    assert failing(Shard(7), lambda: "done") == "done"
    with pytest.raises(ZeroDivisionError):
        failing(Shard(7), raised(ZeroDivisionError()))


def test_engines_have_names():
    check_engine("ray")
    with pytest.raises(RecipeError, match="engines are local, ray, spark; got 'dask'"):
        check_engine("dask")
