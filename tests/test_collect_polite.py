"""When a host may be asked: delays, complaints, Retry-After, with a clock of our own."""

import asyncio
from itertools import pairwise

import pytest

from shelfwise.collect.polite import Pace
from shelfwise.outgoing import LONGEST_WAIT


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        await asyncio.sleep(0)
        self.now += seconds


def paced(delay):
    clock = Clock()
    return Pace(delay, clock, clock.sleep), clock


def turns(pace, clock, count, host="a"):
    async def run():
        times = []
        for _ in range(count):
            await pace.turn(host)
            times.append(clock.now)
        return times

    return asyncio.run(run())


def test_a_host_is_asked_once_in_its_delay():
    pace, clock = paced(1.0)
    times = turns(pace, clock, 4)

    assert all(later - before >= 1.0 for before, later in pairwise(times))
    assert times[-1] - times[0] < 3.1


def test_hosts_do_not_wait_for_each_other():
    pace, clock = paced(5.0)
    turns(pace, clock, 1, "a")

    assert turns(pace, clock, 1, "b") == [1000.0]


def test_without_a_delay_only_robots_and_retry_after_slow_down():
    pace, clock = paced(0.0)
    assert turns(pace, clock, 5) == [1000.0] * 5

    pace.answered("a", 3.0, strained=True)
    assert turns(pace, clock, 2) == [1000.0] * 2

    pace.ask_less("a", 2.0)
    times = turns(pace, clock, 3)
    assert times[2] - times[1] >= 2.0


def test_complaints_slow_down_and_good_answers_bring_back():
    pace, _ = paced(1.0)
    for _ in range(3):
        pace.answered("a", 0.0, strained=True)
    slow = pace.gap("a")
    for _ in range(20):
        pace.answered("a", 0.0, strained=False)

    assert slow == 8.0
    assert pace.gap("a") == 1.0


def test_slow_answers_slow_down():
    pace, _ = paced(1.0)
    for _ in range(20):
        pace.answered("a", 4.0, strained=False)

    assert pace.gap("a") == pytest.approx(4.0, abs=0.1)


def test_nothing_is_asked_while_a_host_is_held():
    pace, clock = paced(0.0)
    pace.hold("a", 1030.0)
    pace.hold("a", 1010.0)

    assert turns(pace, clock, 1)[0] >= 1030.0
    pace.hold("a", 1e12)
    assert pace.held("a") <= clock.now + LONGEST_WAIT
