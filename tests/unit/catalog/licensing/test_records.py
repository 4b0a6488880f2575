"""The records of licences: complete, dated, in order, and no surer of themselves than their sources."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from urllib.parse import urlsplit

import pytest

from isthmus.catalog.catalog import Catalog, load_catalog
from isthmus.catalog.records.licence import Grant, LicenceRecord, Outputs, Redistribution, UsePolicy

REVIEWED = date(2026, 11, 21)

OURS = """
llama-2 llama-3 llama-3.1 llama-3.2 llama-3.3 llama-4 gemma mistral-research mistral-nonproduction mistral-modified-mit
tongyi-qianwen tongyi-qianwen-2023 qwen-research qwen-community-1.0 deepseek-model kimi-k2-modified-mit kimi-k3
minimax-m2.5 minimax-m2.7 minimax-m3-community minimax-h3 glm-4 glm-5.3 falcon-180b falcon-2 openrail-m
nvidia-open-model cohere-cc-by-nc stability-community-2024 gpt-oss vendor-service
"""
SPDX = {"Apache-2.0", "MIT", "OpenMDW-1.0", "OpenMDW-1.1", "CC-BY-4.0", "CC-BY-NC-4.0"}

RECORDS = [pytest.param(record, id=record.id) for record in load_catalog().licences.values()]


def test_all_licences_of_the_first_shipment_are_there(catalog: Catalog) -> None:
    assert set(catalog.licences) >= SPDX | {f"LicenseRef-isthmus-{name}" for name in OURS.split()}


@pytest.mark.parametrize("record", RECORDS)
def test_what_it_grants_stands_in_a_clause(record: LicenceRecord) -> None:
    assert any(isinstance(clause, Grant) for clause in record.clauses) == bool(record.grants)
    assert record.proprietary == (not record.grants)


@pytest.mark.parametrize("record", RECORDS)
def test_no_clause_is_surer_than_its_sources(record: LicenceRecord) -> None:
    for clause in record.clauses:
        named = {record.sources[key].kind for key in clause.sources}
        if named <= {"recollection"}:
            assert (clause.state, clause.evidence) == ("declared", "E0"), clause.says
        if named <= {"recollection", "secondary", "card", "feed"}:
            assert clause.state in {"declared", "conflict"}, clause.says
        assert clause.state not in {"unknown", "derived"}
        assert clause.evidence in {"E0", "E1", "E2"}
        if clause.state == "conflict":
            assert len(clause.sources) > 1


@pytest.mark.parametrize("record", RECORDS)
def test_every_source_was_read_on_a_day_and_is_used(record: LicenceRecord) -> None:
    assert record.reviewed_on == str(REVIEWED)
    assert all(date(2023, 1, 1) <= source.observed_on <= REVIEWED for source in record.sources.values())
    assert {key for clause in record.clauses for key in clause.sources} == set(record.sources)


@pytest.mark.parametrize("record", RECORDS)
def test_clauses_are_one_sentence_of_ours_each_and_say_where(record: LicenceRecord) -> None:
    for clause in record.clauses:
        assert re.fullmatch(r"[A-Z][^\n]{20,330}\.", clause.says), clause.says
        assert "..." not in clause.says
        assert len(clause.says.split()) <= 60
        assert clause.place == clause.place.strip() != ""
        assert not clause.place.endswith(".")


@pytest.mark.parametrize("record", RECORDS)
def test_hashes_are_hashes_and_addresses_addresses(record: LicenceRecord) -> None:
    assert all(re.fullmatch(r"[0-9a-f]{64}", one) for one in record.text_sha256)
    assert record.proprietary or urlsplit(record.text_url).scheme == "https"
    policies = [clause.url for clause in record.clauses if isinstance(clause, UsePolicy) and clause.url]
    assert all(urlsplit(url).scheme == "https" for url in policies)


def test_no_two_licences_share_a_name_or_a_text(catalog: Catalog) -> None:
    names = Counter(
        name.lower()
        for record in catalog.licences.values()
        for name in {record.id, *record.names, *((record.spdx,) if record.spdx else ())}
    )
    texts = Counter(text for record in catalog.licences.values() for text in record.text_sha256)
    assert [name for name, count in (names + texts).items() if count > 1] == []


def test_what_a_licence_refers_to_is_there(catalog: Catalog) -> None:
    for record in catalog.licences.values():
        assert record.superseded_by is None or record.superseded_by in catalog.licences
        assert record.licensor in {"", *catalog.providers}
        assert record.spdx in {None, record.id}


def test_the_licence_that_changed_is_known_in_both_texts(catalog: Catalog) -> None:
    assert len(catalog.licences["LicenseRef-isthmus-minimax-m2.7"].text_sha256) == 2


@pytest.mark.parametrize(
    "name",
    [
        *("Apache-2.0", "MIT", "CC-BY-4.0", "LicenseRef-isthmus-mistral-modified-mit"),
        *("LicenseRef-isthmus-kimi-k3", "LicenseRef-isthmus-qwen-community-1.0", "LicenseRef-isthmus-glm-5.3"),
    ],
)
def test_where_a_licence_is_silent_on_outputs_so_is_the_record(name: str, catalog: Catalog) -> None:
    assert not any(isinstance(clause, Outputs) for clause in catalog.licences[name].clauses)


def test_hosting_is_passing_on_for_those_that_define_it_so(catalog: Catalog) -> None:
    hosting = {
        record.id
        for record in catalog.licences.values()
        for clause in record.clauses
        if isinstance(clause, Redistribution) and clause.hosting_counts
    }
    assert hosting == {f"LicenseRef-isthmus-{name}" for name in ("gemma", "deepseek-model", "minimax-h3", "openrail-m")}


def test_a_licence_is_found_by_the_names_that_hubs_give_it(catalog: Catalog) -> None:
    for name, expected in {
        "apache-2.0": "Apache-2.0",
        "llama4": "LicenseRef-isthmus-llama-4",
        "gemma": "LicenseRef-isthmus-gemma",
        "tongyi-qianwen": "LicenseRef-isthmus-tongyi-qianwen-2023",
        "qwen": "LicenseRef-isthmus-tongyi-qianwen",
        "MRL-0.1": "LicenseRef-isthmus-mistral-research",
    }.items():
        found = catalog.licence(name)
        assert found is not None
        assert found.id == expected
