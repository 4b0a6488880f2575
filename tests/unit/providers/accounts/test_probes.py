"""Probes conclude what the published shapes say, and nothing from anything else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.providers.accounts.conftest import ACCOUNT_KEY, OFFER_KEY, Standin

from isthmus.catalog.facts import Observation
from isthmus.domain.errors import ConfigError, UpstreamMalformed
from isthmus.domain.offer import Offer, SecretRef
from isthmus.providers.accounts.probe import Answer, Subject
from isthmus.providers.accounts.reading import read_account
from isthmus.providers.accounts.registry import all_probes
from isthmus.providers.secrets import Secrets

pytestmark = pytest.mark.anyio

Serve = Callable[..., Standin]
MakeOffer = Callable[..., Offer]
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
RESOURCE = (
    "/subscriptions/00000000-1111-2222-3333-444444444444/resourceGroups/models"
    "/providers/Microsoft.CognitiveServices/accounts/mine"
)


async def read(name: str, offer: Offer, *, address: str | None = None, **said: Any) -> Observation:
    probe = all_probes()[name]
    keys = {probe.key.name: ACCOUNT_KEY, "OFFER_KEY": OFFER_KEY, "OTHER": "a-wrong-key"}
    return await read_account(
        probe, offer, terms="some/terms", secrets=Secrets(keys), now=NOW, address=address, seconds=5, **said
    )


def test_there_is_a_probe_in_every_module_and_it_says_where_the_shape_is_published() -> None:
    probes = all_probes()
    assert set(probes) == {
        "azure-content-logging",
        "bedrock-data-retention",
        "openai-data-retention",
        "openrouter-zdr-endpoints",
    }
    assert all(probe.source.startswith("https://") for probe in probes.values())


# ---- OpenAI


def openai(organisation: object, project: object = None) -> dict[str, tuple[int, Any]]:
    return {
        "/v1/organization/data_retention": (200, {"object": "organization.data_retention", "type": organisation}),
        "/v1/organization/projects/proj_a/data_retention": (200, {"object": "project.data_retention", "type": project}),
        "/v1/responses/resp_kept": (200, {"id": "resp_kept", "object": "response"}),
    }


@pytest.mark.parametrize(
    ("organisation", "project", "setting", "days"),
    [
        ("zero_data_retention", "organization_default", "zero_data_retention", 0),
        ("modified_abuse_monitoring", "zero_data_retention", "zero_data_retention", 0),
        ("zero_data_retention", "none", "none", None),
        ("zero_data_retention", "modified_abuse_monitoring", "modified_abuse_monitoring", None),
        ("modified_abuse_monitoring", "organization_default", "modified_abuse_monitoring", None),
        ("enhanced_zero_data_retention", "organization_default", "enhanced_zero_data_retention", None),
    ],
)
async def test_at_openai_the_project_decides(
    serve: Serve, offer: MakeOffer, organisation: str, project: str, setting: str, days: int | None
) -> None:
    standin = serve(openai(organisation, project))
    found = await read(
        "openai-data-retention", offer(f"{standin.address}/v1"), address=f"{standin.address}/v1", part="proj_a"
    )
    assert (found.setting, found.retention_days) == (setting, days)
    assert {key for _, key in standin.asked} == {f"Bearer {ACCOUNT_KEY}"}


async def test_the_organisation_alone_does_not_show_that_nothing_is_kept(serve: Serve, offer: MakeOffer) -> None:
    standin = serve(openai("zero_data_retention"))
    found = await read("openai-data-retention", offer(standin.address), address=f"{standin.address}/v1")
    assert found.retention_days is None
    assert "project of the key may be set otherwise" in found.says


async def test_an_observation_says_of_what_when_and_where(serve: Serve, offer: MakeOffer) -> None:
    standin = serve(openai("modified_abuse_monitoring"))
    mine = offer("https://api.openai.com/v1")
    found = await read("openai-data-retention", mine, address=f"{standin.address}/v1/")
    assert (found.offer, found.terms, found.observed_at) == ("mine", "some/terms", NOW)
    assert found.subject == "openai https://api.openai.com/v1 gpt-5.4-mini"
    assert found.where == f"{standin.address}/v1"


@pytest.mark.parametrize(
    "body",
    [
        {"object": "organization.data_retention", "type": "none_at_all"},
        {"object": "organization.data_retention", "type": None},
        {"object": "organization.data_retention"},
        {"object": "something.else", "type": "zero_data_retention"},
        {"type": "zero_data_retention"},
        ["zero_data_retention"],
        b"zero_data_retention",
        b"",
    ],
)
async def test_from_another_shape_nothing_is_concluded(serve: Serve, offer: MakeOffer, body: object) -> None:
    standin = serve({"/v1/organization/data_retention": (200, body)})
    with pytest.raises(UpstreamMalformed, match="another shape than the one published"):
        await read("openai-data-retention", offer(standin.address), address=f"{standin.address}/v1")


async def test_a_finished_answer_must_have_been_forgotten(serve: Serve, offer: MakeOffer) -> None:
    standin = serve(openai("zero_data_retention", "organization_default"))
    said = {"address": f"{standin.address}/v1", "part": "proj_a"}
    found = await read("openai-data-retention", offer(standin.address), finished="resp_gone", **said)
    assert found.retention_days == 0
    assert standin.asked[-1] == ("/v1/responses/resp_gone", f"Bearer {OFFER_KEY}")
    with pytest.raises(UpstreamMalformed, match="still has the response resp_kept"):
        await read("openai-data-retention", offer(standin.address), finished="resp_kept", **said)


@pytest.mark.parametrize("said", [{"part": "../admin"}, {"finished": "resp?x=1"}, {"part": "a b"}])
async def test_an_id_cannot_lead_elsewhere(serve: Serve, offer: MakeOffer, said: dict[str, str]) -> None:
    standin = serve(openai("zero_data_retention"))
    with pytest.raises(ConfigError, match="is no id of OpenAI's"):
        await read("openai-data-retention", offer(standin.address), address=f"{standin.address}/v1", **said)
    assert standin.asked == []


# ---- keys, and where they go


async def test_a_key_that_is_named_is_taken_instead_of_the_usual_one(serve: Serve, offer: MakeOffer) -> None:
    standin = serve(openai("zero_data_retention"))
    with pytest.raises(ConfigError, match=r"\(401\)") as raised:
        await read(
            "openai-data-retention",
            offer(standin.address),
            address=f"{standin.address}/v1",
            key=SecretRef("env", "OTHER"),
        )
    assert "a-wrong-key" not in raised.value.sentence
    assert standin.asked == [("/v1/organization/data_retention", "Bearer a-wrong-key")]


async def test_a_key_that_is_not_there_is_named_by_its_reference(serve: Serve, offer: MakeOffer) -> None:
    standin = serve(openai("zero_data_retention"))
    with pytest.raises(ConfigError, match="env:NOT_SET is not there"):
        await read(
            "openai-data-retention",
            offer(standin.address),
            address=f"{standin.address}/v1",
            key=SecretRef("env", "NOT_SET"),
        )
    assert standin.asked == []


async def test_a_key_that_reads_settings_goes_to_the_provider_and_not_to_whatever_the_offer_names(
    serve: Serve, offer: MakeOffer
) -> None:
    standin = serve(openai("zero_data_retention"))
    with pytest.raises(ConfigError, match="is not known to be the provider's"):
        await read(
            "openai-data-retention", offer(f"{standin.address}/v1"), hosts=("api.openai.com", "*.openai.azure.com")
        )
    assert standin.asked == []
    await read("openai-data-retention", offer(f"{standin.address}/v1"), hosts=("127.0.0.1",))
    assert len(standin.asked) == 1


# ---- OpenRouter

ENDPOINTS = {
    "data": [
        {"model_id": "openai/gpt-oss-120b", "provider_name": "Zulu", "tag": "zulu/fp8", "context_length": 131072},
        {"model_id": "openai/gpt-oss-120b", "provider_name": "Alpha", "tag": "alpha"},
        {"model_id": "openai/gpt-4", "provider_name": "OpenAI", "tag": "openai"},
    ]
}


@pytest.mark.parametrize(
    ("model", "terms", "setting", "days"),
    [
        ("openai/gpt-oss-120b", "openrouter/zdr", "endpoints", 0),
        ("openai/gpt-oss-120b:nitro", "openrouter/zdr", "endpoints", 0),
        ("openai/gpt-oss-120b", "openrouter/default", "endpoints", None),
        ("anthropic/claude-fable-5", "openrouter/zdr", "no endpoint", None),
    ],
)
async def test_openrouter_tells_whether_any_endpoint_is_left(
    serve: Serve, offer: MakeOffer, model: str, terms: str, setting: str, days: int | None
) -> None:
    standin = serve({"/api/v1/endpoints/zdr": (200, ENDPOINTS)})
    mine = offer(f"{standin.address}/api/v1", provider="openrouter", model=model, terms=terms)
    found = await read("openrouter-zdr-endpoints", mine, address=f"{standin.address}/api/v1")
    assert (found.setting, found.retention_days) == (setting, days)
    if days == 0:
        assert found.says == "Zero retention at 2 operators of openai/gpt-oss-120b: Alpha, Zulu."


@pytest.mark.parametrize("body", [{"data": [{"name": "GPT-4"}]}, {"data": {}}, {}, []])
async def test_an_older_list_of_openrouter_tells_nothing(serve: Serve, offer: MakeOffer, body: object) -> None:
    standin = serve({"/endpoints/zdr": (200, body)})
    with pytest.raises(UpstreamMalformed):
        await read("openrouter-zdr-endpoints", offer(standin.address, terms="openrouter/zdr"), address=standin.address)


# ---- Azure


def azure(
    *capabilities: dict[str, str], endpoint: str = "https://mine.openai.azure.com/"
) -> dict[str, tuple[int, Any]]:
    properties = {
        "endpoint": endpoint,
        "endpoints": {"OpenAI Language Model Instance API": "https://mine.services.ai.azure.com/"},
        "capabilities": [{"name": "VirtualNetworks"}, *capabilities],
        "provisioningState": "Succeeded",
    }
    account = {"id": RESOURCE, "kind": "OpenAI", "location": "swedencentral", "properties": properties}
    return {f"{RESOURCE}?api-version=2024-10-01": (200, account)}


async def test_azure_shows_that_logging_is_off_by_a_capability(serve: Serve, offer: MakeOffer) -> None:
    mine = offer("https://mine.openai.azure.com/openai/v1", provider="azure-openai")
    off = serve(azure({"name": "ContentLogging", "value": "false"}))
    found = await read("azure-content-logging", mine, address=off.address, part=RESOURCE)
    assert (found.setting, found.retention_days) == ("ContentLogging false", 0)
    on = serve(azure())
    found = await read("azure-content-logging", mine, address=on.address, part=RESOURCE)
    assert (found.setting, found.retention_days) == ("ContentLogging absent", None)


async def test_any_other_value_of_azure_is_none_that_is_known(serve: Serve, offer: MakeOffer) -> None:
    standin = serve(azure({"name": "ContentLogging", "value": "partly"}))
    mine = offer("https://mine.openai.azure.com/openai/v1", provider="azure-openai")
    with pytest.raises(UpstreamMalformed, match="'partly', which is none of the published values"):
        await read("azure-content-logging", mine, address=standin.address, part=RESOURCE)


async def test_a_resource_of_azure_must_be_the_one_that_serves_the_offer(serve: Serve, offer: MakeOffer) -> None:
    standin = serve(azure({"name": "ContentLogging", "value": "false"}))
    other = offer("https://other.openai.azure.com/openai/v1", provider="azure-openai")
    with pytest.raises(UpstreamMalformed, match=r"the offer is at other\.openai\.azure\.com"):
        await read("azure-content-logging", other, address=standin.address, part=RESOURCE)
    newer = offer("https://mine.services.ai.azure.com/openai/v1", provider="azure-openai")
    assert (await read("azure-content-logging", newer, address=standin.address, part=RESOURCE)).retention_days == 0


@pytest.mark.parametrize(
    "part", ["", "mine", f"{RESOURCE}/../other", f"{RESOURCE}?x=1", "/subscriptions/é/resourceGroups/x"]
)
async def test_a_resource_of_azure_must_be_named_in_full(serve: Serve, offer: MakeOffer, part: str) -> None:
    standin = serve(azure())
    with pytest.raises(ConfigError):
        await read("azure-content-logging", offer("https://mine.openai.azure.com"), address=standin.address, part=part)
    assert standin.asked == []


# ---- Bedrock

RUNTIME = "https://bedrock-runtime.eu-central-1.amazonaws.com/openai/v1"


@pytest.mark.parametrize(
    ("base_url", "mode", "days"),
    [
        (RUNTIME, "none", 0),
        (RUNTIME, "default", None),
        (RUNTIME, "inherit", None),
        (RUNTIME, "provider_data_share", None),
        ("https://bedrock-mantle.eu-central-1.api.aws/v1", "none", None),
    ],
)
async def test_bedrock_tells_the_mode_of_the_account(
    serve: Serve, offer: MakeOffer, base_url: str, mode: str, days: int | None
) -> None:
    standin = serve({"/data-retention": (200, {"mode": mode, "updatedAt": "2026-11-01T00:00:00Z"})})
    found = await read("bedrock-data-retention", offer(base_url, provider="openai-compatible"), address=standin.address)
    assert (found.setting, found.retention_days) == (mode, days)


async def test_a_mode_of_bedrock_that_is_not_published_tells_nothing(serve: Serve, offer: MakeOffer) -> None:
    standin = serve({"/data-retention": (200, {"mode": "aws_review"})})
    with pytest.raises(UpstreamMalformed):
        await read("bedrock-data-retention", offer(RUNTIME), address=standin.address)


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        (RUNTIME, "https://bedrock.eu-central-1.amazonaws.com"),
        ("https://bedrock-mantle.us-east-1.api.aws/v1", "https://bedrock.us-east-1.amazonaws.com"),
        ("https://bedrock-runtime.us-gov-west-1.amazonaws.com", "https://bedrock.us-gov-west-1.amazonaws.com"),
    ],
)
def test_bedrock_is_asked_in_the_region_of_the_offer(offer: MakeOffer, base_url: str, address: str) -> None:
    assert all_probes()["bedrock-data-retention"].address(offer(base_url)) == address


@pytest.mark.parametrize(
    "base_url",
    [
        "https://bedrock-runtime.evil.example",
        "https://x.bedrock-runtime.eu-central-1.amazonaws.com.evil.example",
        "https://api.openai.com/v1",
        "",
    ],
)
def test_an_address_that_names_no_region_of_bedrock_is_not_asked(offer: MakeOffer, base_url: str) -> None:
    with pytest.raises(ConfigError, match="does not name a Region"):
        all_probes()["bedrock-data-retention"].address(offer(base_url))


@pytest.mark.parametrize("name", sorted(all_probes()))
def test_no_probe_concludes_anything_from_an_empty_object(offer: MakeOffer, name: str) -> None:
    subject = Subject(offer=offer("https://mine.example"), address="https://mine.example", part=RESOURCE)
    with pytest.raises(UpstreamMalformed):
        all_probes()[name].read(subject, [Answer(status=200, body=b"{}")] * 2)
