"""Which models in use end, and when that is warned of."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from tests.unit.catalog.changes.small import contents, listing

from isthmus.catalog.catalog import catalog_of
from isthmus.catalog.claim import Alternative, Claim, Source
from isthmus.catalog.listing import Listing
from isthmus.catalog.retirement import InUse, in_use, retirements
from isthmus.domain.offer import Offer, Side, Workload

TODAY = date(2026, 11, 21)


def used(ends: Claim[date], *, offer: str = "gpt", replacement: str | None = "gpt-5.6-sol") -> InUse:
    successor: Claim[str] = Claim() if replacement is None else Claim(value=replacement, state="declared")
    return InUse(
        offer=offer,
        listing=Listing(provider="openai", api_id="gpt-5", retires_on=ends, replacement=successor),
        workloads=("triage", "chat"),
    )


def on(day: date, *others: date) -> Claim[date]:
    return Claim(
        value=day,
        state="conflict" if others else "declared",
        sources=("deprecations",),
        alternatives=tuple(Alternative(value=other, sources=("deprecations",)) for other in others),
    )


@pytest.mark.parametrize(
    ("days", "band"), [(90, 90), (31, 90), (30, 30), (1, 30), (0, 0), (-1, 0), (-500, 0), (91, None), (1000, None)]
)
def test_it_is_warned_of_at_90_30_and_0_days(days: int, band: int | None) -> None:
    found = retirements([used(on(TODAY + timedelta(days)))], TODAY)
    assert [one.band for one in found] == ([] if band is None else [band])


def test_what_ends_first_comes_first_and_what_has_no_end_does_not_come() -> None:
    uses = [
        used(on(date(2027, 1, 1)), offer="later"),
        used(Claim(), offer="never"),
        used(on(date(2026, 12, 11)), offer="soon"),
    ]
    assert [one.offer for one in retirements(uses, TODAY)] == ["soon", "later"]


def test_it_says_when_what_instead_and_whom_it_concerns() -> None:
    source = Source(url="https://example.test/", kind="feed", observed_on=date(2026, 10, 2))
    (found,) = retirements([used(on(date(2026, 12, 11)))], TODAY, sources={"deprecations": source})
    assert found.sentence == (
        "gpt-5 (offer gpt) retires on 2026-12-11, in 20 days; openai names gpt-5.6-sol instead; workloads triage, chat"
    )
    assert found.source == "deprecations, read 2026-10-02"


def test_what_has_ended_and_has_no_successor_says_so() -> None:
    (found,) = retirements([used(on(date(2026, 11, 1)), replacement=None)], TODAY)
    assert found.sentence.startswith("gpt-5 (offer gpt) retired on 2026-11-01; no successor is named")


def test_of_several_days_the_first_is_warned_of_and_the_others_are_told() -> None:
    (found,) = retirements([used(on(date(2027, 1, 14), date(2026, 12, 11)))], TODAY)
    assert (found.retires_on, found.note) == (date(2026, 12, 11), "the feeds name 2027-01-14, too")


def offer(name: str, *, side: Side = "closed", model: str = "gpt-5.4-mini", retired_on: date | None = None) -> Offer:
    return Offer(
        name=name, model=model, provider="openai", dialect="openai-chat", base_url="", side=side, retired_on=retired_on
    )


def test_the_offers_in_use_are_those_that_somebody_else_serves_with_their_workloads() -> None:
    catalog = catalog_of(contents(listings=(listing(retires=date(2026, 12, 11)),)))
    offers = {
        one.name: one
        for one in (
            offer("mini"),
            offer("own", side="own"),
            offer("other", model="gpt-x"),
            offer("set", model="gpt-x", retired_on=date(2026, 12, 1)),
            offer("sooner", retired_on=date(2026, 11, 30)),
        )
    }
    workloads = [Workload(name="triage", offers=("mini", "own")), Workload(name="chat", offers=("mini", "set"))]
    found = retirements(in_use(offers, workloads, catalog), TODAY, sources=catalog.snapshot.sources)
    assert [(one.offer, one.retires_on, one.workloads, one.source) for one in found] == [
        ("sooner", date(2026, 11, 30), (), "settings"),
        ("set", date(2026, 12, 1), ("chat",), "settings"),
        ("mini", date(2026, 12, 11), ("triage", "chat"), "genai-prices, read 2026-11-21"),
    ]
