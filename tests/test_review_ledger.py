"""Where products stand after decisions, undone ones, and those of several people."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.review.decisions import Row
from shelfwise.review.ledger import DECIDED, OPEN, SKIPPED, STATES, UNSURE, Ledger


def row(seq, who="Ada", action="accept", category="B", number=0, undoes=None, at=None):
    chosen = category if action in ("accept", "keep", "move") else None
    time = at or f"2026-01-01T00:00:{seq % 60:02}.000Z"
    told = {"seq": seq, "at": time, "who": who, "key": f"k{seq}", "model": ""}
    return Row(number, f"P{number}", number, action, chosen, "A", "B", 0.5, undoes, **told)


def ledger(*rows, doubts=3):
    made = Ledger(doubts)
    made.take((one.id, one) for one in rows)
    return made


def test_the_last_row_that_was_not_undone_counts():
    made = ledger(row(1, action="accept"), row(2, action="keep", category="A"))
    assert made.choice[0].category == "A"
    made.take([(0, row(3, action="undo", undoes=2))])
    assert made.choice[0].category == "B"
    made.take([(0, row(4, action="undo", undoes=1))])
    assert made.state[0] == OPEN
    assert made.choice == {}
    assert [line["undone"] for line in made.history(0)] == [True, True, False, False]


@pytest.mark.parametrize(("action", "state"), [("unsure", UNSURE), ("skip", SKIPPED), ("move", DECIDED)])
def test_each_action_has_its_state(action, state):
    assert ledger(row(1, action=action)).state[0] == state


def test_of_two_reviewers_the_latest_counts_but_skipping_takes_nothing_back():
    made = ledger(row(1, "Ada", category="B"), row(2, "Bob", "move", "C"), row(3, "Cyd", "skip"))
    assert made.choice[0].category == "C"
    assert made.state[0] == DECIDED
    assert [other.who for other in made.others(0, "Ada")] == ["Bob"]


def test_agreement_counts_products_that_two_have_decided():
    made = ledger(
        row(1, "Ada", number=0), row(2, "Bob", number=0),
        row(3, "Ada", number=1), row(4, "Bob", "keep", "A", number=1),
        row(5, "Ada", number=2), row(6, "Bob", "unsure", number=2),
    )  # fmt: skip
    assert made.progress()["agreement"] == {"both": 2, "same": 1, "share": 0.5}


def test_progress_tells_states_actions_people_and_moves():
    made = ledger(
        row(1, at="2026-01-01T00:00:00.000Z"), row(2, at="2026-01-01T00:01:00.000Z", number=1),
        row(3, "Bob", "skip", number=2),
    )  # fmt: skip
    told = made.progress()
    assert {name: told[name] for name in ("products", *STATES)} == {
        "products": 3, "open": 0, "decided": 2, "unsure": 0, "skipped": 1,
    }  # fmt: skip
    assert told["by_action"] == {"accept": 2, "skip": 1}
    assert told["by_reviewer"] == [{"who": "Ada", "decided": 2, "per_hour": 60}]
    assert told["moved_pairs"] == [{"from": "A", "to": "B", "count": 2}]


def test_changes_since_a_row_are_told_once_each():
    made = ledger(row(1), row(2, number=1), row(3, number=1))
    assert made.changed_since(0) == [0, 1]
    assert made.changed_since(1) == [1]
    assert made.changed_since(3) == []


def test_rows_of_unknown_products_only_move_the_sequence():
    made = Ledger(1)
    assert made.take([(-1, row(7))]) == []
    assert made.seq == 7
    assert made.state.tolist() == [OPEN]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Ada", "Bob"]),
            st.sampled_from(["accept", "keep", "skip", "undo"]),
            st.integers(0, 2),
        ),
        max_size=20,
    ),
    st.integers(0, 20),
)
def test_rows_at_once_or_one_by_one_come_to_the_same(steps, cut):
    rows, undone = [], set()
    for seq, (who, action, number) in enumerate(steps, 1):
        open_rows = [r for r in rows if r.who == who and r.undoes is None and r.seq not in undone]
        if action == "undo" and not open_rows:
            continue
        if action == "undo":
            last = open_rows[-1]
            undone.add(last.seq)
            rows.append(replace(row(seq, who, "undo", number=last.id), undoes=last.seq))
        else:
            rows.append(row(seq, who, action, number=number))
    whole, parts = ledger(*rows), ledger(*rows[:cut])
    parts.take((one.id, one) for one in rows[cut:])
    assert whole.state.tolist() == parts.state.tolist()
    assert whole.choice == parts.choice
