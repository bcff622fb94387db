"""Shards come back in the order in which they were handed out, and never are too many under way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shelfwise.scale.engine import in_order
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
