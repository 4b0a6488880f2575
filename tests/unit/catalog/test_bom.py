"""The bill of materials: it keeps to the schema of CycloneDX 1.6, says what is known and keeps secrets."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from importlib.resources import files
from typing import Any
from uuid import UUID

import msgspec
import pytest
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7
from tests.unit.catalog.openness.records import (
    APACHE,
    LICENCES,
    closed_model,
    disputed,
    licence,
    model,
    open_model,
    said,
)

from isthmus.catalog.bom.document import Stamp, bom_of
from isthmus.catalog.bom.entry import public_address
from isthmus.catalog.catalog import Catalog, load_catalog
from isthmus.catalog.claim import Claim
from isthmus.catalog.listing import Snapshot
from isthmus.catalog.organisation import Organisation
from isthmus.catalog.records.licence import LicenceRecord
from isthmus.catalog.records.model import Base, Benchmark, Card, Component, ModelRecord, Part, Producer, Training
from isthmus.catalog.records.provider import ProviderRecord
from isthmus.catalog.records.terms import TermsRecord
from isthmus.domain.label import Clearance, Label
from isthmus.domain.offer import Engine, Offer, SecretRef, Weights

SHA = "5a1395716f7913741cc51d98581b9b1228d80987a9f7d3664106742eb06bba83"
STAMP = Stamp(
    serial=UUID("3e671687-395b-41f5-a30f-a58921a69b79"),
    made_at=datetime(2026, 11, 21, 16, 0, tzinfo=timezone(timedelta(hours=1))),
    isthmus="0.1.0",
)

SMALL = open_model(
    id="maker/small",
    title="Small",
    version="1.0",
    aliases=("small-instruct",),
    producer=Producer(name="Maker", seat=said("FR")),
    where=Part(repo="maker/small", revision="ABCDEF0123", formats=("safetensors",)),
    bases=(Base(id="maker/small-base", relation="finetune"),),
    card=Card(
        url="https://example.org/card",
        intended_use="Short answers.",
        out_of_scope=("Medical advice.",),
        limits=("Knows little.",),
    ),
    components={"datasets": Component(present=said("yes"), url="https://example.org/data")},
    benchmarks=(Benchmark(name="MMLU", score=41.5, metric="accuracy", by="vendor", sources=("card",)),),
    parameters=said(135_000_000),
    training=Training(
        data=said("open"), code=said("open"), summary_url=said("https://example.org/summary-of-training")
    ),
)
LARGE = open_model(id="maker/large", title="Large", licence=disputed("Apache-2.0", "LicenseRef-capped"))
CLOSED = closed_model(id="vendor/closed", title="Closed")

PROVIDER = ProviderRecord(
    id="vendor",
    title="Vendor",
    legal_entity=Claim(value="Vendor Inc.", state="declared", sources=("page",), evidence="E1"),
    seat=Claim(value="US", state="declared", sources=("page",), evidence="E1"),
    services=("vendorapi",),
    terms_url="https://example.org/terms",
    dpa_url="https://example.org/dpa",
    subprocessors_url="https://example.org/subprocessors",
)
TERMS = TermsRecord(id="vendor/api", title="API", provider="vendor", tier="api", url="https://example.org/terms/api")


def catalog(*models: ModelRecord, licences: dict[str, LicenceRecord] = LICENCES) -> Catalog:
    return Catalog(
        version="0123456789abcdef",
        models={record.id: record for record in models},
        licences=licences,
        providers={"vendor": PROVIDER},
        offers={},
        terms={"vendor/api": TERMS},
        snapshot=Snapshot(made_on=date(2026, 11, 20), sources={}, listings=()),
    )


ALL = catalog(SMALL, LARGE, CLOSED)


def offer(name: str, **facts: Any) -> Offer:
    given: dict[str, Any] = {
        "model": name,
        "provider": "vllm",
        "dialect": "openai-chat",
        "base_url": "http://127.0.0.1:8000/v1",
        "side": "own",
    }
    return Offer(name=name, **(given | facts))


HOME = offer(
    "home",
    provider="embedded",
    base_url="",
    record="maker/small",
    engine=Engine(weights=Weights(ref="pypi:llm-small==0.2", sha256=SHA)),
)
HOSTED = offer(
    "large-hosted",
    model="maker/large",
    provider="vendorapi",
    base_url="https://user:hunter2@api.example.org/v1?key=hunter2",
    side="hosted",
    record="maker/large",
    key=SecretRef("env", "SOME_KEY"),
    terms="vendor/api",
    region="EU",
    jurisdiction="US",
    retention_days=30,
    clearance=Clearance(labels=frozenset({Label("pii"), Label("internal")})),
)
CALLED = offer(
    "gpt",
    provider="vendorapi",
    base_url="https://api.example.org/v1",
    side="closed",
    record="vendor/closed",
    key=SecretRef("env", "SOME_KEY"),
    retired_on=date(2026, 12, 11),
)


def bill(*offers: Offer, of: Catalog = ALL, organisation: Organisation | None = None) -> dict[str, Any]:
    """The document as it comes out of a file, after the schema was looked at."""
    found = bom_of(offers, of, stamp=STAMP, organisation=organisation)
    made: dict[str, Any] = json.loads(msgspec.json.encode(found))
    assert [error.message for error in VALIDATOR.iter_errors(made)] == []
    return made


def _schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((files("cyclonedx") / "schema" / "_res" / name).read_text())
    return found


_BOM = _schema("bom-1.6.SNAPSHOT.schema.json")
_BESIDE = ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")
_REGISTRY: Registry[Any] = Registry().with_resources(
    (f"http://cyclonedx.org/schema/{name}", Resource.from_contents(_schema(name), default_specification=DRAFT7))
    for name in _BESIDE
)
VALIDATOR = Draft7Validator(_BOM, registry=_REGISTRY)


def facts(entry: dict[str, Any]) -> dict[str, str]:
    return {found["name"].removeprefix("isthmus:"): found["value"] for found in entry["properties"]}


def test_the_schema_refuses_what_is_wrong() -> None:
    made = bill(HOME, HOSTED, CALLED)
    made["components"][0]["licenses"] = [{"license": {"id": "No-Such-Licence"}}]
    made["services"][0]["data"][0]["flow"] = "sideways"
    assert len(list(VALIDATOR.iter_errors(made))) == 2


def test_an_installation_without_offers_has_a_bill_of_itself_alone() -> None:
    made = bill()
    assert (made["components"], made["services"]) == ([], [])
    assert made["dependencies"] == [{"ref": "isthmus"}]
    assert made["metadata"]["component"]["version"] == "0.1.0"


def test_serial_number_and_time_are_those_that_were_given() -> None:
    made = bill()
    assert made["serialNumber"] == "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79"
    assert made["metadata"]["timestamp"] == "2026-11-21T15:00:00Z"


def test_the_same_offers_give_the_same_bill() -> None:
    assert bill(HOME, HOSTED, CALLED) == bill(HOME, HOSTED, CALLED)


def test_an_own_model_is_a_component_with_hash_licence_base_and_card() -> None:
    made = bill(HOME)
    (found,) = made["components"]
    assert (found["type"], found["group"], found["name"], found["version"]) == (
        "machine-learning-model",
        "maker",
        "small",
        "1.0",
    )
    assert found["manufacturer"] == {"name": "Maker", "address": {"country": "FR"}}
    assert found["hashes"] == [{"alg": "SHA-256", "content": SHA}]
    assert found["purl"] == "pkg:pypi/llm-small@0.2"
    assert found["licenses"][0]["license"]["id"] == "Apache-2.0"
    assert found["pedigree"]["ancestors"][0]["name"] == "small-base"
    card = found["modelCard"]
    assert card["considerations"] == {
        "useCases": ["Short answers."],
        "technicalLimitations": ["Knows little."],
        "ethicalConsiderations": [{"name": "Out of scope: Medical advice."}],
    }
    assert card["modelParameters"]["datasets"][0]["contents"] == {"url": "https://example.org/data"}
    assert card["quantitativeAnalysis"]["performanceMetrics"] == [
        {"type": "MMLU: accuracy", "value": "41.5", "slice": "vendor"}
    ]
    kinds = [reference["type"] for reference in found["externalReferences"]]
    assert kinds == ["model-card", "distribution", "distribution", "documentation"]
    assert facts(found)["openness:headline"] == "3 open weights with parts"
    assert facts(found)["openness:ai-act-53-2"] == "passes"
    assert made["services"] == []
    assert made["dependencies"][0] == {"ref": "isthmus", "dependsOn": [found["bom-ref"]]}


def test_weights_that_another_engine_runs_are_those_that_the_record_knows() -> None:
    (found,) = bill(offer("gpu", record="maker/small"))["components"]
    assert found["purl"] == "pkg:huggingface/maker/small@abcdef0123"
    assert "hashes" not in found
    assert facts(found)["offer:gpu:engine"] == "vllm"
    assert facts(found)["offer:gpu:address"] == "http://127.0.0.1:8000/v1"


def test_two_offers_of_one_model_are_one_component_and_two_weights_of_it_are_two() -> None:
    other = replace(HOME, name="other", engine=Engine(weights=Weights(ref="/models/small.Q4_K_M.gguf")))
    made = bill(HOME, replace(HOME, name="again"), other)
    assert [found["bom-ref"] for found in made["components"]] == [
        "model:maker/small#5a1395716f79",
        "model:maker/small#small.Q4_K_M.gguf",
    ]
    assert [found["value"] for found in made["components"][0]["properties"] if found["name"] == "isthmus:offer"] == [
        "home",
        "again",
    ]


def test_a_path_on_this_machine_is_not_told() -> None:
    home = replace(HOME, engine=Engine(weights=Weights(ref="/home/someone/secret-project/small.gguf")))
    made = bill(home)
    assert "secret-project" not in json.dumps(made)
    assert facts(made["components"][0])["weights"] == "a file of this machine"


def test_a_model_that_the_catalog_does_not_know_is_listed_by_its_name() -> None:
    made = bill(offer("mine", licence="Apache-2.0"), offer("theirs", licence="Our own terms"))
    known, named = made["components"]
    assert facts(known)["catalog"] == "not in the catalog"
    assert known["licenses"][0]["license"]["id"] == "Apache-2.0"
    assert named["licenses"][0]["license"]["name"] == "Our own terms"


def test_a_hosted_offer_is_a_service_that_needs_its_model() -> None:
    made = bill(HOSTED)
    (service,) = made["services"]
    assert service["provider"] == {
        "name": "Vendor Inc.",
        "address": {"country": "US"},
        "url": ["https://example.org/terms"],
    }
    assert service["authenticated"] is True
    assert service["x-trust-boundary"] is True
    assert service["trustZone"] == "hosted"
    assert [(found["flow"], found["classification"]) for found in service["data"]] == [
        ("bi-directional", "unlabelled"),
        ("bi-directional", "internal"),
        ("bi-directional", "pii"),
    ]
    assert service["data"][0]["description"] == "Processed in EU. It is kept for up to 30 days."
    assert (facts(service)["region"], facts(service)["terms"]) == ("EU", "vendor/api")
    assert [found["comment"] for found in service["externalReferences"]] == [
        "terms of vendor/api",
        "data processing agreement",
        "subprocessors",
    ]
    assert made["dependencies"] == [
        {"ref": "isthmus", "dependsOn": ["service:large-hosted"]},
        {"ref": "service:large-hosted", "dependsOn": ["model:maker/large"]},
        {"ref": "model:maker/large"},
    ]


def test_a_closed_offer_is_a_service_alone() -> None:
    made = bill(CALLED)
    (service,) = made["services"]
    assert made["components"] == []
    assert (facts(service)["model"], facts(service)["openness:headline"]) == ("vendor/closed", "0 closed")
    assert facts(service)["retired_on"] == "2026-12-11"
    assert service["data"][0]["description"] == (
        "Where it is processed is not known. How long it is kept is not known."
    )


def test_no_secret_is_in_the_bill_though_an_address_has_one() -> None:
    made = bill(HOME, HOSTED, CALLED)
    assert made["services"][0]["endpoints"] == ["https://api.example.org/v1"]
    assert "hunter2" not in json.dumps(made)
    assert "SOME_KEY" not in json.dumps(made)


@pytest.mark.parametrize(("url", "shown"), [
    ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
    ("https://u:p@h.example/x?y=z#k", "https://h.example/x"),
])  # fmt: skip
def test_an_address_is_shown_without_what_might_be_secret(url: str, shown: str) -> None:
    assert public_address(url) == shown


def test_an_offer_that_may_see_everything_says_so() -> None:
    (service,) = bill(replace(HOSTED, clearance=Clearance(everything=True)))["services"]
    assert [found["classification"] for found in service["data"]] == ["any label"]


def test_every_reference_leads_to_an_entry_and_no_two_share_one() -> None:
    made = bill(HOME, HOSTED, CALLED, offer("unknown-model"))
    refs = [entry["bom-ref"] for entry in (*made["components"], *made["services"], made["metadata"]["component"])]
    assert len(refs) == len(set(refs))
    needed = {name for found in made["dependencies"] for name in found.get("dependsOn", [])}
    assert needed <= set(refs)
    assert {found["ref"] for found in made["dependencies"]} == set(refs)


def test_what_licence_and_terms_say_of_each_use_is_told_where_an_organisation_is_known() -> None:
    seller = Organisation(name="Seller", seat="DE", revenue_month_usd=Decimal(30_000_000))
    made = bill(HOME, HOSTED, organisation=seller)
    assert facts(made["components"][0])["offer:home:product"].startswith("allowed")
    assert facts(made["services"][0])["offer:large-hosted:product"].startswith("forbidden: It says so")


def test_without_an_organisation_or_a_record_or_terms_nothing_is_held_against_licences() -> None:
    assert facts(bill(CALLED)["services"][0])["offer:gpt:uses"].startswith("not checked")
    someone = Organisation(name="Someone")
    assert facts(bill(CALLED, organisation=someone)["services"][0])["offer:gpt:uses"] == (
        "unknown: under which terms it is used is not said"
    )
    assert facts(bill(offer("mine"), organisation=someone)["components"][0])["offer:mine:uses"] == (
        "unknown: the catalog does not know the model"
    )


def test_licences_in_conflict_are_all_listed_and_said_to_be_in_conflict() -> None:
    made = bill(HOSTED)
    (found,) = made["components"]
    assert [next(iter(one["license"].values())) for one in found["licenses"]] == ["Apache-2.0", "LicenseRef-capped"]
    assert facts(found)["licence:conflict"] == "sources disagree: Apache-2.0, LicenseRef-capped"


def test_an_identifier_that_the_format_does_not_know_yet_is_an_expression() -> None:
    young = licence("OpenMDW-1.1", spdx="OpenMDW-1.1")
    of = catalog(model(id="maker/new", licence=said("OpenMDW-1.1")), licences={"OpenMDW-1.1": young})
    (found,) = bill(offer("new", record="maker/new"), of=of)["components"]
    assert found["licenses"] == [{"expression": "OpenMDW-1.1", "acknowledgement": "declared"}]
    both = catalog(
        model(id="maker/new", licence=disputed("OpenMDW-1.1", "Apache-2.0")),
        licences={"OpenMDW-1.1": young, "Apache-2.0": APACHE},
    )
    (found,) = bill(offer("new", record="maker/new"), of=both)["components"]
    assert [next(iter(one["license"])) for one in found["licenses"]] == ["name", "id"]


def test_every_model_that_came_along_makes_a_document_that_keeps_to_the_schema() -> None:
    of = load_catalog()
    offers = [
        offer(
            name,
            record=name,
            side="closed" if record.weights.value in {None, "none"} else "own",
            provider="openai",
            terms="openai/api",
        )
        for name, record in of.models.items()
    ]
    made = bill(*offers, of=of, organisation=Organisation(name="Example", seat="DE"))
    assert len(made["components"]) + len(made["services"]) == len(of.models)
    assert {entry["properties"][0]["value"] for entry in made["components"]} <= of.models.keys()


def test_where_nothing_is_known_nothing_is_said() -> None:
    (found,) = bill(offer("bare", record="maker/model"), of=catalog(model()))["components"]
    assert "version" not in found
    assert "licenses" not in found
    assert "considerations" not in found["modelCard"]
    assert facts(found)["openness:headline"] == "unknown"
