"""`learners.matrix`: right products, and the same bits for any threads, batch and place in it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from shelfwise.learners.matrix import Workers, one_blas_thread, product


def matrices(n: int, d: int, m: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d), np.float32), rng.standard_normal((d, m), np.float32)


@given(st.integers(0, 9), st.integers(1, 140), st.integers(1, 140))
def test_products_of_any_shape(n, d, m):
    A, B = matrices(n, d, m)
    bias = np.arange(m, dtype=np.float32)
    expected = A.astype(np.float64) @ B + bias
    assert product(A, B, bias).shape == (n, m)
    np.testing.assert_allclose(product(A, B, bias), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_not_touch_the_bits(threads):
    A, B = matrices(301, 260, 131)
    with Workers(threads) as workers:
        assert workers.product(A, B).tobytes() == product(A, B).tobytes()


def test_a_row_does_not_depend_on_its_neighbours_nor_a_column():
    A, B = matrices(257, 150, 37)
    whole = product(A, B)
    for row in (0, 3, 200, 256):
        assert product(A[row : row + 1], B).tobytes() == whole[row].tobytes()
    assert product(A, B[:, 5:6]).tobytes() == np.ascontiguousarray(whole[:, 5:6]).tobytes()
    assert product(A[::-1], B).tobytes() == np.ascontiguousarray(whole[::-1]).tobytes()


def test_views_and_read_only_arrays_are_taken():
    A, B = matrices(8, 6, 5)
    B.flags.writeable = False
    A.flags.writeable = False
    np.testing.assert_allclose(product(B.T, A.T), (A @ B).T, rtol=1e-5, atol=1e-6)


def test_matrices_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="3 columns does not go with one of 4 rows"):
        product(np.ones((2, 3), np.float32), np.ones((4, 2), np.float32))


@given(st.integers(0, 300), st.integers(1, 40), st.integers(1, 40), st.booleans())
def test_products_to_fit_with_are_right_in_any_shape(n, d, m, turned):
    A, B = matrices(n, d, m)
    A = np.asfortranarray(A) if turned else A
    bias = np.arange(m, dtype=np.float32)
    with one_blas_thread():
        found = Workers().fitting(A, B, bias)
    np.testing.assert_allclose(found, A.astype(np.float64) @ B + bias, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_not_touch_what_is_fitted(threads):
    A, B = matrices(1301, 260, 131)
    with one_blas_thread(), Workers(threads) as workers:
        assert workers.fitting(A, B).tobytes() == Workers().fitting(A, B).tobytes()
        assert workers.fitting(A.T, A).tobytes() == Workers().fitting(A.T, A).tobytes()


def blas_threads() -> set[int]:
    from threadpoolctl import threadpool_info

    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_blas_has_one_thread_until_the_last_block_has_ended():
    with threadpool_limits(2, "blas"):
        first, second = one_blas_thread(), one_blas_thread()
        first.__enter__()
        second.__enter__()
        assert blas_threads() == {1}
        first.__exit__(None, None, None)
        assert blas_threads() == {1}
        second.__exit__(None, None, None)
        assert blas_threads() == {2}
