"""OpenAI: the data retention controls of an organisation and of its projects.

    GET /v1/organization/data_retention                        {"object": "organization.data_retention", "type": …}
    GET /v1/organization/projects/{project}/data_retention     {"object": "project.data_retention", "type": …}

A project may be set apart from its organisation, in either direction. So zero retention is only concluded where the
project of the offer's key was asked, too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from isthmus.domain.errors import ConfigError, UpstreamMalformed
from isthmus.domain.offer import Offer, SecretRef
from isthmus.providers.accounts.probe import Answer, Probe, Question, Setting, Subject, decoded

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")

Mode = Literal[
    "zero_data_retention",
    "modified_abuse_monitoring",
    "enhanced_zero_data_retention",
    "enhanced_modified_abuse_monitoring",
]


class _Organisation(msgspec.Struct, frozen=True):
    object: Literal["organization.data_retention"]
    type: Mode


class _Project(msgspec.Struct, frozen=True):
    object: Literal["project.data_retention"]
    type: Mode | Literal["organization_default", "none"]


_SAYS: dict[str, str] = {
    "zero_data_retention": "Zero Data Retention: no content in logs, and answers are never stored.",
    "modified_abuse_monitoring": (
        "Modified Abuse Monitoring: no content in logs against abuse, but features that store still do."
    ),
    "enhanced_zero_data_retention": "Enhanced Zero Data Retention, of which the documentation does not say what it is.",
    "enhanced_modified_abuse_monitoring": (
        "Enhanced Modified Abuse Monitoring, of which the documentation does not say what it is."
    ),
    "none": "The project has no retention control of its own and does not use the organisation's.",
}


def _address(offer: Offer) -> str:
    return offer.base_url.rstrip("/")


def _questions(subject: Subject) -> Sequence[Question]:
    for name in (subject.part, subject.finished):
        if name and not _ID.match(name):
            raise ConfigError(f"{name!r} is no id of OpenAI's.", hint="Ids look like proj_abc123 or resp_abc123.")
    questions = [Question(url=f"{subject.address}/organization/data_retention")]
    if subject.part:
        questions.append(Question(url=f"{subject.address}/organization/projects/{subject.part}/data_retention"))
    if subject.finished:
        url = f"{subject.address}/responses/{subject.finished}"
        questions.append(Question(url=url, key="offer", may_be_missing=True))
    return questions


def _read(subject: Subject, answers: Sequence[Answer]) -> Setting:
    left = list(answers)
    mode: str = decoded(left.pop(0), _Organisation, "OpenAI's answer on the organisation").type
    if subject.part:
        own = decoded(left.pop(0), _Project, "OpenAI's answer on the project").type
        mode = mode if own == "organization_default" else own
    if mode == "zero_data_retention" and subject.finished and left.pop(0).status != 404:
        raise UpstreamMalformed(
            f"OpenAI says that retention is zero, and still has the response {subject.finished}.",
            hint="It may be of another project, or of a time before. Nothing is concluded.",
        )
    if mode == "zero_data_retention" and not subject.part:
        says = (
            "Zero Data Retention for the organisation; the project of the key may be set otherwise, and was not asked."
        )
        return Setting(name=mode, says=says)
    return Setting(name=mode, says=_SAYS[mode], retention_days=0 if mode == "zero_data_retention" else None)


PROBE = Probe(
    name="openai-data-retention",
    title="Data retention controls of OpenAI's organisation and project",
    key=SecretRef("env", "OPENAI_ADMIN_KEY"),
    part="the project of the offer's key, such as proj_abc123",
    source="https://github.com/openai/openai-openapi",
    address=_address,
    questions=_questions,
    read=_read,
)
