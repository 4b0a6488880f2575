"""Laws of updates, over arbitrary ones."""

from __future__ import annotations

import copy
from datetime import date
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.catalog.changes.small import claim, contents, everything, listing, records

from isthmus.catalog.catalog import Catalog, catalog_of
from isthmus.catalog.changes.plan import Plan
from isthmus.catalog.claim import Claim
from isthmus.catalog.listing import Listing
from isthmus.catalog.places import countries

EVIDENCE = ("E0", "E1", "E2", "E3", "E4")
DAYS = [date(2026, 12, 11), date(2027, 1, 14), date(2027, 6, 1)]


def claims(*values: object) -> st.SearchStrategy[dict[str, Any]]:
    """Unknown, one reading, or readings that conflict."""
    one = st.builds(
        claim,
        st.sampled_from(values),
        st.sampled_from(["verified", "declared"]),
        evidence=st.sampled_from(EVIDENCE[1:4]),
    )
    two = st.builds(
        lambda first, second: {
            **claim(first, "conflict"),
            "alternatives": [{"value": second, "sources": ["list"]}],
        },
        st.sampled_from(values),
        st.sampled_from(values),
    )
    return st.one_of(st.just({}), one, two)


@st.composite
def states(draw: st.DrawFn) -> dict[str, bytes]:
    """The small catalog with facts drawn anew."""
    plain = copy.deepcopy(records())
    terms = plain["terms/openai/api.yaml"]
    terms["training"] = {"default": draw(claims("never", "opt-in", "opt-out", "always"))}
    terms["retention"]["default_days"] = draw(claims(0, 1, 30, 60))
    terms["retention"]["classes"] = [
        {"what": what, "days": draw(claims(0, 30, 90))} for what in draw(st.sets(st.sampled_from(["files", "batches"])))
    ]
    terms["retention"]["model_exceptions"] = [
        {"models": [model], "days": draw(claims(0, 30, 60)), "says": "So it is."}
        for model in draw(st.sets(st.sampled_from(["meta/tiny", "openai/gpt-5.4-mini"])))
    ]
    terms["zero_retention"]["how"] = draw(claims("default", "self", "approval", "contract", "none"))
    region = plain["offers/openai/api/eu.yaml"]["region"]
    region["processing"] = draw(claims(["EU"], ["US"], ["EU", "US"], ["DE"], ["DE", "IN"]))
    tiny = plain["models/meta/tiny.yaml"]
    tiny["weights"] = draw(claims("none", "gated", "public"))
    tiny["licence"] = draw(claims("Apache-2.0", "LicenseRef-capped"))
    tiny["training"] = {"data": draw(claims("closed", "described", "partial", "open"))}
    tiny["title"] = draw(st.sampled_from(["Tiny", "Tiny, a model"]))
    clauses = plain["licences/LicenseRef-capped.yaml"]["clauses"]
    clauses[0]["monthly_users"] = draw(st.sampled_from([10, 1_000_000, 700_000_000]))
    listed = [
        listing(
            name,
            price=(draw(st.sampled_from(["0.75", "0.6", "0.01"])), "4.5"),
            retires=draw(st.sampled_from([None, *DAYS])),
            model=name if name == "meta/tiny" else "openai/gpt-5.4-mini",
        )
        for name in sorted(draw(st.sets(st.sampled_from(["gpt-5.4-mini", "gpt-5.4-mini-2026-03-17", "meta/tiny"]))))
    ]
    return contents(plain, tuple(listed), observed=draw(st.sampled_from([date(2026, 11, 21), date(2026, 12, 1)])))


slowly = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@slowly
@given(states())
def test_equal_states_do_not_differ(state: dict[str, bytes]) -> None:
    assert Plan(before=state, update=dict(state)).changes == ()


@slowly
@given(states(), states())
def test_accepting_all_that_is_not_contested_gives_the_new_state(
    before: dict[str, bytes], after: dict[str, bytes]
) -> None:
    plan = Plan(before=before, update=after)
    out = plan.result(plan.held(everything(plan)))
    if not plan.contested:
        assert out == after
    assert {change.id for change in Plan(before=before, update=out).changes} == {
        change.id for change in plan.changes if not change.contested
    }


@slowly
@given(states(), states())
def test_without_a_word_nothing_that_policy_rests_on_gets_looser(
    before: dict[str, bytes], after: dict[str, bytes]
) -> None:
    plan = Plan(before=before, update=after)
    then, now = catalog_of(before), catalog_of(plan.result(plan.held(())))
    for fact, was in leniency(then).items():
        assert leniency(now)[fact] <= was, fact


@slowly
@given(states(), states())
def test_what_was_held_is_what_the_next_look_shows(before: dict[str, bytes], after: dict[str, bytes]) -> None:
    """Applying the rest and looking again finds the held changes, and no others."""
    plan = Plan(before=before, update=after)
    held = plan.held(())
    again = Plan(before=plan.result(held), update=after)
    assert {change.id for change in again.changes} == {change.id for change in held}


def leniency(catalog: Catalog) -> dict[str, float]:
    """How much each fact lets through, by the strictest reading. Written apart from the code that is tried."""
    terms = catalog.terms["openai/api"]
    offer = catalog.offers["openai/api/eu"]
    tiny = catalog.models["meta/tiny"]
    cap = catalog.licences["LicenseRef-capped"].clauses[0]
    found: dict[str, float] = {
        "training": least(terms.training.default, ["always", "opt-out", "opt-in", "never"].index),
        "retention": least(terms.retention.default_days, lambda days: -days),
        "zero": least(terms.zero_retention.how, ["none", "contract", "approval", "self", "default"].index),
        "weights": least(tiny.weights, ["none", "gated", "public"].index),
        "data": least(tiny.training.data, ["closed", "described", "partial", "open"].index),
        "cap": cap.monthly_users if hasattr(cap, "monthly_users") else 0,
    }
    rested_on: dict[str, Claim[Any]] = {
        "training": terms.training.default,
        "retention": terms.retention.default_days,
        "region": offer.region.processing,
        "licence": tiny.licence,
    }
    for name, claimed in rested_on.items():
        found[f"evidence of {name}"] = EVIDENCE.index(claimed.evidence) if claimed.known else -1
    for wanted in ("EU", "US", "DE", "IN"):
        found[f"stays in {wanted}"] = stays(offer.region.processing, wanted)
    for licence in catalog.licences:
        # more readings are stricter; what nobody knows is the strictest
        found[f"is {licence} alone"] = set(tiny.licence.readings) == {licence}
    for model in catalog.models:
        found[f"kept of {model}"] = kept(catalog, model)
    for what in ("files", "batches"):
        found[f"kept of {what}"] = min(
            (least(one.days, lambda days: -days) for one in terms.retention.classes if one.what == what), default=1
        )
    for name in ("gpt-5.4-mini", "gpt-5.4-mini-2026-03-17", "meta/tiny"):
        found[f"end of {name}"] = end(catalog.listed("openai", name))
    return found


def least(claimed: Claim[Any], rank: Any) -> float:
    return min((float(rank(value)) for value in claimed.readings), default=float("-inf"))


def stays(claimed: Claim[tuple[str, ...]], wanted: str) -> bool:
    places = countries(code for reading in claimed.readings for code in reading)
    return claimed.known and places <= countries([wanted])


def kept(catalog: Catalog, model: str) -> float:
    retention = catalog.terms["openai/api"].retention
    own = [one for one in retention.model_exceptions if model in one.models]
    days = own[0].days if own else retention.default_days
    return least(days, lambda count: -count)


def end(listed: Listing | None) -> float:
    """Later is looser; not listed, or no day: never."""
    days = () if listed is None else listed.retires_on.readings
    return min((day.toordinal() for day in days), default=float("inf"))
