"""Amazon Bedrock: the data retention mode of an account, in one Region.

    GET /data-retention     {"mode": "default" | "none" | "provider_data_share" | "inherit", "updatedAt": …}

Asked at the control plane of the Region that the offer's address names, with a Bedrock API key. Projects (of the
`bedrock-mantle` addresses) may have a mode of their own, so there the account's mode says nothing of a request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from isthmus.domain.errors import ConfigError
from isthmus.domain.offer import Offer, SecretRef
from isthmus.providers.accounts.probe import Answer, Probe, Question, Setting, Subject, decoded

_HOST = re.compile(r"bedrock-(?:runtime|mantle)\.(?P<region>[a-z]{2}(?:-[a-z]+)+-\d)\.(?:amazonaws\.com|api\.aws)\Z")

_SAYS = {
    "none": "Zero retention: nothing is written to disk or shared, and models that retain are refused.",
    "default": "The mode is each model's own default.",
    "inherit": "No mode is set in this Region: each model's own default holds.",
    "provider_data_share": "What models retain may be shared with their makers.",
}


class _Retention(msgspec.Struct, frozen=True):
    mode: Literal["default", "none", "provider_data_share", "inherit"]


def _address(offer: Offer) -> str:
    found = _HOST.match(urlsplit(offer.base_url).hostname or "")
    if found is None:
        raise ConfigError(
            f"The address of offer {offer.name} does not name a Region of Bedrock.",
            hint="It looks like https://bedrock-runtime.eu-central-1.amazonaws.com/openai/v1.",
        )
    return f"https://bedrock.{found['region']}.amazonaws.com"


def _questions(subject: Subject) -> Sequence[Question]:
    return [Question(url=f"{subject.address}/data-retention")]


def _read(subject: Subject, answers: Sequence[Answer]) -> Setting:
    mode = decoded(answers[0], _Retention, "Bedrock's answer on retention").mode
    if mode != "none":
        return Setting(name=mode, says=_SAYS[mode])
    if "mantle" in (urlsplit(subject.offer.base_url).hostname or ""):
        says = "Zero retention for the account; a project may be set otherwise, which cannot be asked."
        return Setting(name=mode, says=says)
    return Setting(name=mode, says=_SAYS[mode], retention_days=0)


PROBE = Probe(
    name="bedrock-data-retention",
    title="Data retention mode of Bedrock in a Region",
    key=SecretRef("env", "AWS_BEARER_TOKEN_BEDROCK"),
    source="https://docs.aws.amazon.com/bedrock/latest/APIReference/API_GetAccountDataRetention.html",
    address=_address,
    questions=_questions,
    read=_read,
)
