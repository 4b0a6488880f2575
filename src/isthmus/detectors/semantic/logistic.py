"""Logistic regression with an L2 penalty, fitted by Newton's method.

Knows nothing of texts. With a few hundred columns one Newton step is a small linear system, and a handful of steps
reach the optimum exactly, which is why no solver is a dependency.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STEPS = 100
"""Far above the ten or so that Newton takes: reaching it means that the problem is not what it should be."""
_CONVERGED = 1e-10
"""Of half the squared Newton decrement per row, which bounds how far the objective is from its minimum."""


@dataclass(frozen=True, slots=True)
class Line:
    """A fitted separation: the log odds of a row `x` are `x @ weights + bias`."""

    weights: Floats  # (columns,)
    bias: float

    def log_odds(self, rows: Floats) -> Floats:
        return rows @ self.weights + self.bias  # (rows,)


def fit_line(rows: Floats, targets: Floats, importance: Floats, penalty: float) -> Line:
    """The line that minimises  Σᵢ importanceᵢ · loss(targetᵢ, log oddsᵢ) + penalty/2 · |weights|².

    The bias carries no penalty.

    Args:
        rows: (rows, columns).
        targets: 1.0 for what is to be found, 0.0 for the rest.
        importance: how much each row counts; not negative.
        penalty: above zero, which makes the minimum unique wherever both targets occur.

    Raises:
        ValueError: only one of the two targets occurs, or the penalty is not positive.
    """
    counted = targets[importance > 0]
    if counted.size == 0 or counted.min() == counted.max():
        raise ValueError("A line needs rows on both of its sides.")
    if not penalty > 0:
        raise ValueError("The penalty must be above zero.")
    design = np.hstack([rows, np.ones((len(rows), 1))])  # (rows, columns + 1), the last column for the bias
    ridge = np.full(design.shape[1], penalty)
    ridge[-1] = 0.0
    at = np.zeros(design.shape[1])
    value = _objective(design, targets, importance, ridge, at)
    for _ in range(_STEPS):
        chance = _logistic(design @ at)
        slope = design.T @ (importance * (chance - targets)) + ridge * at
        curvature = (design * (importance * chance * (1.0 - chance))[:, None]).T @ design + np.diag(ridge)
        step = np.linalg.solve(curvature, slope)
        decrement = float(slope @ step)
        if decrement / 2 <= _CONVERGED * float(importance.sum()):
            return Line(weights=at[:-1], bias=float(at[-1]))
        at, value = _descend(design, targets, importance, ridge, at, value, step, decrement)
    raise ValueError("The fit does not settle; are all the numbers finite?")


def _descend(
    design: Floats,
    targets: Floats,
    importance: Floats,
    ridge: Floats,
    at: Floats,
    value: float,
    step: Floats,
    decrement: float,
) -> tuple[Floats, float]:
    """The point along the Newton step, halved until the objective falls enough (Armijo), and the value there."""
    length = 1.0
    while True:
        there = at - length * step
        reached = _objective(design, targets, importance, ridge, there)
        if reached <= value - 1e-4 * length * decrement or length < 1e-9:
            return there, reached
        length /= 2


def _objective(design: Floats, targets: Floats, importance: Floats, ridge: Floats, at: Floats) -> float:
    odds = design @ at
    return float(importance @ (np.logaddexp(0.0, odds) - targets * odds) + 0.5 * (ridge @ (at * at)))


def _logistic(odds: Floats) -> Floats:
    return np.exp(-np.logaddexp(0.0, -odds))
