"""The Model Openness Framework: our classes against the published test cases, and the rules one by one."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.unit.catalog.openness.records import LICENCES, licence

from isthmus.catalog.openness.components import COMPONENTS, Given, Release, title
from isthmus.catalog.openness.mof import PAPER, TOOL, badge, classify
from isthmus.catalog.openness.open_licences import UNLICENSED

CASES: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("mof_cases.toml").read_text())["case"]


def full(licence: str = "", **others: str) -> dict[str, str]:
    """Every component under one licence, some under others."""
    return dict.fromkeys(COMPONENTS, licence) | others


def listed(components: dict[str, str], **global_licences: str) -> Release:
    return Release.listed(components, global_licences)  # type: ignore[arg-type]  # names of components


def test_there_are_as_many_published_cases_as_the_tool_has_files() -> None:
    assert len(CASES) == 27
    assert [len(case["components"]) for case in CASES] == [int(case["name"].split()[1][:-1]) for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_published_case_has_the_class_that_the_tool_gives_it(case: dict[str, Any]) -> None:
    expected = next((name for name in ("I", "II", "III") if case["percent"][name] == 100), None)

    found = classify(Release.listed(case["components"], case["global"]), TOOL, {})

    assert found.achieved == expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_published_case_has_as_many_open_components_as_the_tool_counts(case: dict[str, Any]) -> None:
    found = classify(Release.listed(case["components"], case["global"]), TOOL, {})

    assert sum(part.counts for part in found.parts) == case["open"]
    refused = [part for part in found.parts if part.standing == "no open licence" and part.licences != (UNLICENSED,)]
    assert len(refused) == case["not_open"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_published_case_is_as_far_on_the_way_to_class_iii_as_the_tool_says(case: dict[str, Any]) -> None:
    found = classify(Release.listed(case["components"], case["global"]), TOOL, {})

    missing = len(found.failing) if found.achieved is None else 0
    assert round(100 * (6 - missing) / 6) == case["percent"]["III"]


def test_all_there_under_one_open_licence_is_class_i() -> None:
    assert classify(listed(full("Apache-2.0")), TOOL, {}).achieved == "I"


def test_a_class_needs_all_of_the_easier_ones() -> None:
    components = full("MIT")
    del components["data_card"]

    found = classify(listed(components), TOOL, {})

    assert found.achieved is None
    assert [part.component for part in found.failing] == ["data_card"]


def test_a_research_paper_stands_in_for_the_technical_report_in_every_class() -> None:
    components = full("MIT")
    del components["technical_report"]

    assert classify(listed(components), TOOL, {}).achieved == "I"


def test_a_paper_under_the_licence_of_its_archive_stands_in_for_nothing() -> None:
    components = full("MIT", research_paper="arXiv.org perpetual non-exclusive license 1.0")
    del components["technical_report"]

    assert classify(listed(components), TOOL, {}).achieved is None


def test_a_licence_of_the_component_goes_before_that_of_its_type_and_that_before_the_general_one() -> None:
    assert classify(listed(full(), distribution="CC-BY-NC-4.0", document="MIT"), TOOL, {}).achieved is None
    by_type = listed(full(), distribution="CC-BY-NC-4.0", document="MIT", code="MIT", data="CC-BY-4.0")
    assert classify(by_type, TOOL, {}).achieved == "I"
    own = listed(full(datasets="CC-BY-NC-4.0"), distribution="MIT")
    assert classify(own, TOOL, {}).achieved == "II"


def test_what_is_given_without_a_licence_counts_for_nothing_though_there_is_a_general_one() -> None:
    assert classify(listed(full(model_card=UNLICENSED), distribution="MIT"), TOOL, {}).achieved is None


def test_an_expression_or_a_licence_spelt_another_way_is_not_open_to_the_tool() -> None:
    for name in ("Apache 2.0", "MIT license", "Component not include.", "apache-2.0"):
        assert classify(listed(full("MIT", model_card=name)), TOOL, {}).achieved is None


def test_the_paper_lets_datasets_count_under_any_licence_and_the_tool_does_not() -> None:
    for name in ("CC-BY-NC-4.0", UNLICENSED):
        release = listed(full("MIT", datasets=name))
        assert classify(release, TOOL, {}).achieved == "II"
        assert classify(release, PAPER, {}).achieved == "I"


@pytest.mark.parametrize(("name", "tool", "paper"), [
    ("ODC-PDDL-1.0", True, False),
    ("PDDL-1.0", False, True),
    ("OpenMDW-1.0", True, True),
    ("OpenMDW-1.1", False, True),
    ("CC-BY-SA-3.0", True, True),
    ("GFDL-1.2", True, True),
    ("CC-BY-NC-4.0", False, False),
])  # fmt: skip
def test_the_lists_of_open_licences_of_tool_and_paper_differ_in_a_few(name: str, *, tool: bool, paper: bool) -> None:
    release = listed(full("MIT", model_card=name))
    assert (classify(release, TOOL, {}).achieved == "I") is tool
    assert (classify(release, PAPER, {}).achieved == "I") is paper


def test_a_licence_of_ours_is_judged_by_the_spdx_identifier_it_has() -> None:
    records = {"ours": LICENCES["Apache-2.0"]}
    release = listed(full("ours"))
    assert classify(release, TOOL, records).achieved == "I"
    assert classify(release, TOOL, {}).achieved is None


def test_a_licence_without_an_spdx_identifier_is_judged_by_what_its_record_says() -> None:
    records = {
        "LicenseRef-with-a-line-more": licence("LicenseRef-with-a-line-more", osi_approved=True),
        "LicenseRef-own": licence("LicenseRef-own"),
    }
    for rules in (TOOL, PAPER):
        assert classify(listed(full("LicenseRef-with-a-line-more")), rules, records).achieved == "I"
        assert classify(listed(full("LicenseRef-own")), rules, records).achieved is None


def test_what_is_there_in_part_or_unknown_or_under_an_unknown_licence_does_not_count() -> None:
    for given, standing in (
        (Given(present="partial", licences=("MIT",)), "in part"),
        (Given(present=None, licences=("MIT",)), "unknown"),
        (Given(present="yes"), "licence unknown"),
        (Given(present="yes", licences=("MIT", "CC-BY-NC-4.0")), "no open licence"),
    ):
        release = Release(components={**listed(full("MIT")).components, "data_card": given})
        found = classify(release, TOOL, {})
        assert found.achieved is None
        assert [(part.component, part.standing) for part in found.failing] == [("data_card", standing)]


def test_where_only_unknown_things_stand_in_the_way_the_class_is_unknown() -> None:
    assert badge(Release(components={}), TOOL, {}).result == "unknown"
    assert badge(listed({}), TOOL, {}).result == "unclassified"
    known = {**listed(full("MIT")).components, "model_card": Given(present=None)}
    assert badge(Release(components=known), TOOL, {}).result == "unknown"


def test_a_badge_names_what_is_missing_for_the_next_class() -> None:
    components = full("MIT", evaluation_data="CC-BY-NC-4.0")
    del components["training_code"]

    found = badge(listed(components), TOOL, {})

    assert found.result == "class III"
    assert found.missing == ("training code: missing", "evaluation data: no open licence (CC-BY-NC-4.0)")
    assert len(found.parts) == 17


def test_components_have_titles_for_people() -> None:
    assert title("model_parameters_final") == "model parameters (final)"
    assert title("data_card") == "data card"
