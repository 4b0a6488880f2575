"""The terms that come along: dated, in our own words, with exceptions and with every reading where sources disagree."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, get_args

import msgspec
import pytest

from isthmus.catalog.claim import Claim
from isthmus.catalog.reading import read_record
from isthmus.catalog.records.provider import ProviderRecord
from isthmus.catalog.records.terms import TermsRecord
from isthmus.domain.licensing import Use
from isthmus.providers.accounts.registry import all_probes
from isthmus.providers.compatible import services

SEED = files("isthmus.catalog").joinpath("seed")

EXPECTED = {
    "anthropic/api",
    "aws/bedrock",
    "azure/direct",
    "deepinfra/api",
    "deepseek/api",
    "fireworks/api",
    "google/gemini-paid",
    "google/gemini-unpaid",
    "google/vertex",
    "groq/api",
    "huggingface/inference",
    "mistral/experiment",
    "mistral/scale",
    "ollama-cloud/api",
    "openai/api",
    "openrouter/default",
    "openrouter/zdr",
    "ovhcloud/api",
    "scaleway/api",
    "self/own",
    "together/api",
    "xai/api",
}

PROVIDERS = {
    "alibaba",
    "anthropic",
    "aws",
    "azure",
    "cerebras",
    "cohere",
    "deepinfra",
    "deepseek",
    "fireworks",
    "google",
    "groq",
    "huggingface",
    "minimax",
    "mistral",
    "moonshot",
    "nvidia",
    "ollama-cloud",
    "openai",
    "openrouter",
    "ovhcloud",
    "scaleway",
    "self",
    "together",
    "xai",
    "zai",
}


def _paths(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _paths(entry, f"{path}/{entry.name}")
        elif entry.name.endswith(".yaml"):
            yield f"{path}/{entry.name}", entry


@cache
def all_terms() -> dict[str, TermsRecord]:
    found = (read_record(TermsRecord, file.read_bytes(), path) for path, file in _paths(SEED / "terms", "terms"))
    return {record.id: record for record in found}


@cache
def all_providers() -> dict[str, ProviderRecord]:
    found = (
        read_record(ProviderRecord, file.read_bytes(), path) for path, file in _paths(SEED / "providers", "providers")
    )
    return {record.id: record for record in found}


def claims_in(value: object) -> Iterator[Claim[Any]]:
    if isinstance(value, Claim):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from claims_in(getattr(value, name))
    elif isinstance(value, tuple):
        for item in value:
            yield from claims_in(item)


def test_the_terms_and_providers_that_others_refer_to_are_there() -> None:
    assert set(all_terms()) >= EXPECTED
    assert set(all_providers()) >= PROVIDERS
    assert {terms.provider for terms in all_terms().values()} <= set(all_providers())


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_what_is_known_of_data_is_known_from_somewhere(name: str) -> None:
    terms = all_terms()[name]
    known = [claim for claim in claims_in(terms) if claim.known]
    assert known
    for claim in known:
        kinds = {terms.sources[key].kind for key in claim.sources if key in terms.sources}
        if claim.state == "derived":
            assert claim.sources == ("isthmus-own-1",)
        elif kinds == {"recollection"}:
            assert claim.evidence == "E0"
        else:
            assert claim.evidence >= "E1"
        if claim.evidence == "E2":
            assert len(set(claim.sources)) >= 2


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_no_source_is_younger_than_the_review_or_unused(name: str) -> None:
    terms = all_terms()[name]
    used = {key for claim in claims_in(terms) for key in claim.sources}
    used |= {key for claim in claims_in(terms) for other in claim.alternatives for key in other.sources}
    used |= {key for term in terms.uses for key in term.sources}
    assert set(terms.sources) == used - {"isthmus-own-1"}
    assert all(source.observed_on.isoformat() <= terms.reviewed_on for source in terms.sources.values())


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_use_is_spoken_of_once(name: str) -> None:
    uses = [term.use for term in all_terms()[name].uses]
    assert len(uses) == len(set(uses))
    assert set(uses) <= set(get_args(Use))


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_what_terms_say_of_a_use_is_known_as_well_as_its_sources_allow(name: str) -> None:
    terms = all_terms()[name]
    for term in terms.uses:
        kinds = {terms.sources[key].kind for key in term.sources}
        assert (term.evidence == "E0") == (kinds == {"recollection"})
        assert term.evidence < "E2" or len(set(term.sources)) >= 2
        if term.state == "verified":
            assert kinds - {"secondary", "recollection", "feed"}
        if term.permits in {"yes", "with_duties"}:
            assert term.evidence >= "E1"


@pytest.mark.parametrize(
    ("name", "internal", "product", "hosted"),
    [
        ("anthropic/api", "yes", "yes", "agreement"),
        ("aws/bedrock", "yes", "with_duties", "agreement"),
        ("azure/direct", "yes", "with_duties", "agreement"),
        ("deepinfra/api", "yes", "agreement", "agreement"),
        ("deepseek/api", "yes", "with_duties", None),
        ("fireworks/api", "yes", "agreement", "no"),
        ("google/gemini-paid", "yes", "yes", None),
        ("google/gemini-unpaid", "yes", "with_duties", None),
        ("google/vertex", "yes", "with_duties", "no"),
        ("groq/api", "yes", "yes", "agreement"),
        ("huggingface/inference", "with_duties", "with_duties", None),
        ("mistral/experiment", "yes", "yes", "agreement"),
        ("mistral/scale", "yes", "yes", "agreement"),
        ("ollama-cloud/api", "with_duties", None, None),
        ("openai/api", "yes", "yes", "no"),
        ("openrouter/default", "with_duties", "with_duties", "no"),
        ("openrouter/zdr", "with_duties", "with_duties", "no"),
        ("ovhcloud/api", "yes", "with_duties", None),
        ("scaleway/api", "yes", "yes", None),
        ("self/own", None, None, None),
        ("together/api", "with_duties", "with_duties", "no"),
        ("xai/api", "yes", "with_duties", "no"),
    ],
)
def test_what_a_service_may_be_used_for(
    name: str, internal: str | None, product: str | None, hosted: str | None
) -> None:
    said = {term.use: term.permits for term in all_terms()[name].uses}
    assert (said.get("internal"), said.get("product"), said.get("hosted-service")) == (internal, product, hosted)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_an_account_check_is_a_probe_that_there_is(name: str) -> None:
    check = all_terms()[name].account_check
    assert check == "" or check in all_probes()


def test_every_probe_is_for_some_terms() -> None:
    assert {terms.account_check for terms in all_terms().values()} - {""} == set(all_probes())


@pytest.mark.parametrize(
    ("name", "training", "days", "zero"),
    [
        ("openai/api", {"opt-in"}, {30}, "approval"),
        ("azure/direct", {"opt-in"}, {30, 60}, "approval"),
        ("anthropic/api", {"never"}, {30}, "contract"),
        ("aws/bedrock", {"never"}, {0}, "self"),
        ("google/gemini-unpaid", {"always"}, set(), "none"),
        ("google/gemini-paid", {"never"}, {55}, "approval"),
        ("google/vertex", {"opt-in"}, {0, 1}, "approval"),
        ("mistral/scale", {"never"}, {30}, "approval"),
        ("mistral/experiment", {"opt-out", "never"}, {30}, "none"),
        ("together/api", {"opt-in", "opt-out"}, set(), "self"),
        ("fireworks/api", {"opt-in"}, {0}, "default"),
        ("groq/api", {"never"}, {30}, "self"),
        ("deepinfra/api", {"never"}, {0}, "default"),
        ("deepseek/api", {"opt-out", "always"}, set(), "none"),
        ("xai/api", {"opt-in"}, {30}, "self"),
        ("huggingface/inference", {"never"}, {0}, None),
        ("openrouter/default", {"opt-in", "always"}, set(), "self"),
        ("openrouter/zdr", {"never"}, {0}, "self"),
        ("scaleway/api", {"never"}, {0}, "default"),
        ("ollama-cloud/api", {"never"}, set(), None),
        ("self/own", {"never"}, {0}, "default"),
    ],
)
def test_what_the_operators_say(name: str, training: set[str], days: set[int], zero: str | None) -> None:
    terms = all_terms()[name]
    assert set(terms.training.default.readings) == training
    assert set(terms.retention.default_days.readings) == days
    assert terms.zero_retention.how.value == zero


@pytest.mark.parametrize(
    "name", ["mistral/experiment", "together/api", "deepseek/api", "openrouter/default", "azure/direct"]
)
def test_where_sources_contradict_each_other_all_readings_are_kept(name: str) -> None:
    conflicts = [claim for claim in claims_in(all_terms()[name]) if claim.state == "conflict"]
    assert conflicts
    for claim in conflicts:
        assert len(set(claim.readings)) > 1
        assert all(other.note and other.sources for other in claim.alternatives)


@pytest.mark.parametrize(
    "name", ["anthropic/api", "aws/bedrock", "azure/direct", "google/vertex", "openrouter/default", "openrouter/zdr"]
)
def test_a_covered_model_is_kept_on_every_platform_and_has_no_zero_retention(name: str) -> None:
    terms = all_terms()[name]
    rules = [rule for rule in terms.retention.model_exceptions if "anthropic/claude-fable-5" in rule.models]
    assert len(rules) == 1
    assert (rules[0].days.value, rules[0].zero_retention, rules[0].days.evidence) == (30, False, "E1")
    assert "anthropic/claude-fable-5" in terms.zero_retention.excluded_models


@pytest.mark.parametrize(
    ("name", "permits"),
    [
        ("openai/api", "no"),
        ("anthropic/api", "agreement"),
        ("aws/bedrock", "no"),
        ("google/gemini-paid", "no"),
        ("xai/api", "agreement"),
        ("mistral/scale", "with_duties"),
        ("deepseek/api", "yes"),
    ],
)
def test_the_clause_on_competing_models_is_what_is_said_of_training_on_outputs(name: str, permits: str) -> None:
    term = next(term for term in all_terms()[name].uses if term.use == "train-on-outputs")
    assert term.permits == permits
    assert term.place


def test_a_row_of_the_table_of_providers_has_one_operator() -> None:
    operated = [service for provider in all_providers().values() for service in provider.services]
    assert len(operated) == len(set(operated))
    assert set(operated) <= set(services()) | {"embedded"}
    assert "embedded" in all_providers()["self"].services


def test_names_in_feeds_are_not_given_twice() -> None:
    for feed in ("genai_prices", "models_dev", "deprecations"):
        names = [name for provider in all_providers().values() if (name := getattr(provider.feeds, feed))]
        assert len(names) == len(set(names))
