"""Azure: whether a resource keeps content for abuse monitoring.

    GET {resource id}?api-version=…     {"properties": {"endpoint": …, "capabilities": [{"name": …, "value": …}, …]}}

The capability `ContentLogging` is there, with the value `false`, only where storing for abuse monitoring is off.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from isthmus.domain.errors import ConfigError, UpstreamMalformed
from isthmus.domain.offer import Offer, SecretRef
from isthmus.providers.accounts.probe import Answer, Probe, Question, Setting, Subject, decoded, unexpected

API_VERSION = "2024-10-01"

_RESOURCE = re.compile(
    r"/subscriptions/[0-9a-fA-F-]{36}/resourceGroups/[\w.()-]{1,90}"
    r"/providers/Microsoft\.CognitiveServices/accounts/[A-Za-z0-9][A-Za-z0-9_.-]{1,63}\Z",
    re.IGNORECASE | re.ASCII,
)


class _Capability(msgspec.Struct, frozen=True):
    name: str
    value: str = ""


class _Properties(msgspec.Struct, frozen=True):
    endpoint: str
    capabilities: list[_Capability]
    endpoints: dict[str, str] = {}
    """Further addresses of the same resource, by service."""


class _Account(msgspec.Struct, frozen=True):
    properties: _Properties


def _address(_: Offer) -> str:
    return "https://management.azure.com"


def _questions(subject: Subject) -> Sequence[Question]:
    if not _RESOURCE.match(subject.part):
        raise ConfigError(
            "Which resource of Azure the offer is served by is not said."
            if not subject.part
            else f"{subject.part!r} is no id of a resource.",
            hint="Say it: /subscriptions/…/resourceGroups/…/providers/Microsoft.CognitiveServices/accounts/…",
        )
    return [Question(url=f"{subject.address}{subject.part}?api-version={API_VERSION}")]


def _read(subject: Subject, answers: Sequence[Answer]) -> Setting:
    account = decoded(answers[0], _Account, "Azure's answer on the resource").properties
    hosts = {urlsplit(url).hostname for url in (account.endpoint, *account.endpoints.values())}
    asked = urlsplit(subject.offer.base_url).hostname
    if asked not in hosts:
        raise UpstreamMalformed(
            f"The resource answers at {account.endpoint}, and the offer is at {asked}.",
            hint="Name the resource that the offer's address belongs to.",
        )
    values = [one.value.lower() for one in account.capabilities if one.name.lower() == "contentlogging"]
    if not values:
        says = "Content is kept for abuse monitoring where it is flagged: ContentLogging is not switched off."
        return Setting(name="ContentLogging absent", says=says)
    if values != ["false"]:
        raise unexpected("ContentLogging", values[0])
    return Setting(name="ContentLogging false", says="Nothing is kept for abuse monitoring.", retention_days=0)


PROBE = Probe(
    name="azure-content-logging",
    title="Abuse monitoring of a resource of Azure",
    key=SecretRef("env", "AZURE_MANAGEMENT_TOKEN"),
    part="the id of the resource, /subscriptions/…",
    source="https://learn.microsoft.com/en-us/azure/ai-foundry/responsible-ai/openai/data-privacy",
    address=_address,
    questions=_questions,
    read=_read,
)
