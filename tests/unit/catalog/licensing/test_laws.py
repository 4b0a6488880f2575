"""Laws of the check, with licences put together from all clauses of the catalog."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import get_args

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.catalog.catalog import Catalog, load_catalog
from isthmus.catalog.claim import Alternative, Claim, Source
from isthmus.catalog.licensing.check import licence_check
from isthmus.catalog.licensing.verdict import STRICTNESS, Verdict
from isthmus.catalog.listing import Snapshot
from isthmus.catalog.organisation import Contract, Organisation
from isthmus.catalog.records.licence import AnyClause, Grant, LicenceRecord
from isthmus.catalog.records.model import ModelRecord, Producer
from isthmus.catalog.records.terms import TermsRecord, UseTerm
from isthmus.domain.licensing import Outcome, Use

TODAY = date(2026, 11, 21)
SOURCE = Source(url="https://example.org/licence", kind="licence", observed_on=TODAY)
POOL: list[AnyClause] = sorted(
    {
        msgspec.structs.replace(clause, sources=("text",))
        for licence in load_catalog().licences.values()
        for clause in licence.clauses
    },
    key=repr,
)
USES: tuple[Use, ...] = get_args(Use)


def remembered(clause: AnyClause) -> AnyClause:
    """The same clause, known from memory alone."""
    return msgspec.structs.replace(clause, state="declared", evidence="E0")


law = settings(deadline=None)  # machines that build are slow now and then

clauses = st.lists(st.sampled_from(POOL) | st.sampled_from(POOL).map(remembered), max_size=6).map(tuple)
uses = st.sampled_from(USES)
grants = st.lists(uses, unique=True, max_size=6).map(tuple)
amounts = st.sampled_from([0, 900_000, 19_999_999, 20_000_000, 20_000_001, 239_000_000, 10_000_000_000, 10_000_000_001])
users = st.sampled_from([0, 99_999_999, 100_000_000, 100_000_001, 700_000_000, 700_000_001])
seats = st.sampled_from(["DE", "FR", "US", "CN", "KR", "GB", "CH"])
inputs = st.sampled_from([("text",), ("text", "image")])
organisations = st.builds(
    Organisation,
    seat=seats,
    operates_in=st.lists(seats, max_size=2).map(tuple),
    revenue_year_usd=amounts.map(Decimal),
    revenue_month_usd=st.none() | amounts.map(Decimal),
    monthly_users=users,
    commercial=st.booleans(),
    model_service=st.booleans(),
    work_assistant=st.booleans(),
    military=st.booleans(),
)
permits = st.sampled_from(["yes", "with_duties", "agreement", "no"])
use_terms = st.builds(
    UseTerm,
    use=uses,
    permits=permits,
    says=st.just("So it is."),
    place=st.just("section 1"),
    sources=st.just(("text",)),
    evidence=st.sampled_from(["E0", "E1"]),
)
terms_records = st.lists(use_terms, max_size=4).map(
    lambda said: TermsRecord(
        id="host/api",
        title="Host",
        provider="host",
        tier="api",
        url="https://example.org/terms",
        uses=tuple(said),
        sources={"text": SOURCE},
    )
)


def licence(name: str, granted: tuple[Use, ...], says: tuple[AnyClause, ...]) -> LicenceRecord:
    return LicenceRecord(
        id=name,
        title=name,
        text_url=SOURCE.url,
        osi_approved=False,
        grants=granted,
        clauses=says,
        sources={"text": SOURCE},
    )


def catalog_with(*licences: LicenceRecord) -> Catalog:
    return Catalog(
        version="0" * 16,
        models={},
        licences={one.id: one for one in licences},
        providers={},
        offers={},
        terms={},
        snapshot=Snapshot(made_on=TODAY, sources={}, listings=()),
    )


def model_under(*names: str, input_: tuple[str, ...] = ("text",)) -> ModelRecord:
    claim: Claim[str] = Claim()
    if names:
        others = tuple(Alternative(value=name, sources=("card",)) for name in names[1:])
        claim = Claim(
            value=names[0],
            state="conflict" if others else "verified",
            sources=("card",),
            evidence="E1",
            alternatives=others,
        )
    return ModelRecord(
        id="maker/model",
        title="Model",
        family="model",
        producer=Producer(name="Maker"),
        input=input_,
        licence=claim,
        sources={"card": SOURCE},
    )


def check(
    records: tuple[LicenceRecord, ...],
    organisation: Organisation,
    use: Use,
    *,
    terms: TermsRecord | None = None,
    input_: tuple[str, ...] = ("text",),
) -> Verdict:
    model = model_under(*(record.id for record in records), input_=input_)
    return licence_check(model, organisation, use, catalog=catalog_with(*records), terms=terms, today=TODAY)


def strict(outcome: Outcome) -> int:
    return STRICTNESS.index(outcome)


def without(organisation: Organisation, dropped: frozenset[str]) -> Organisation:
    """Who says less. Of revenue all is said or nothing: a month that is not said is a twelfth of the year."""
    fields = set(dropped)
    if "revenue" in fields:
        fields = (fields - {"revenue"}) | {"revenue_year_usd", "revenue_month_usd"}
    return msgspec.structs.replace(organisation, **dict.fromkeys(fields))


SAID = ("seat", "revenue", "monthly_users", "model_service", "work_assistant")


@law
@given(grants, clauses, organisations, uses, inputs, st.frozensets(st.sampled_from(SAID)))
def test_who_says_less_of_oneself_is_not_permitted_more(
    granted: tuple[Use, ...],
    says: tuple[AnyClause, ...],
    organisation: Organisation,
    use: Use,
    input_: tuple[str, ...],
    dropped: frozenset[str],
) -> None:
    record = (licence("one", granted, says),)
    told = check(record, organisation, use, input_=input_).outcome
    less = check(record, without(organisation, dropped), use, input_=input_).outcome
    assert strict(less) >= min(strict(told), strict("unknown"))


@law
@given(grants, clauses, organisations, uses, amounts, users, st.booleans())
def test_a_larger_company_is_not_permitted_more(
    granted: tuple[Use, ...],
    says: tuple[AnyClause, ...],
    organisation: Organisation,
    use: Use,
    revenue: int,
    more_users: int,
    service: bool,
) -> None:
    month = organisation.revenue_month_usd
    assert organisation.revenue_year_usd is not None
    assert organisation.monthly_users is not None
    larger = msgspec.structs.replace(
        organisation,
        revenue_year_usd=organisation.revenue_year_usd + revenue,
        revenue_month_usd=None if month is None else month + revenue,
        monthly_users=organisation.monthly_users + more_users,
        model_service=organisation.model_service or service,
    )
    record = (licence("one", granted, says),)
    assert strict(check(record, larger, use).outcome) >= strict(check(record, organisation, use).outcome)


@law
@given(grants, clauses, clauses, organisations, uses, inputs)
def test_a_clause_more_permits_nothing_more(
    granted: tuple[Use, ...],
    says: tuple[AnyClause, ...],
    more: tuple[AnyClause, ...],
    organisation: Organisation,
    use: Use,
    input_: tuple[str, ...],
) -> None:
    short = check((licence("one", granted, says),), organisation, use, input_=input_)
    long = check((licence("one", granted, says + more),), organisation, use, input_=input_)
    assert strict(long.outcome) >= strict(short.outcome)
    assert set(long.duties) >= set(short.duties)


@law
@given(grants, clauses, organisations, uses, terms_records)
def test_terms_of_who_serves_it_permit_nothing_more(
    granted: tuple[Use, ...], says: tuple[AnyClause, ...], organisation: Organisation, use: Use, terms: TermsRecord
) -> None:
    record = (licence("one", granted, says),)
    alone = check(record, organisation, use)
    served = check(record, organisation, use, terms=terms)
    assert strict(served.outcome) >= strict(alone.outcome)


@law
@given(grants, clauses, grants, clauses, organisations, uses)
def test_of_two_readings_the_stricter_counts(
    granted: tuple[Use, ...],
    says: tuple[AnyClause, ...],
    other_granted: tuple[Use, ...],
    other_says: tuple[AnyClause, ...],
    organisation: Organisation,
    use: Use,
) -> None:
    one, other = licence("one", granted, says), licence("other", other_granted, other_says)
    each = [check((record,), organisation, use).outcome for record in (one, other)]
    both = check((one, other), organisation, use)
    assert both.outcome == max(each, key=strict)
    assert all(f"({outcome})" in both.conflict for outcome in each)


@law
@given(grants, clauses, organisations, uses, terms_records)
def test_the_first_ground_decides_and_what_is_unknown_allows_nothing(
    granted: tuple[Use, ...], says: tuple[AnyClause, ...], organisation: Organisation, use: Use, terms: TermsRecord
) -> None:
    verdict = check((licence("one", granted, says),), organisation, use, terms=terms)
    ranks = [strict(ground.outcome) for ground in verdict.grounds]
    assert ranks == sorted(ranks, reverse=True)
    assert verdict.outcome == verdict.grounds[0].outcome
    if any(ground.outcome == "unknown" for ground in verdict.grounds):
        assert not verdict.ruling.serves
    if verdict.outcome == "allowed":
        assert not verdict.duties


@law
@given(grants, clauses, organisations, uses)
def test_a_contract_with_the_licensor_permits_what_is_granted_at_all(
    granted: tuple[Use, ...], says: tuple[AnyClause, ...], organisation: Organisation, use: Use
) -> None:
    held = Contract(covers="one", kind="licence", sha256="0" * 64, until=TODAY)
    holder = msgspec.structs.replace(organisation, contracts=(held,))
    verdict = check((licence("one", granted, says),), holder, use)
    assert verdict.ruling.serves == (use in granted)


@law
@given(grants, clauses, organisations, uses, inputs)
def test_a_licence_that_is_only_remembered_permits_nothing_more_and_forbids_no_less(
    granted: tuple[Use, ...],
    says: tuple[AnyClause, ...],
    organisation: Organisation,
    use: Use,
    input_: tuple[str, ...],
) -> None:
    read = tuple(msgspec.structs.replace(clause, evidence="E1") for clause in says)
    known = check((licence("one", granted, read),), organisation, use, input_=input_)
    dim = check((licence("one", granted, tuple(map(remembered, says))),), organisation, use, input_=input_)
    assert strict(dim.outcome) >= strict(known.outcome)
    assert set(dim.duties) == set(known.duties)
    if strict(known.outcome) >= strict("unknown"):
        assert dim.outcome == known.outcome
    if any(isinstance(clause, Grant) and use in (clause.uses or granted) for clause in says):
        assert not dim.ruling.serves


@law
@given(uses, permits, organisations)
def test_a_term_that_is_only_remembered_permits_nothing_and_forbids_all_the_same(
    use: Use, permits: str, organisation: Organisation
) -> None:
    def served(evidence: str) -> Verdict:
        said = {"use": use, "permits": permits, "says": "So it is.", "place": "section 1", "sources": ["text"]}
        term = msgspec.convert(said | {"evidence": evidence}, UseTerm)
        record = TermsRecord(
            id="host/api",
            title="Host",
            provider="host",
            tier="api",
            url="https://example.org/terms",
            uses=(term,),
            sources={"text": SOURCE},
        )
        closed = msgspec.structs.replace(licence("one", (), ()), proprietary=True)
        return check((closed,), organisation, use, terms=record)

    read, dim = served("E1"), served("E0")
    assert not dim.ruling.serves
    assert dim.outcome == (read.outcome if strict(read.outcome) >= strict("unknown") else "unknown")


def test_all_clauses_of_the_catalog_take_part() -> None:
    assert {str(clause.__struct_config__.tag) for clause in POOL} >= {
        "grant",
        "commercial_use",
        "user_cap",
        "revenue_cap",
        "field_exclusion",
        "territory_exclusion",
        "use_policy",
        "outputs",
        "redistribution",
        "attribution",
        "registration",
        "hosted_service",
        "termination",
    }
