"""Records as canonical JSON, and back."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.ledger.samples import BEGAN, crossing, entry

from isthmus.domain.decision import ReasonCode, Rejection
from isthmus.domain.entry import Attempt, CrossingNote, Entry, Outcome
from isthmus.domain.label import Label, Labelled, LabelSource
from isthmus.domain.principal import Principal
from isthmus.domain.request import RequestId
from isthmus.domain.usage import Usage
from isthmus.ledger.documents import (
    LONGEST_NAME,
    MOST,
    canonical,
    crossing_document,
    crossing_of,
    entry_document,
    entry_of,
    parse_crossing,
    parse_entry,
)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
maybe = st.none() | text
names = st.lists(st.sampled_from([Label("pii"), Label("phi"), Label("x.y")]), max_size=2).map(tuple)
seconds = st.integers(0, 10**12).map(lambda us: us / 1e6)
counts = st.integers(0, MOST)
usages = st.none() | st.builds(
    lambda cached, written, plain, reasoning, said: Usage(
        input=cached + written + plain,
        cached=cached,
        cache_written=written,
        output=reasoning + said,
        reasoning=reasoning,
    ),
    *[st.integers(0, 2**50)] * 5,
)
entries = st.builds(
    Entry,
    id=text.map(RequestId),
    began=st.datetimes(datetime(1970, 1, 1), datetime(2250, 1, 1), timezones=st.just(UTC)),
    principal=st.builds(Principal, tenant=text, team=maybe, user=maybe, key=maybe),
    dialect=text,
    model=text,
    workload=maybe,
    conversation=maybe,
    labels=st.lists(
        st.builds(
            Labelled,
            names.map(lambda some: some[0] if some else Label("z")),
            st.sampled_from(get_args(LabelSource)),
            maybe,
            maybe,
        ),
        max_size=2,
    ).map(tuple),
    outcome=st.sampled_from(get_args(Outcome)),
    error=maybe,
    offer=maybe,
    offer_model=maybe,
    side=st.sampled_from([None, "own", "hosted", "closed"]),
    streamed=st.booleans(),
    usage=usages,
    cost=st.none() | st.decimals(0, 10**6, allow_nan=False, places=15),
    price_source=maybe,
    first_token=st.none() | seconds,
    total=seconds,
    goal=st.sampled_from([None, "order", "cheapest"]),
    attempts=st.lists(
        st.builds(Attempt, text, seconds, seconds, st.none() | st.integers(100, 599), maybe, names, names), max_size=2
    ).map(tuple),
    rejected=st.lists(st.builds(Rejection, text, st.sampled_from(get_args(ReasonCode)), text), max_size=2).map(tuple),
    catalog_version=maybe,
    policy_version=maybe,
)


@given(entries)
@settings(max_examples=60, deadline=None)
def test_an_entry_comes_back_as_it_was(one: Entry) -> None:
    assert entry_of(parse_entry(canonical(entry_document(one, 3, 7)).decode())) == one


@given(entries)
@settings(max_examples=60, deadline=None)
def test_a_document_is_canonical_json(one: Entry) -> None:
    """RFC 8785: with ASCII keys and integers below 2⁵³ alone, Python's own encoder gives it with these settings."""
    document = canonical(entry_document(one, 3, 7))
    values = json.loads(document, parse_float=_no_number)
    assert document == json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert all(abs(number) <= MOST for number in _numbers(values))
    assert (values["kind"], values["writer"], values["seq"]) == ("entry", 3, 7)


@given(names, names, text)
def test_a_crossing_comes_back_as_it_was(labels: tuple[Label, ...], lowered: tuple[Label, ...], offer: str) -> None:
    note: CrossingNote = replace(crossing("a"), labels=labels, lowered=lowered, offer=offer)
    assert crossing_of(parse_crossing(canonical(crossing_document(note, 1, 2)).decode())) == note


def test_nonsense_is_made_storable_and_names_are_cut() -> None:
    document = canonical(entry_document(entry("half \ud83d", model="x" * 1000, conversation="y" * 1000), 1, 1))
    values = json.loads(document)
    assert values["id"] == "half ?"
    assert (len(values["model"]), len(values["conversation"])) == (LONGEST_NAME, LONGEST_NAME)
    huge = json.loads(canonical(entry_document(entry("a", usage=Usage(input=10**30, output=5)), 1, 1)))
    assert (huge["input"], huge["output"]) == (MOST, 5)


def test_what_is_not_known_is_not_written() -> None:
    bare = entry("a", usage=None, cost=None, attempts=(), rejected=(), labels=(), first_token=None, error=None)
    values = json.loads(canonical(entry_document(bare, 1, 1)))
    assert values.keys().isdisjoint({"input", "output", "cost", "attempts", "rejected", "labels", "first_token_us"})
    assert entry_of(parse_entry(json.dumps(values))).usage is None


def test_money_keeps_every_digit() -> None:
    found = entry_of(parse_entry(canonical(entry_document(entry("a", cost=Decimal("1E-18")), 1, 1)).decode()))
    assert found.cost == Decimal("1E-18")
    assert found.began == BEGAN


def _no_number(written: str) -> float:
    raise AssertionError(f"a document holds the float {written}")


def _numbers(value: object) -> list[int]:
    if isinstance(value, bool):
        return []
    if isinstance(value, int):
        return [value]
    if isinstance(value, dict):
        return [number for part in value.values() for number in _numbers(part)]
    if isinstance(value, list):
        return [number for part in value for number in _numbers(part)]
    assert not isinstance(value, float) or math.isnan(value)
    return []
