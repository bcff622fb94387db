"""`decide.decision`: the out-of-fold record, its keeping, and promises made from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.decide.decision import Decision, Record, chain_of
from shelfwise.decide.fusion import Fusion
from shelfwise.decide.pool import Pool
from shelfwise.decide.promise import choose_shelf
from shelfwise.errors import ModelError, PromiseError

TREE = Taxonomy.build(
    ["Shoes > Men > Boots", "Shoes > Men > Pumps", "Shoes > Women", "Watches"], separator=" > "
)
BOOTS, PUMPS, WOMEN, WATCHES = range(4)
FUSION = Fusion(Pool({"ngrams": 1.0}, 3.0), np.full(4, 0.25, np.float32))


def record_of(probabilities: list[list[float]], y: list[int]) -> Record:
    return Record.of(
        np.array(probabilities, np.float32), np.array(y, np.int32), TREE, np.arange(len(y), dtype=np.int64)
    )


def simulate(rows: int = 3000, seed: int = 0) -> Record:
    """Calibrated answers: each is right as often as it says."""
    rng = np.random.default_rng(seed)
    sharp = np.exp(rng.normal(size=(rows, 4)) * 4)
    p = (sharp / sharp.sum(axis=1, keepdims=True)).astype(np.float32)
    y = (np.log(p) + rng.gumbel(size=p.shape)).argmax(axis=1).astype(np.int32)
    return Record.of(p, y, TREE, np.arange(rows, dtype=np.int64))


# -- the record ----------------------------------------------------------------------------------------------


def test_some_answers_of_a_record_in_a_tree_of_another_depth():
    record = record_of([[0.5, 0.2, 0.2, 0.1], [0.1, 0.1, 0.1, 0.7]], [BOOTS, WATCHES])
    deeper = record.only(np.array([1]), np.array([7]), 4)

    assert deeper.confidence.tolist() == record.confidence[1:].tolist()
    assert (deeper.right.tolist(), deeper.groups.tolist()) == ([True], [7])
    np.testing.assert_array_equal(deeper.chain, [[*record.chain[1], record.chain[1, -1]]])
    np.testing.assert_array_equal(record.only(np.array([0]), np.array([0]), 2).chain, record.chain[:1, :2])


def test_a_record_holds_the_chain_of_the_best_category():
    record = record_of([[0.5, 0.2, 0.2, 0.1]], [BOOTS])
    assert record.confidence.tolist() == [0.5]
    assert record.right.tolist() == [True]
    np.testing.assert_allclose(record.chain, [[0.9, 0.7, 0.5]], rtol=1e-6)


@pytest.mark.parametrize(
    ("truth", "right_down_to"),
    [
        (BOOTS, [True, True, True]),
        (PUMPS, [True, True, False]),
        (WOMEN, [True, False, False]),
        (WATCHES, [False] * 3),
    ],
)
def test_a_shelf_is_right_when_the_truth_lies_below_it(truth, right_down_to):
    record = record_of([[0.7, 0.1, 0.1, 0.1]], [truth])
    assert record.chain_right.tolist() == [right_down_to]
    assert record.right.tolist() == [truth == BOOTS]


def test_a_chain_once_wrong_stays_wrong():
    record = simulate()
    assert (np.diff(record.chain_right.astype(int), axis=1) <= 0).all()
    assert (record.chain_right[:, -1] == record.right).all()  # no two labels of this tree share a path


def test_chains_never_rise_nor_pass_one():
    rng = np.random.default_rng(0)
    p = rng.dirichlet([0.1] * 4, 500).astype(np.float32) * np.float32(1 + 1e-6)
    chain = chain_of(p, p.argmax(axis=1), TREE)
    assert chain.dtype == np.float32
    assert chain.max() <= 1
    assert (np.diff(chain, axis=1) <= 0).all()


@given(st.integers(0, 1000), st.sampled_from([0.05, 1.0]))
def test_chains_are_the_sums_of_the_tree_to_the_bit(seed, spread):
    rng = np.random.default_rng(seed)
    labels = sorted({" > ".join("abc"[: d + 1]) + str(i) for i, d in enumerate(rng.integers(0, 3, 30))})
    tree = Taxonomy.build([*labels, "a", "a > b", "z"], separator=" > ")
    p = rng.dirichlet([spread] * len(tree.labels), 20).astype(np.float32)
    best = p.argmax(axis=1)
    sums = np.take_along_axis(tree.roll_up(p), tree.chains[best], axis=1)
    expected = np.minimum(np.minimum.accumulate(sums, axis=1), np.float32(1))
    assert chain_of(p, best, tree).tobytes() == expected.tobytes()


def test_a_record_comes_back_bit_for_bit():
    record = simulate(50)
    tensors = record.tensors()
    restored = Record.restore(tensors)
    for name in record.__dataclass_fields__:
        before, after = getattr(record, name), getattr(restored, name)
        assert (before.dtype, before.tobytes()) == (after.dtype, after.tobytes()), name
    assert not any(array.dtype == bool for array in tensors.values())  # safetensors of old readers: no bool


def test_a_damaged_record_names_what_is_missing():
    tensors = simulate(5).tensors()
    del tensors["chain"]
    with pytest.raises(ModelError, match="lacks 'chain'"):
        Record.restore(tensors)


# -- promises ------------------------------------------------------------------------------------------------


def test_a_promise_is_made_once():
    decision = Decision(FUSION, simulate(), 0.1)
    assert decision.promise(0.9) is decision.promise(0.9)
    assert decision.shelf_promise(0.9) is decision.shelf_promise(0.9)
    assert decision.promise(0.9) is not decision.promise(0.8)
    assert decision.promise(0.9).threshold < decision.promise(0.99).threshold


def test_decisions_do_not_share_promises():
    one, two = (Decision(FUSION, simulate(seed=seed), 0.1) for seed in (0, 1))
    assert one.promise(0.9).coverage != two.promise(0.9).coverage


def test_a_promise_is_kept_on_new_products():
    promise = Decision(FUSION, simulate(), 0.1).promise(0.95)
    fresh = simulate(20_000, seed=1)
    accepted = promise.accepts(fresh.confidence)
    assert accepted.mean() > 0.3
    assert fresh.right[accepted].mean() >= 0.95


def test_a_shelf_promise_is_kept_on_new_products_and_covers_more():
    decision = Decision(FUSION, simulate(), 0.1)
    promise = decision.shelf_promise(0.95)
    fresh = simulate(20_000, seed=1)
    level = choose_shelf(fresh.chain, promise.threshold)
    given = level >= 0
    assert fresh.chain_right[given, level[given]].mean() >= 0.95
    assert given.mean() > decision.promise(0.95).coverage


def test_a_promise_that_the_record_cannot_bear_is_refused_each_time():
    decision = Decision(FUSION, record_of([[0.9, 0.1, 0, 0]] * 5, [BOOTS] * 5), 0.1)
    for _ in range(2):
        with pytest.raises(PromiseError):
            decision.promise(0.99)
