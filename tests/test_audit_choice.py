"""The choice: what wavers and what is rare counts, and nothing that is like what was taken before."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.audit.choice import ALIKE, choose, closest, resembling, worth_of

MANY = np.array([1000, 1000, 1000])


def worth(
    *probabilities: list[float], known: np.ndarray = MANY, codes: list[int] | None = None
) -> np.ndarray:
    p = np.array(probabilities, np.float32)
    return worth_of(np.tile(codes or np.arange(p.shape[1]), (len(p), 1)).astype(np.int32), p, known)


def units(*angles: float) -> np.ndarray:
    """Vectors of length 1 in the plane, at angles in degrees."""
    turned = np.radians(np.array(angles))
    return np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)


NOTHING = np.empty((0, 2), np.float32)


def test_what_wavers_teaches_more_than_what_is_sure():
    even, leaning, sure = worth([0.5, 0.5, 0], [0.7, 0.3, 0], [1, 0, 0])

    assert 1 >= even > leaning > sure > 0


def test_a_shelf_of_few_products_makes_an_answer_worth_more():
    rare = worth([0.5, 0.4, 0.1], known=np.array([0, 1000, 1000]))
    common = worth([0.5, 0.4, 0.1])

    assert rare > common
    assert worth([1, 0, 0], known=np.array([0, 1000, 1000])) == 1


@given(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=6), st.integers(0, 50))
def test_worth_is_between_nothing_and_one(values, known):
    p = np.sort(np.array(values, np.float32))[::-1] / max(sum(values), 1)

    assert 0 <= worth_of(np.arange(len(p), dtype=np.int32)[None], p[None], np.full(len(p), known))[0] <= 1


def test_one_category_alone_can_be_worth_something():
    assert 0 <= worth([0.4], known=np.array([3]))[0] <= 1


def test_of_two_that_are_alike_the_second_waits():
    vectors = units(0, 20, 90)
    chosen = choose(np.array([0.9, 0.8, 0.5], np.float32), vectors, np.arange(3), 3)

    assert chosen.places.tolist() == [0, 2, 1]
    assert chosen.worth[:2].tolist() == pytest.approx([0.9, 0.5])
    assert 0 < chosen.worth[2] < 0.2


def test_the_same_product_is_asked_about_once():
    vectors = units(0, 1, 120, 60)
    chosen = choose(np.full(4, 0.5, np.float32), vectors, np.array([0, 1, 2, 2]), 4)

    assert chosen.places.tolist() == [0, 2, 1]
    assert chosen.twins == 1
    assert chosen.worth[2] < 0.01


def naive(worth: np.ndarray, vectors: np.ndarray, count: int) -> list[int]:
    """The same by its definition, without twins or a shortlist."""
    taken: list[int] = []
    most = np.zeros(len(worth))
    while len(taken) < min(count, len(worth)):
        value = worth * (1 - np.clip(most, 0, 1) ** SHARPNESS)
        value[taken] = -1
        taken.append(int(value.argmax()))
        most = np.maximum(most, vectors @ vectors[taken[-1]])
    return taken


SHARPNESS = 4


@given(st.integers(0, 2**32), st.integers(1, 25))
def test_it_is_the_greedy_choice_and_every_beginning_is_one(seed, count):
    chance = np.random.default_rng(seed)
    vectors = chance.standard_normal((25, 12)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    values = chance.random(25).astype(np.float32)
    whole = choose(values, vectors, np.arange(25), 25)
    some = choose(values, vectors, np.arange(25), count)

    assert some.places.tolist() == whole.places[:count].tolist() == naive(values, vectors, count)
    assert (np.diff(whole.worth) <= 0).all()


def test_products_without_anything_to_go_by_are_still_products():
    chosen = choose(np.array([0.2, 0.4], np.float32), np.zeros((2, 2), np.float32), np.arange(2), 5)

    assert chosen.places.tolist() == [1, 0]


def test_closest_and_resembling_are_what_they_say():
    asked, there = units(0, 90), units(0, 30, 80)

    assert closest(asked, there).tolist() == pytest.approx([1, np.cos(np.radians(10))])
    assert closest(asked, NOTHING).tolist() == [0, 0]
    assert resembling(asked, there).tolist() == [
        sum(np.cos(np.radians(a - b)) >= ALIKE for b in (0, 30, 80)) for a in (0, 90)
    ]
