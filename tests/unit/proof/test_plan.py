"""What is tried covers what it says it covers."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from tests.unit.proof.stages import written

from isthmus.proof.endpoints import ENDPOINTS
from isthmus.proof.plan import FAILURES, Cell, Plan, labels_of, plan
from isthmus.proof.ways import WAYS
from isthmus.settings import Settings


def pairs(cells: list[Cell], *names: str) -> set[tuple[Any, ...]]:
    return {tuple(getattr(cell, name) for name in names) for cell in cells}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return written(tmp_path)


def tried(planned: Plan, *, failing: bool) -> list[Cell]:
    return [cell for cell in planned.cells if cell.label is not None and (cell.failure != "none") == failing]


def test_the_whole_plan_is_the_full_product(settings: Settings) -> None:
    planned = plan(settings, [], quick=False)
    assert planned.full
    targets = [*settings.workloads, *settings.offers]
    ways = [way for way in WAYS if way.declares != "key"]
    expected = set(itertools.product(planned.labels, ways, ENDPOINTS, targets))
    assert pairs(tried(planned, failing=False), "label", "way", "endpoint", "target") == expected


@pytest.mark.parametrize("quick", [True, False])
def test_every_two_things_meet(settings: Settings, quick: bool) -> None:
    planned = plan(settings, [], quick=quick)
    values: dict[str, list[Any]] = {
        "label": list(planned.labels),
        "way": [way for way in WAYS if way.declares != "key"],
        "endpoint": list(ENDPOINTS),
        "target": [*settings.workloads, *settings.offers],
    }
    for first, second in itertools.combinations(values, 2):
        met = pairs(tried(planned, failing=False), first, second)
        assert met == set(itertools.product(values[first], values[second]))
    if quick:
        del values["way"]
    for name, of in values.items():
        assert pairs(tried(planned, failing=True), "failure", name) == set(itertools.product(FAILURES, of))


def test_every_kind_is_tried(settings: Settings) -> None:
    planned = plan(settings, [], quick=False)
    kinds = {kind for rule in settings.policy.rules.values() for kind in rule.kinds}
    assert {cell.kind for cell in planned.cells if cell.way == WAYS[0]} >= kinds


def test_what_fails_is_the_first_offer_that_may_be_asked(settings: Settings) -> None:
    planned = plan(settings, [], quick=True)
    failing = {(cell.label, cell.failing) for cell in tried(planned, failing=True) if cell.target == "support"}
    assert failing >= {("phi", "home"), ("internal", "gpt")}


def test_there_are_controls_for_every_way_that_declares_nothing(settings: Settings) -> None:
    controls = [cell for cell in plan(settings, [], quick=True).cells if cell.label is None]
    assert {cell.way for cell in controls} == {way for way in WAYS if not way.declares and not way.recalls}


def test_labels_are_those_of_rules_workloads_keys_and_clearances(tmp_path: Path) -> None:
    text = """
[offers.home]
model = "m"
provider = "openai-compatible"
url = "http://10.0.0.1/v1"
side = "own"
cleared = ["phi"]

[labels.legal]
needs = { side = ["own"] }
implies = ["internal"]

[workloads.w]
offers = ["home"]
labels = ["hr"]
"""
    assert labels_of(written(tmp_path, text), []) == ["legal", "internal", "hr", "phi"]


def test_it_says_what_lineage_cannot_be_asked(tmp_path: Path) -> None:
    text = """
[offers.home]
model = "m"
provider = "ollama"

[labels.legal]
needs = { side = ["own"] }

[perimeter]
lineage = false
"""
    planned = plan(written(tmp_path, text), [], quick=True)
    assert any("out of a registered document" in sentence for sentence in planned.left_out)
    assert not any(cell.way.recalls for cell in planned.cells)


def test_kinds_found_by_meaning_are_tried_in_plain_text_only(tmp_path: Path) -> None:
    text = """
[offers.home]
model = "m"
provider = "ollama"

[labels.health]
detect = ["health"]
needs = { side = ["own"] }
"""
    planned = plan(written(tmp_path, text), [], quick=False)
    assert {cell.way.plain for cell in planned.cells if cell.kind == "health"} == {True}
    assert any("found by meaning" in sentence for sentence in planned.left_out)
