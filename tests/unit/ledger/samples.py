"""Entries and requests to record."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from isthmus.domain.decision import Rejection
from isthmus.domain.entry import Attempt, CrossingNote, Entry, Opened
from isthmus.domain.label import Labelled, label
from isthmus.domain.principal import Principal
from isthmus.domain.request import RequestId
from isthmus.domain.usage import Usage

BEGAN = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
WHO = Principal(team="support", user="anna", key="desk")
LABELS = (
    Labelled(label("internal"), "key"),
    Labelled(label("pii"), "detector", "messages[0].content", "email"),
)

_ENTRY = Entry(
    id=RequestId("req-0"),
    began=BEGAN,
    principal=WHO,
    dialect="openai-chat",
    model="triage",
    workload="triage",
    conversation="c-1",
    labels=LABELS,
    outcome="completed",
    error=None,
    offer="gpt",
    offer_model="gpt-5.4-mini",
    side="closed",
    streamed=True,
    usage=Usage(input=700, cached=200, cache_written=100, output=120, reasoning=20),
    cost=Decimal("0.00123456"),
    price_source="settings",
    first_token=0.25,
    total=1.5,
    goal="cheapest",
    attempts=(
        Attempt("home", 0.0, 0.1, 503, "upstream_error"),
        Attempt("gpt", 0.1, 1.4, 200, None, (label("internal"),), (label("pii"),)),
    ),
    rejected=(Rejection("claude", "not_cleared", "claude is not cleared for the label internal."),),
    catalog_version="c0ffee",
    policy_version="b1ackbead",
)


def entry(request: str, **changes: object) -> Entry:
    return replace(_ENTRY, id=RequestId(request), **changes)  # type: ignore[arg-type]  # checked by the tests that use it


def opened(request: str) -> Opened:
    return Opened(
        id=RequestId(request),
        began=BEGAN,
        principal=WHO,
        dialect="openai-chat",
        model="triage",
        workload="triage",
        conversation="c-1",
        labels=LABELS,
    )


def crossing(request: str) -> CrossingNote:
    return CrossingNote(
        request=RequestId(request),
        offer="gpt",
        labels=(label("internal"),),
        lowered=(label("pii"),),
        digest="ab" * 32,
        at=BEGAN,
    )
