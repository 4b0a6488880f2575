"""OpenRouter: which endpoints are left where zero retention is enforced.

    GET /api/v1/endpoints/zdr     {"data": [{"model_id": …, "provider_name": …, "tag": …, …}, …]}

The list says whether there is an endpoint for the offer's model at all. That zero retention is enforced is a setting
of the account, a guardrail, or a field of the request, which this cannot see: it is what the terms `openrouter/zdr`
stand for, and the operator says by naming them.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from isthmus.domain.offer import Offer, SecretRef
from isthmus.providers.accounts.probe import Answer, Probe, Question, Setting, Subject, decoded

ENFORCED = "openrouter/zdr"
"""The terms under which zero retention is enforced."""


class _Endpoint(msgspec.Struct, frozen=True):
    model_id: str
    provider_name: str


class _Endpoints(msgspec.Struct, frozen=True):
    data: list[_Endpoint]


def _address(offer: Offer) -> str:
    return offer.base_url.rstrip("/")


def _questions(subject: Subject) -> Sequence[Question]:
    return [Question(url=f"{subject.address}/endpoints/zdr")]


def _read(subject: Subject, answers: Sequence[Answer]) -> Setting:
    endpoints = decoded(answers[0], _Endpoints, "OpenRouter's list of endpoints").data
    model = subject.offer.model.partition(":")[0]  # `:free`, `:nitro` and the like say how to choose, not which model
    operators = sorted({one.provider_name for one in endpoints if one.model_id == model})
    if not operators:
        return Setting(
            name="no endpoint", says=f"No endpoint of {model} has zero retention: enforced, none would serve."
        )
    says = f"Zero retention at {len(operators)} operators of {model}: {', '.join(operators)}."
    return Setting(name="endpoints", says=says, retention_days=0 if subject.offer.terms == ENFORCED else None)


PROBE = Probe(
    name="openrouter-zdr-endpoints",
    title="Endpoints of OpenRouter with zero retention",
    key=SecretRef("env", "OPENROUTER_API_KEY"),
    source="https://openrouter.ai/docs/api/api-reference/endpoints/list-endpoints-zdr",
    address=_address,
    questions=_questions,
    read=_read,
)
