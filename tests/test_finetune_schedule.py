"""The learning rate rises, falls as a cosine, and ends at nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.finetune.schedule import progress_of, rate_at


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.9))
def test_up_then_down(a, b, warmup):
    first, second = sorted((a, b))

    assert 0 <= rate_at(a, warmup) <= 1
    if second <= warmup:
        assert rate_at(first, warmup) <= rate_at(second, warmup) + 1e-12
    if first >= warmup:
        assert rate_at(first, warmup) >= rate_at(second, warmup) - 1e-12


def test_corners():
    assert rate_at(0.1, 0.1) == pytest.approx(1)
    assert rate_at(1, 0.1) == pytest.approx(0)
    assert rate_at(0.05, 0.1) == pytest.approx(0.5)
    assert rate_at(7, 0.1) == pytest.approx(0)


def test_progress_is_by_time_where_that_is_further():
    assert progress_of(4, 10, 3, 0) == pytest.approx(0.45)
    assert progress_of(4, 10, 9, 10) == pytest.approx(0.9)
    assert progress_of(4, 10, 1, 10) == pytest.approx(0.45)
