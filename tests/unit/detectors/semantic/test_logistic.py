from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.detectors.semantic.logistic import fit_line


def test_without_columns_the_bias_is_the_log_odds_of_the_share() -> None:
    targets = np.array([1.0, 1.0, 1.0, 0.0])
    line = fit_line(np.zeros((4, 1)), targets, np.ones(4), penalty=1.0)
    assert line.bias == pytest.approx(np.log(3.0), abs=1e-4)
    assert line.weights == pytest.approx([0.0])


def test_two_opposite_rows_meet_the_closed_condition() -> None:
    """For rows +1 and -1 with targets 1 and 0 the optimum solves  penalty * w = 2 / (1 + exp(w)), with bias 0."""
    penalty = 0.5
    line = fit_line(np.array([[1.0], [-1.0]]), np.array([1.0, 0.0]), np.ones(2), penalty)
    weight = float(line.weights[0])
    assert penalty * weight == pytest.approx(2 / (1 + np.exp(weight)), abs=1e-4)
    assert line.bias == pytest.approx(0.0, abs=1e-6)


@given(seed=st.integers(0, 10_000), penalty=st.sampled_from([0.01, 0.3, 5.0]))
@settings(max_examples=30, deadline=None)
def test_at_the_fit_the_slope_is_flat(seed: int, penalty: float) -> None:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(40, 5))
    targets = (random.random(40) < 0.4).astype(float)
    targets[:2] = [0.0, 1.0]
    importance = random.random(40) + 0.1
    line = fit_line(rows, targets, importance, penalty)
    miss = importance * (1 / (1 + np.exp(-line.log_odds(rows))) - targets)
    assert rows.T @ miss + penalty * line.weights == pytest.approx(np.zeros(5), abs=1e-3)
    assert miss.sum() == pytest.approx(0.0, abs=1e-3)


def test_a_row_that_counts_twice_is_as_good_as_two_rows() -> None:
    rows, targets = np.array([[0.0], [1.0], [2.0]]), np.array([0.0, 1.0, 0.0])
    twice = fit_line(rows, targets, np.array([1.0, 2.0, 1.0]), 0.1)
    doubled = fit_line(np.vstack([rows, [[1.0]]]), np.append(targets, 1.0), np.ones(4), 0.1)
    assert twice.log_odds(rows) == pytest.approx(doubled.log_odds(rows), abs=1e-4)


def test_only_one_target_is_refused() -> None:
    with pytest.raises(ValueError, match="both"):
        fit_line(np.eye(3), np.ones(3), np.ones(3), 1.0)


def test_a_penalty_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="penalty"):
        fit_line(np.eye(2), np.array([0.0, 1.0]), np.ones(2), 0.0)
