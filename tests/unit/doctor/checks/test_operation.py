"""OP-1 to OP-5: what ends, what nobody read again, what accounts keep, what is elsewhere, unusable settings."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec
import pytest
from tests.unit.doctor.scenes import TODAY, Machine, catalog, found, offer, severities

from isthmus.catalog.facts import Observation
from isthmus.catalog.records.offer import Region
from isthmus.domain.errors import ConfigError
from isthmus.domain.label import Label
from isthmus.domain.offer import Offer
from isthmus.perimeter.policy import Needs, Policy, Rule
from isthmus.providers.accounts.kept import keep, subject_of


def days(count: int) -> date:
    return TODAY + timedelta(days=count)


@pytest.mark.parametrize(
    ("left", "severity"),
    [(91, []), (90, ["warn"]), (31, ["warn"]), (30, ["high"]), (0, ["high"]), (-1, ["high"])],
)
def test_a_model_that_ends_is_told_at_90_30_and_0_days(machine: Machine, left: int, severity: list[str]) -> None:
    scene = machine.scene(settings=machine.settings(offer()), catalog=catalog(retires_on=(days(left),)))
    assert severities("OP-1", scene) == severity


def test_successor_and_workloads_are_told(machine: Machine) -> None:
    scene = machine.scene(settings=machine.settings(offer()), catalog=catalog(retires_on=(days(20),)))
    (finding,) = found("OP-1", scene)
    assert finding.found == "It ends on 2026-12-11, in 20 days, says page, read 2026-11-21. Workloads: work."
    assert "gpt-5.4-mini" in finding.remedy


def test_where_feeds_disagree_the_earliest_day_is_told(machine: Machine) -> None:
    scene = machine.scene(settings=machine.settings(offer()), catalog=catalog(retires_on=(days(300), days(10))))
    assert "in 10 days" in found("OP-1", scene)[0].found
    assert "the feeds name 2027-09-17, too" in found("OP-1", scene)[0].found


def test_the_day_of_the_settings_goes_before_that_of_the_feeds(machine: Machine) -> None:
    settings = machine.settings(offer(retired_on=days(5)))
    scene = machine.scene(settings=settings, catalog=catalog(retires_on=(days(300),)))
    assert "in 5 days" in found("OP-1", scene)[0].found


def test_own_models_do_not_end(machine: Machine) -> None:
    settings = machine.settings(offer(side="own"))
    assert found("OP-1", machine.scene(settings=settings, catalog=catalog(retires_on=(days(1),)))) == []


@pytest.mark.parametrize(
    ("age", "volatility", "told"), [(8, "fast", 1), (7, "fast", 0), (91, "medium", 1), (90, "medium", 0)]
)
def test_terms_that_nobody_read_for_longer_than_they_keep_are_told(
    machine: Machine, age: int, volatility: str, told: int
) -> None:
    settings = machine.settings(offer("a", terms="openai/api"), offer("b", terms="openai/api"))
    scene = machine.scene(settings=settings, catalog=catalog(read_on=days(-age), volatility=volatility))
    findings = found("OP-2", scene)
    assert len(findings) == told
    if told:
        assert findings[0].subject == "terms openai/api, of a, b"
        assert "retention.default_days (read on" in findings[0].found


def test_terms_that_no_offer_is_used_under_are_not(machine: Machine) -> None:
    scene = machine.scene(settings=machine.settings(offer()), catalog=catalog(read_on=days(-900)))
    assert found("OP-2", scene) == []


def observed(machine: Machine, one: Offer, *, ago: int = 0, **values: Any) -> None:
    facts: dict[str, Any] = {
        "offer": one.name,
        "terms": "openai/api",
        "subject": subject_of(one),
        "setting": "data_retention",
        "says": "It keeps what it is sent.",
        "observed_at": datetime.combine(days(-ago), time.min, tzinfo=UTC),
        "where": "https://api.openai.com/v1/organization",
    }
    keep(machine.state, Observation(**(facts | values)))


def test_an_account_that_keeps_longer_than_is_set_here_is_told(machine: Machine) -> None:
    one = offer(retention_days=0, training="never")
    observed(machine, one, retention_days=30, training="opt-out")
    scene = machine.scene(settings=machine.settings(one))
    first, second = found("OP-3", scene)
    assert "keeps what it is sent for 30 days" in first.found
    assert "opt-out" in second.found
    assert severities("OP-3", scene) == ["high", "high"]


def test_an_account_as_it_is_set_here_or_never_asked_is_fine(machine: Machine) -> None:
    asked, stricter, unasked = (
        offer("a", retention_days=30),
        offer("b", retention_days=30),
        offer("c", retention_days=0),
    )
    observed(machine, asked, retention_days=30)
    observed(machine, stricter, retention_days=0)
    assert found("OP-3", machine.scene(settings=machine.settings(asked, stricter, unasked))) == []


def test_what_was_read_of_an_account_too_long_ago_is_told(machine: Machine) -> None:
    one = offer(retention_days=30)
    observed(machine, one, ago=31, retention_days=30)
    scene = machine.scene(settings=machine.settings(one))
    assert severities("OP-3", scene) == ["warn"]
    assert "isthmus catalog account gpt" in found("OP-3", scene)[0].remedy
    observed(machine, one, ago=30, retention_days=30)
    assert found("OP-3", scene) == []


def test_labels_that_an_account_keeps_away_are_told(machine: Machine) -> None:
    one = offer(retention_days=30)
    observed(machine, one, retention_days=30)
    rule = Rule(label=Label("pii"), needs=Needs(retention_days_max=0))
    strict = replace(machine.settings(one), policy=Policy({rule.label: rule}, "0" * 16))
    assert severities("OP-3", machine.scene(settings=strict)) == ["warn"]
    wide = Rule(label=Label("pii"), needs=Needs(retention_days_max=30))
    fine = replace(strict, policy=Policy({wide.label: wide}, "0" * 16))
    assert found("OP-3", machine.scene(settings=fine)) == []


def test_an_address_in_another_place_than_it_is_set_for_is_told_with_the_right_one(machine: Machine) -> None:
    scene = machine.scene(settings=machine.settings(offer(region="EU")))
    (finding,) = found("OP-4", scene)
    assert finding.found == "It is set to process in EU, and api.openai.com processes in US."
    assert "eu.api.openai.com" in finding.remedy


def test_a_host_of_which_nobody_tells_the_place_is_told_where_others_have_one(machine: Machine) -> None:
    known = catalog()
    silent = msgspec.structs.replace(known.offers["openai/direct/us"], region=Region())
    scene = machine.scene(
        settings=machine.settings(offer(region="EU")),
        catalog=msgspec.structs.replace(known, offers={**known.offers, "openai/direct/us": silent}),
    )
    assert severities("OP-4", scene) == ["warn"]
    assert "eu.api.openai.com (EU)" in found("OP-4", scene)[0].remedy


def test_an_unknown_host_is_told_where_the_place_has_a_known_one(machine: Machine) -> None:
    one = offer(region="EU", base_url="https://proxy.example.com/v1")
    assert severities("OP-4", machine.scene(settings=machine.settings(one))) == ["warn"]


@pytest.mark.parametrize(
    "one",
    [
        offer(region="EU", base_url="https://eu.api.openai.com/v1"),
        offer(region="US"),
        offer(region="EEA+CH", base_url="https://eu.api.openai.com/v1"),
        offer(region="somewhere"),
        offer(),
        offer(region="EU", side="own", provider="openai"),
        offer(region="EU", provider="nobody", base_url="https://nobody.example/v1"),
    ],
)
def test_an_address_that_fits_or_of_which_nothing_is_known_is_fine(machine: Machine, one: Offer) -> None:
    assert found("OP-4", machine.scene(settings=machine.settings(one))) == []


def test_settings_that_cannot_be_used_are_told_problem_by_problem(machine: Machine) -> None:
    problem = ConfigError("The settings cannot be used.", problems=("line 1: is not TOML", "line 2: neither"))
    scene = machine.scene(settings=None, problem=problem)
    assert [finding.found for finding in found("OP-5", scene)] == ["line 1: is not TOML", "line 2: neither"]
    assert found("OP-5", machine.scene()) == []
