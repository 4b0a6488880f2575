"""Small records to look at, and strategies that make more of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from hypothesis import strategies as st

from isthmus.catalog.claim import Alternative, Claim, Source
from isthmus.catalog.openness.components import COMPONENTS
from isthmus.catalog.records.licence import (
    AnyClause,
    CommercialUse,
    LicenceRecord,
    RevenueCap,
    UsePolicy,
)
from isthmus.catalog.records.model import Component, ComponentName, ModelRecord, Producer, Training
from isthmus.domain.licensing import Use

T = TypeVar("T")

ALL_USES: tuple[Use, ...] = ("internal", "product", "hosted-service", "fine-tune", "train-on-outputs", "redistribute")
SOURCES = {"card": Source(url="https://example.org/card", kind="card", observed_on=date(2026, 11, 21))}


def said(value: T) -> Claim[T]:
    """A claim that the maker's card makes."""
    return Claim(value=value, state="declared", sources=("card",), evidence="E1")


def disputed(value: T, *others: T) -> Claim[T]:
    """A claim that sources disagree on."""
    alternatives = tuple(Alternative(value=other, sources=("card",)) for other in others)
    return Claim(value=value, state="conflict", sources=("card",), evidence="E1", alternatives=alternatives)


def licence(name: str, *clauses: AnyClause, grants: tuple[Use, ...] = ALL_USES, **facts: Any) -> LicenceRecord:
    return LicenceRecord(
        id=name,
        title=name,
        text_url=f"https://example.org/{name}",
        sources={"text": Source(url="https://example.org/text", kind="licence", observed_on=date(2026, 11, 21))},
        osi_approved=facts.pop("osi_approved", False),
        grants=grants,
        clauses=clauses,
        **facts,
    )


WORDS: Mapping[str, Any] = {"says": "It says so.", "place": "section 1", "sources": ("text",)}

APACHE = licence("Apache-2.0", spdx="Apache-2.0", osi_approved=True, fsf_libre=True)
RESEARCH = licence("LicenseRef-research", CommercialUse(allowed=False, **WORDS))
CAPPED = licence(
    "LicenseRef-capped", RevenueCap(amount=Decimal(20_000_000), period="month", effect="no_rights", **WORDS)
)
RAIL = licence("LicenseRef-rail", UsePolicy(mutable=False, **WORDS))
SERVICE = licence("LicenseRef-service", grants=(), proprietary=True)
LICENCES = {record.id: record for record in (APACHE, RESEARCH, CAPPED, RAIL, SERVICE)}


def model(**facts: Any) -> ModelRecord:
    """A model of which nothing is known but what is said here."""
    given: dict[str, Any] = {"id": "maker/model", "title": "Model", "family": "model", "sources": SOURCES}
    return ModelRecord(**(given | {"producer": Producer(name="Maker")} | facts))


def given(present: str = "yes", licence: str = "") -> Component:
    return Component(present=said(present), licence=licence)  # type: ignore[arg-type]  # one of the three words


def open_model(**facts: Any) -> ModelRecord:
    """A model of which all is given, under Apache-2.0."""
    everything: dict[str, Any] = {
        "weights": said("public"),
        "licence": said("Apache-2.0"),
        "components": {name: given() for name in COMPONENTS},
        "global_licences": {"distribution": "Apache-2.0"},
        "training": Training(data=said("open"), code=said("open"), checkpoints=said(value=True)),
        "systemic_risk": said(value=False),
        "osai_sum": said(11.5),
    }
    return model(**(everything | facts))


def closed_model(**facts: Any) -> ModelRecord:
    return model(**({"weights": said("none"), "licence": said("LicenseRef-service")} | facts))


def claims(values: st.SearchStrategy[T]) -> st.SearchStrategy[Claim[T]]:
    """Claims of every state: unknown, said, and disputed by one or two others."""
    return st.one_of(
        st.just(Claim[T]()),
        values.map(said),
        st.lists(values, min_size=2, max_size=3, unique=True).map(lambda found: disputed(*found)),
    )


_NAMES = st.sampled_from([*LICENCES, "LicenseRef-nobody-knows"])
_GIVEN_UNDER = st.sampled_from(["", "unlicensed", "Apache-2.0", "CC-BY-4.0", "CC-BY-NC-4.0", "LicenseRef-research"])

models: st.SearchStrategy[ModelRecord] = st.builds(
    model,
    weights=claims(st.sampled_from(["none", "gated", "public"])),
    licence=claims(_NAMES),
    components=st.dictionaries(
        st.sampled_from(COMPONENTS),
        st.builds(Component, present=claims(st.sampled_from(["no", "partial", "yes"])), licence=_GIVEN_UNDER),
    ),
    global_licences=st.dictionaries(st.sampled_from(["code", "data", "document", "distribution"]), _GIVEN_UNDER),
    training=st.builds(
        Training,
        data=claims(st.sampled_from(["closed", "described", "partial", "open"])),
        code=claims(st.sampled_from(["closed", "partial", "open"])),
        checkpoints=claims(st.booleans()),
    ),
    osai_sum=claims(st.sampled_from([2.0, 5.5, 11.5])),
    systemic_risk=claims(st.booleans()),
    collects_personal_data=claims(st.booleans()),
)
"""Models that may contradict themselves in every way."""

nearly_open_models: st.SearchStrategy[ModelRecord] = st.builds(
    open_model,
    weights=claims(st.sampled_from(["gated", "public"])),
    licence=st.sampled_from([said("Apache-2.0"), disputed("Apache-2.0", "LicenseRef-rail")]),
    components=st.fixed_dictionaries(
        {
            name: st.builds(Component, present=claims(st.sampled_from(["partial", "yes"])), licence=_GIVEN_UNDER)
            if name in ("datasets", "data_card", "technical_report")
            else st.just(given())
            for name in COMPONENTS
        }
    ),
    training=st.builds(
        Training,
        data=claims(st.sampled_from(["described", "partial", "open"])),
        code=claims(st.sampled_from(["partial", "open"])),
    ),
    systemic_risk=st.sampled_from([said(value=False), disputed(False, True)]),
)
"""Models that lack little, so that the upper levels are reached."""


def components_of(record: ModelRecord) -> Mapping[ComponentName, Component]:
    return record.components
