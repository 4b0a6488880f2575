"""The report as Markdown."""

from __future__ import annotations

import pytest
from bench.goals import judge
from bench.results import Spread
from bench.table import markdown, number, report, with_range
from tests.unit.bench.runs import load, results, runs, target


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (0.1234, "0.12"), (3.456, "3.46"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12,346")],
)
def test_numbers_have_three_digits(value: float, shown: str) -> None:
    assert number(value) == shown


def test_what_was_not_measured_is_a_hyphen() -> None:
    assert number(float("nan")) == "-"
    assert with_range(None) == "-"


def test_the_range_is_told_only_where_rounds_differ() -> None:
    assert with_range(Spread(2.0, 2.0, 2.0)) == "2.00"
    assert with_range(Spread(2.0, 1.5, 2.5)) == "2.00 (1.50..2.50)"


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    run = results(nginx=target(ns16=runs([0.01, 0.02], load())), isthmus=target(ns16=runs([0.03, 0.03], load())))
    for block in report(run, judge(run)).split("\n\n"):
        lines = block.splitlines()
        if block.startswith("|"):
            assert {line.count("|") for line in lines} == {lines[0].count("|")}


def test_losses_are_told_as_plainly_as_wins() -> None:
    run = results(nginx=target(ns16=runs([0.01], load())), isthmus=target(ns16=runs([0.05], load())))
    assert "| CPU per request, 16 connections | at most 3.80 x nginx | 5.00 | **no** |" in report(run, judge(run))


def test_targets_that_were_left_out_are_named_with_the_reason() -> None:
    run = results(isthmus=target(ns16=runs([0.03], load())))
    run.skipped["litellm"] = "no network"
    assert "- litellm was left out: no network" in report(run, judge(run))


def test_a_table_without_rows_is_left_out() -> None:
    assert markdown(("a", "b"), []) == ""
