"""A probe: which addresses tell an account's setting, and what their answers mean.

A probe does no I/O. It says what to ask, and reads the answers strictly by the shape that the provider publishes: a
value that is not in it is no observation, however much it looks like one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import msgspec

from isthmus.domain.errors import UpstreamMalformed
from isthmus.domain.offer import Offer, SecretRef, Training

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is asked about."""

    offer: Offer
    address: str
    """Where the provider's management interface is, without a slash at the end."""
    part: str = ""
    """Which part of the account, in the provider's terms: a project, a resource. Empty: not said."""
    finished: str = ""
    """Id of an answer that the provider gave lately and should have forgotten; empty: none is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One GET."""

    url: str
    key: Literal["account", "offer"] = "account"
    """Whose key goes along: one that may read settings, or the one that requests are sent with."""
    may_be_missing: bool = False
    """Whether 404 is an answer, and not a mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    """200, or 404 where that is an answer."""
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the answers come to."""

    name: str
    """As the provider calls it."""
    says: str
    """What it means, in a sentence."""
    retention_days: int | None = None
    """None: the setting does not change what the terms say."""
    training: Training | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How to read one setting."""

    name: str
    """As terms name it in `account_check`."""
    title: str
    key: SecretRef
    """Where the key that may read settings usually is."""
    part: str = ""
    """What `Subject.part` is here, for a person; empty: it is not used."""
    source: str
    """Where the provider publishes the shape."""
    address: Callable[[Offer], str]
    """Where to ask, by the offer. Raises ConfigError where it does not tell."""
    questions: Callable[[Subject], Sequence[Question]]
    """Raises ConfigError where something is missing."""
    read: Callable[[Subject, Sequence[Answer]], Setting]
    """Of one answer for each question. Raises UpstreamMalformed."""


def decoded(answer: Answer, shape: type[T], what: str) -> T:
    """An answer in the published shape.

    Raises:
        UpstreamMalformed: it has another.
    """
    try:
        return msgspec.json.decode(answer.body, type=shape)
    except (msgspec.DecodeError, msgspec.ValidationError) as exc:
        raise UpstreamMalformed(f"{what} has another shape than the one published: {exc}.") from exc


def unexpected(what: str, value: Any) -> UpstreamMalformed:
    """A value that is not among the published ones: nothing is concluded from it."""
    return UpstreamMalformed(
        f"{what} is {value!r}, which is none of the published values. Nothing is concluded from it.",
        hint="A newer isthmus may know it; until then what the terms say counts.",
    )
