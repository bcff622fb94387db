"""Descent to the weights of dense learners: L-BFGS for smooth convex losses, AdamW for a network's.

The same bits for any number of threads: inner products of long vectors are summed in one order, which
those of a BLAS (and so SciPy's L-BFGS) are not.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from shelfwise.features.compiled import compiled

Floats = NDArray[np.float32]
_Pair = tuple[Floats, Floats, float]


def minimise(loss: Callable[[Floats], tuple[float, Floats]], at: Floats, steps: int) -> Floats:
    """Minimise a smooth convex function (value and gradient) by L-BFGS with ten pairs and backtracking."""
    value, gradient = loss(at)
    pairs: list[_Pair] = []
    for _ in range(steps):
        direction = _direction(gradient, pairs)
        slope = dot(gradient, direction)
        length = 1.0 if pairs else min(1.0, 1.0 / max(np.sqrt(dot(gradient, gradient)), 1e-12))
        for _ in range(20):
            moved = at + np.float32(length) * direction
            new_value, new_gradient = loss(moved)
            if new_value <= value + 1e-4 * length * slope:
                break
            length /= 2
        else:
            return at
        step, change = moved - at, new_gradient - gradient
        curvature = dot(step, change)
        if curvature > 1e-10 * dot(change, change):
            pairs = [*pairs[-9:], (step, change, curvature)]
        done = value - new_value <= 1e-6 * max(abs(value), 1e-3)
        at, value, gradient = moved, new_value, new_gradient
        if done:
            break
    return at


def _direction(gradient: Floats, pairs: list[_Pair]) -> Floats:
    """Minus the inverse curvature times the gradient, by the two loops of Nocedal (1980)."""
    d = -gradient
    shares = []
    for step, change, curvature in reversed(pairs):
        shares.append(dot(step, d) / curvature)
        d -= np.float32(shares[-1]) * change
    if pairs:
        _, change, curvature = pairs[-1]
        d *= np.float32(curvature / dot(change, change))
    for (step, change, curvature), share in zip(pairs, reversed(shares), strict=True):
        d += np.float32(share - dot(change, d) / curvature) * step
    return d


@compiled
def dot(a: Floats, b: Floats) -> float:
    """Sum of products in double precision, in one fixed order."""
    total = 0.0
    for i in range(len(a)):
        total += np.float64(a[i]) * np.float64(b[i])
    return total


@compiled(error_model="numpy")  # type: ignore[untyped-decorator]
def adamw_kernel(
    weights: Floats, gradient: Floats, moments: Floats, rate: np.float32, decay: np.float32, step: int
) -> None:
    """One step of AdamW (Loshchilov, Hutter 2019) on flat weights; moments: float32 [2, weights].

    Without Python's test for a division by zero (nothing here divides by it) the loop runs on vectors.
    """
    first = np.float32(1) / np.float32(1 - 0.9**step)
    second = np.float32(1) / np.float32(1 - 0.999**step)
    for i in range(len(weights)):
        g = gradient[i]
        m = moments[0, i] + np.float32(0.1) * (g - moments[0, i])
        v = moments[1, i] + np.float32(0.001) * (g * g - moments[1, i])
        moments[0, i] = m
        moments[1, i] = v
        weights[i] -= rate * (m * first / (np.sqrt(v * second) + np.float32(1e-8)) + decay * weights[i])
