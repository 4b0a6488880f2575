"""May this organisation do this with this model? The clauses of its licence and the terms of whoever serves it, joined.

The strictest of all that is found decides. What nobody said allows nothing, and neither does what is only remembered;
a prohibition that is only remembered counts all the same. Where sources disagree on the licence, every reading is held
against the organisation and the stricter one counts. This is a programme reading records, and no legal advice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.claim import Source
from isthmus.catalog.licensing.clauses import Case, Finding, weigh
from isthmus.catalog.licensing.verdict import STRICTNESS, Duty, Ground, Verdict
from isthmus.catalog.organisation import Contract, Organisation
from isthmus.catalog.records.licence import (
    AnyClause,
    CommercialUse,
    Grant,
    LicenceRecord,
    Outputs,
    Redistribution,
)
from isthmus.catalog.records.model import ModelRecord
from isthmus.catalog.records.terms import TermsRecord, UseTerm
from isthmus.domain.licensing import Outcome, Use

USE_PHRASES: Mapping[Use, str] = {
    "internal": "letting one's own people use it",
    "product": "building it into a product",
    "hosted-service": "offering it to others as a service",
    "fine-tune": "training it further",
    "train-on-outputs": "training other models on what it puts out",
    "redistribute": "passing it on",
}

_OF_WEIGHTS: frozenset[Use] = frozenset({"fine-tune", "redistribute"})
"""Uses of the weights themselves. Who has weights does not need a service for them."""

_OWN = "self"
"""Provider of what runs on one's own machines: nobody else has terms there."""

_PERMISSIONS: frozenset[Outcome] = frozenset({"allowed", "allowed-with-duties"})

_PERMITS: Mapping[str, Outcome] = {
    "yes": "allowed",
    "with_duties": "allowed-with-duties",
    "agreement": "needs-agreement",
    "no": "forbidden",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What one licence, or the terms, lead to."""

    grounds: tuple[Ground, ...]
    duties: tuple[Duty, ...] = ()


def licence_check(
    model: ModelRecord,
    organisation: Organisation,
    use: Use,
    *,
    catalog: Catalog,
    terms: TermsRecord | None = None,
    today: date,
) -> Verdict:
    """Whether an organisation may use a model so, on what that rests, and what has to be done for it.

    Args:
        model: as the catalog has it. Every reading of its licence is looked at.
        organisation: who asks. What it does not say makes clauses that ask for it unknown.
        use: what for.
        catalog: with the records of the licences.
        terms: of whoever serves it; None: it runs on own machines, or nobody said.
        today: for contracts that end.
    """
    case = Case(model=model, organisation=organisation, use=use)
    served = None if terms is None or terms.provider == _OWN else terms
    readings = {
        name: _by_reading(catalog.licences[name], case, served, today) for name in dict.fromkeys(model.licence.readings)
    }
    found = list(readings.values()) or [_no_licence(case)]
    grounds = [ground for one in found for ground in one.grounds]
    if identity := _identity(case, catalog):
        grounds.append(identity)
    grounds = sorted(dict.fromkeys(grounds), key=lambda ground: -STRICTNESS.index(ground.outcome))
    return Verdict(
        model=model.id,
        use=use,
        outcome=grounds[0].outcome,
        grounds=tuple(grounds),
        duties=tuple(dict.fromkeys(duty for one in found for duty in one.duties)),
        conflict=_conflict(readings, catalog),
    )


def _by_reading(licence: LicenceRecord, case: Case, terms: TermsRecord | None, today: date) -> _Found:
    """What follows if this is the licence of the model, with the terms of whoever serves it."""
    if licence.proprietary:
        return _by_terms_alone(licence, case, terms, today)
    if terms is None or case.use in _OF_WEIGHTS:
        return _by_licence(licence, case, today)
    by_terms = _by_terms(terms, case, today) or _silent_terms(terms, case)
    if terms.provider == licence.licensor:
        ground = Ground(
            outcome="allowed",
            says="Who gives the licence serves the model itself; its terms decide, and not the licence of the weights.",
            record=licence.id,
        )
        return _Found(grounds=(*by_terms.grounds, ground), duties=by_terms.duties)
    by_licence = _by_licence(licence, case, today)
    return _Found(grounds=by_licence.grounds + by_terms.grounds, duties=by_licence.duties + by_terms.duties)


def _by_licence(licence: LicenceRecord, case: Case, today: date) -> _Found:
    """What the clauses of a licence lead to."""
    contract = case.organisation.contract(licence.id, "licence", today)
    grounds: list[Ground] = []
    duties: list[Duty] = []
    for clause in licence.clauses:
        if isinstance(clause, Grant) and case.use not in (clause.uses or licence.grants):
            continue
        found = weigh(clause, case)
        if found is None:
            continue
        ground = _ground(clause, found, licence)
        if _only_permits(clause, found):
            ground = _unless_remembered(ground)
        grounds.append(_lifted(ground, contract))
        duties += _duties(clause, found, licence)
    if case.use not in licence.grants:
        says = f"{licence.title} does not speak of {USE_PHRASES[case.use]}, and what is not granted is not known."
        grounds.append(Ground(outcome="unknown", says=says, record=licence.id, evidence="E0", state="unknown"))
    elif not grounds:
        says = f"{licence.title} permits {USE_PHRASES[case.use]}."
        grounds.append(Ground(outcome="allowed", says=says, record=licence.id, url=licence.text_url))
    return _Found(grounds=tuple(grounds), duties=tuple(duties))


def _ground(clause: AnyClause, found: Finding, licence: LicenceRecord) -> Ground:
    source = _source(clause.sources, licence.sources)
    return Ground(
        outcome=found.outcome,
        says=" ".join(part for part in (clause.says, found.remark, *found.asks) if part),
        asks=found.asks,
        record=licence.id,
        place=clause.place,
        url=source.url,
        read_on=_read_on(source),
        state=clause.state,
        evidence=clause.evidence,
    )


def _source(keys: Iterable[str], sources: Mapping[str, Source]) -> Source:
    """The first that was read, or else the first."""
    found = [sources[key] for key in keys]
    return next((source for source in found if source.kind != "recollection"), found[0])


def _read_on(source: Source) -> date | None:
    """Day of the copy that was read; None: nothing was."""
    return None if source.kind == "recollection" else source.observed_on


def _only_permits(clause: AnyClause, found: Finding) -> bool:
    """Whether a clause does nothing but loosen: without it there would be less that is permitted, and no duty less.

    A limit that is not reached, or a territory that does not apply, permits nothing: the grant does.
    """
    if found.outcome != "allowed":
        return False
    return isinstance(clause, Grant | Outputs | Redistribution) or (
        isinstance(clause, CommercialUse) and clause.allowed
    )


def _unless_remembered(ground: Ground) -> Ground:
    """A permission, or that it is not known to be one: where nobody read it, it allows nothing."""
    if ground.outcome not in _PERMISSIONS or (ground.evidence != "E0" and ground.read_on is not None):
        return ground
    where = " in ".join(part for part in (ground.place, ground.url) if part)
    says = f"{ground.says} This is only remembered, and allows nothing until somebody reads it: {where}."
    return replace(ground, outcome="unknown", says=says)


def _duties(clause: AnyClause, found: Finding, licence: LicenceRecord) -> Iterator[Duty]:
    url = _source(clause.sources, licence.sources).url
    for task in found.tasks:
        yield Duty(
            kind=task.kind,
            says=task.says,
            text=task.text,
            record=licence.id,
            place=clause.place,
            url=task.url or url,
        )


def _lifted(ground: Ground, contract: Contract | None) -> Ground:
    """What a contract with the licensor makes of a clause that stood in the way."""
    if contract is None or ground.outcome in _PERMISSIONS:
        return ground
    until = "" if contract.until is None else f" until {contract.until}"
    says = f"A contract that the organisation holds covers this{until}. Without it: {ground.says}"
    return replace(ground, outcome="allowed", says=says, state="verified", evidence="E4", asks=())


def _by_terms_alone(licence: LicenceRecord, case: Case, terms: TermsRecord | None, today: date) -> _Found:
    """Of a model whose weights nobody gets. Trained further it can be at the vendor alone, if its terms say so."""
    if case.use == "redistribute":
        says = "Nobody outside gets the weights of this model, so there is nothing to pass on."
        return _Found(grounds=(Ground(outcome="forbidden", says=says, record=licence.id),))
    if terms is None:
        says = "The terms of whoever serves this model decide, and they were not named. Say them, such as `openai/api`."
        return _Found(grounds=(Ground(outcome="unknown", says=says, record="", state="unknown", evidence="E0"),))
    return _by_terms(terms, case, today) or _silent_terms(terms, case)


def _by_terms(terms: TermsRecord, case: Case, today: date) -> _Found | None:
    """What terms say of a use; None: nothing."""
    contract = case.organisation.contract(terms.id, "other", today)
    said = [term for term in terms.uses if term.use == case.use]
    if not said:
        return None
    grounds = tuple(_lifted(_unless_remembered(_term_ground(term, terms)), contract) for term in said)
    duties = tuple(
        Duty(
            kind="condition",
            says=term.says,
            record=terms.id,
            place=term.place,
            url=_source(term.sources, terms.sources).url,
        )
        for term in said
        if term.permits == "with_duties"
    )
    return _Found(grounds=grounds, duties=duties)


def _term_ground(term: UseTerm, terms: TermsRecord) -> Ground:
    source = _source(term.sources, terms.sources)
    return Ground(
        outcome=_PERMITS[term.permits],
        says=term.says,
        record=terms.id,
        place=term.place,
        url=source.url,
        read_on=_read_on(source),
        state=term.state,
        evidence=term.evidence,
    )


def _silent_terms(terms: TermsRecord, case: Case) -> _Found:
    says = f"What is recorded of the terms {terms.id} does not speak of {USE_PHRASES[case.use]}."
    ground = Ground(outcome="unknown", says=says, record=terms.id, url=terms.url, state="unknown", evidence="E0")
    return _Found(grounds=(ground,))


def _no_licence(case: Case) -> _Found:
    says = f"Under which licence {case.model.title} is given is not known."
    return _Found(grounds=(Ground(outcome="unknown", says=says, record="", state="unknown", evidence="E0"),))


def _identity(case: Case, catalog: Catalog) -> Ground | None:
    """That the model is under the licence at all: the last ground, and what all others rest on."""
    claim = case.model.licence
    keys = [key for key in claim.sources if key in case.model.sources]
    if claim.value is None or not keys:
        return None
    source = _source(keys, case.model.sources)
    ground = Ground(
        outcome="allowed",
        says=f"{case.model.title}: {catalog.licences[claim.value].title}.",
        record=case.model.id,
        place="licence",
        url=source.url,
        read_on=_read_on(source),
        state=claim.state,
        evidence=claim.evidence,
    )
    return _unless_remembered(ground)


def _conflict(readings: Mapping[str, _Found], catalog: Catalog) -> str:
    if len(readings) < 2:
        return ""
    told = ", ".join(
        f"{catalog.licences[name].title} ({_strictest(found.grounds)})" for name, found in readings.items()
    )
    return f"Sources disagree on the licence: {told}. The stricter reading counts."


def _strictest(grounds: Iterable[Ground]) -> Outcome:
    return max((ground.outcome for ground in grounds), key=STRICTNESS.index)
