"""What a person is asked before something happens, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from isthmus.agent.tool import Argument


@dataclass(frozen=True, slots=True)
class Why:
    """One reason to ask or to refuse: a code for programmes, a sentence for people."""

    code: str
    """`destination_not_endorsed`, `not_for_these_readers`, `object_not_meant`, `link_from_outside`, `no_intent`, …"""
    sentence: str
    """Names the argument and where its value comes from, down to the mail or page. Never more of the content than the
    argument itself shows."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """Another way on than yes or no."""

    code: Literal["approve_once", "endorse_value", "redact", "draft_instead", "side_branch", "refuse"]
    sentence: str
    """What happens then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One question to a person. It is for exactly these arguments: a change of any makes it void."""

    id: str
    conversation: str
    call: str
    """Id of the call it is about."""
    tool: str
    says: str
    """What would happen, in a sentence that shows every argument that matters."""
    arguments: Mapping[str, Argument]
    digest: str
    """As in `Grant.digest`."""
    why: tuple[Why, ...]
    remedies: tuple[Remedy, ...]
    asked_at: datetime
    expires_at: datetime


Verdict = Literal["approve_once", "endorse_value", "redact", "draft_instead", "refuse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a person said to an approval."""

    approval: str
    verdict: Verdict
    by: str
    """Who, and by which way: `terminal`, `matrix:@me:example.org`."""
    at: datetime
