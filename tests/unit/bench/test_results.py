"""Statistics over rounds."""

from __future__ import annotations

import math

from bench.results import LedgerCount, Memory, excess, ratio, spread
from hypothesis import given
from hypothesis import strategies as st

ROUNDS = st.dictionaries(st.integers(0, 9), st.floats(0.001, 1e6), min_size=1)


def test_a_ratio_is_taken_within_each_round_and_then_the_median() -> None:
    ours = {0: 40.0, 1: 90.0, 2: 60.0}
    theirs = {0: 20.0, 1: 30.0, 2: 20.0}
    assert ratio(ours, theirs) == (3.0, 2.0, 3.0)


def test_rounds_that_only_one_side_has_are_left_out_of_a_ratio() -> None:
    assert ratio({0: 10.0, 1: 99.0}, {0: 5.0, 2: 1.0}) == (2.0, 2.0, 2.0)


def test_no_common_round_gives_no_ratio() -> None:
    assert ratio({0: 1.0}, {1: 1.0}) is None
    assert ratio({0: 1.0}, {0: 0.0}) is None


@given(ROUNDS, st.floats(0.1, 100))
def test_a_round_in_which_the_machine_slows_both_alike_leaves_the_ratio_alone(
    figures: dict[int, float], slowdown: float
) -> None:
    calm = ratio({n: 3 * v for n, v in figures.items()}, figures)
    noisy = ratio({n: 3 * v * slowdown for n, v in figures.items()}, {n: v * slowdown for n, v in figures.items()})
    assert calm is not None
    assert noisy is not None
    assert math.isclose(calm.median, noisy.median)


@given(ROUNDS)
def test_the_median_lies_between_the_lowest_and_the_highest(figures: dict[int, float]) -> None:
    found = spread(list(figures.values()))
    assert found is not None
    assert found.low <= found.median <= found.high


def test_latency_added_is_the_difference_within_a_round() -> None:
    assert excess({0: 110.0, 1: 250.0}, {0: 10.0, 1: 20.0}) == (165.0, 100.0, 230.0)


def test_memory_per_stream_counts_the_streams_that_were_seen_open() -> None:
    assert Memory(base_kb=1000, open_kb=3000, streams=100).kb_per_stream == 20.0


def count(*, sent: int, answered: int, entries: int, priced: int) -> LedgerCount:
    return LedgerCount(round=0, sent=sent, answered=answered, entries=entries, priced=priced)


def test_a_ledger_is_complete_when_every_answer_is_priced_and_nothing_is_invented() -> None:
    assert count(sent=110, answered=100, entries=108, priced=100).complete
    assert not count(sent=110, answered=100, entries=108, priced=99).complete
    assert not count(sent=110, answered=100, entries=111, priced=111).complete
