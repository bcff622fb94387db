"""`learners.descent`: L-BFGS finds minima, AdamW is AdamW."""

from __future__ import annotations

import numpy as np

from shelfwise.learners.descent import adamw_kernel, dot, minimise


def test_a_badly_scaled_bowl_is_minimised():
    scale = np.geomspace(1, 1000, 30).astype(np.float32)
    bottom = np.linspace(-2, 3, 30).astype(np.float32)

    def bowl(x):
        return float((scale * (x - bottom) ** 2).sum(dtype=np.float64)) / 2 + 1, scale * (x - bottom)

    found = minimise(bowl, np.zeros(30, np.float32), 200)
    assert bowl(found)[0] < 1.001
    assert bowl(minimise(bowl, np.zeros(30, np.float32), 3))[0] > 1.001  # it is not found by luck


def test_a_minimum_is_left_where_it_is():
    start = np.array([1.0, 2.0], np.float32)
    found = minimise(lambda x: (float(((x - start) ** 2).sum()), 2 * (x - start)), start.copy(), 10)
    assert found.tobytes() == start.tobytes()


def test_dot_sums_in_double_precision():
    many = np.full(1 << 20, 0.1, np.float32)
    assert dot(many, many) == np.square(many.astype(np.float64)).cumsum()[-1]


def test_adamw_steps_as_published():
    rng = np.random.default_rng(0)
    weights, moments = rng.standard_normal(50).astype(np.float32), np.zeros((2, 50), np.float32)
    expected, m, v = weights.astype(np.float64), np.zeros(50), np.zeros(50)
    for step in range(1, 6):
        gradient = rng.standard_normal(50).astype(np.float32)
        adamw_kernel(weights, gradient, moments, np.float32(0.01), np.float32(0.1), step)
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient.astype(np.float64) ** 2
        mean, square = m / (1 - 0.9**step), v / (1 - 0.999**step)
        expected = expected - 0.01 * (mean / (np.sqrt(square) + 1e-8) + 0.1 * expected)
    np.testing.assert_allclose(weights, expected, rtol=1e-4, atol=1e-5)
