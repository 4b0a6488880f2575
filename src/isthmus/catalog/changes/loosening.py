"""Which changes loosen: after which policy might let through what it held before.

The rule is kept simple so that it can be held: every field of every kind of record is in one of three lists.

- *ordered*: a value is stricter or looser than another (days of retention, whether one trains, a cap). A change
  loosens when the strictest reading becomes looser, or when the evidence rises: policy may ask for evidence, and a
  catalog that is handed to us could claim any. Nothing being known satisfies nothing, so it is the strictest.
- *guarded*: there is no order (a seat, a licence, a reference, a sentence). Every change loosens, but to nothing known.
- *free*: nothing rests on it that is held back (titles, limits of tokens, links, modalities).

A field that is in no list is guarded. A new record loosens, since it tells what was not known. Prices are no matter of
clearance, and a lower price loosens nothing; but budgets rest on them, so that one which falls to nothing or below a
tenth is taken for a mistake until somebody says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from isthmus.catalog.changes.change import GONE, NEW, Fact
from isthmus.catalog.changes.facts import RETIREMENT, Retirement
from isthmus.catalog.claim import Claim
from isthmus.catalog.listing import ListedPrice, Listing
from isthmus.catalog.places import countries
from isthmus.catalog.records.base import Record
from isthmus.catalog.records.licence import Clause, RevenueCap, UserCap
from isthmus.catalog.records.terms import ModelException, RetentionClass, TermsRecord, UseTerm
from isthmus.domain.offer import Side

Looser = Callable[[Any, Any], bool]
"""Whether what comes after might let through what went before does not."""

EVIDENCE = ("E0", "E1", "E2", "E3", "E4")

IMPLAUSIBLE = Decimal("0.1")
"""Of the price before: what falls below it is confirmed by a person."""


def loosens(fact: Fact, before: object, after: object, record: Record | None = None) -> str:
    """Why a change loosens, as part of a sentence; empty: it does not.

    Args:
        fact: where it stands.
        before: the value of the field.
        after: the value of the field.
        record: the whole record before; None for listings and for new records.
    """
    if fact.field == NEW:
        return "" if fact.kind == "listings" else "it tells what was not known"
    if fact.field == GONE:
        gone = isinstance(before, Listing) and before.retires_on.known
        return "the day on which it ends would be forgotten" if gone else ""
    ruled = rule_of(fact)
    if ruled is None:
        return "which way it goes cannot be told by a rule" if guarded(before, after) else ""
    looser, why = ruled
    anew = looser is _exceptions and isinstance(record, TermsRecord) and _excepted_anew(record, before, after)
    return why if anew or looser(before, after) else ""


def rule_of(fact: Fact) -> tuple[Looser, str] | None:
    """By which rule a field is judged; None: it is guarded."""
    return next(((looser, why) for pattern, looser, why in _RULES[fact.kind] if pattern.match(fact.field)), None)


# --- how values compare


def ordered(*from_strictest: Hashable) -> Looser:
    """Of claims whose values have an order."""
    places = {value: place for place, value in enumerate(from_strictest)}
    return _by(lambda value: places.get(value, len(places)))


def _by(rank: Callable[[Any], float]) -> Looser:
    """Of claims, by a rank that is higher the looser a value is."""

    def loosest(claim: Claim[Any]) -> float:
        return min((rank(value) for value in claim.readings), default=float("-inf"))

    return lambda before, after: loosest(after) > loosest(before) or more_evident(before, after)


def more_evident(before: Claim[Any], after: Claim[Any]) -> bool:
    """Whether a fact is said to be better known, be it true or not."""
    return after.known and EVIDENCE.index(after.evidence) > EVIDENCE.index(before.evidence)


def guarded(before: object, after: object) -> bool:
    """Every change, but to nothing known."""
    if isinstance(after, Claim):
        if not after.known:
            return False
        if isinstance(before, Claim) and set(before.readings) < set(after.readings):
            return more_evident(before, after)  # one more reading, all others still count
        return not isinstance(before, Claim) or _told(before) != _told(after) or more_evident(before, after)
    return after not in {None, ""} if isinstance(after, str | None) else before != after


def _told(claim: Claim[Any]) -> frozenset[Any]:
    return frozenset(claim.readings)


def _places(before: Claim[tuple[str, ...]], after: Claim[tuple[str, ...]]) -> bool:
    """Fewer or other places: what asks for a region may now be met. All readings together are the strictest one."""
    if not after.known:
        return False
    then, now = (countries(code for reading in claim.readings for code in reading) for claim in (before, after))
    return not before.known or not now >= then or more_evident(before, after)


def _gains(before: Iterable[object], after: Iterable[object]) -> bool:
    return bool(set(after) - set(before))


def _loses(before: Iterable[object], after: Iterable[object]) -> bool:
    return bool(set(before) - set(after))


def _differs(before: object, after: object) -> bool:
    return before != after


def _becomes(value: bool) -> Looser:
    return lambda before, after: after is value and before is not value


def _classes(before: Sequence[RetentionClass], after: Sequence[RetentionClass]) -> bool:
    """Something kept besides is forgotten, shorter, or can be switched off now."""
    now = {kept.what: kept for kept in after}
    return any(
        kept.what not in now
        or _DAYS(kept.days, now[kept.what].days)
        or (now[kept.what].can_be_disabled is True and kept.can_be_disabled is not True)
        for kept in before
    )


def _exceptions(before: Sequence[ModelException], after: Sequence[ModelException]) -> bool:
    """A model is excepted no longer, or with less. An exception counts by itself, so each model needs one as strict."""

    def strict(model: str, than: ModelException) -> bool:
        return any(
            model in one.models and not _DAYS(than.days, one.days) and not (one.zero_retention > than.zero_retention)
            for one in after
        )

    return any(not strict(model, one) for one in before for model in one.models)


def _excepted_anew(record: TermsRecord, before: Any, after: Any) -> bool:
    """A model that the terms' own days held for is excepted with fewer, or with no retention at all."""
    known = {model for one in before for model in one.models}
    anew = [one for one in after if set(one.models) - known]
    return any(one.zero_retention or _DAYS(record.retention.default_days, one.days) for one in anew)


_PERMITS = ("no", "agreement", "", "with_duties", "yes")
"""Nothing being said is no permission, but less than a prohibition."""


def _uses(before: Sequence[UseTerm], after: Sequence[UseTerm]) -> bool:
    """A use is permitted that was not, by the strictest of what is said of it; or it is said with more evidence."""

    def permitted(said: Sequence[UseTerm], use: str) -> int:
        return min((_PERMITS.index(one.permits) for one in said if one.use == use), default=_PERMITS.index(""))

    def evident(said: Sequence[UseTerm], use: str) -> int:
        return max((EVIDENCE.index(one.evidence) for one in said if one.use == use), default=0)

    concerned = {one.use for one in (*before, *after)}
    return any(
        permitted(after, use) > permitted(before, use)
        or (permitted(after, use) > _PERMITS.index("") and evident(after, use) > evident(before, use))
        for use in concerned
    )


def _clauses(before: Sequence[Clause], after: Sequence[Clause]) -> bool:
    """A clause goes without a stricter one of its sort, or one comes that only restricts where it is read rightly.

    Only caps are compared by their figures: of anything else that is changed, a person must read what it says.
    """
    gone = [clause for clause in before if clause not in after]
    come = [clause for clause in after if clause not in before]
    return any(not any(_caps_more(new, old) for new in come) for old in gone) or any(
        not isinstance(new, UserCap | RevenueCap) for new in come
    )


def _caps_more(new: Clause, old: Clause) -> bool:
    """Whether one cap catches all that another caught, and does the same to it."""
    match old, new:
        case UserCap(), UserCap():
            same = (old.measured, old.effect, old.uses) == (new.measured, new.effect, new.uses)
            return same and (new.monthly_users, not new.at_least) <= (old.monthly_users, not old.at_least)
        case RevenueCap(), RevenueCap():
            kinds = [(cap.currency, cap.period, cap.scope, cap.effect, cap.uses) for cap in (old, new)]
            return kinds[0] == kinds[1] and (new.amount, not new.at_least) <= (old.amount, not old.at_least)
        case _:
            return False


def _ends(before: Retirement, after: Retirement) -> bool:
    """Later, or not at all any more, by the earliest day that is said."""

    def day(told: Retirement) -> date:
        return min(told.retires_on.readings, default=date.max)

    return day(after) > day(before)


def _implausible(before: Claim[ListedPrice], after: Claim[ListedPrice]) -> bool:
    """The lowest price falls to nothing or below a tenth."""
    if not before.known or not after.known:
        return False
    return any(
        min(getattr(price, part) for price in after.readings)
        < IMPLAUSIBLE * min(getattr(price, part) for price in before.readings)
        for part in ("input", "output")
    )


def _never(_before: object, _after: object) -> bool:
    return False


def _nearer(before: Side, after: Side) -> bool:
    return _SIDES.index(after) > _SIDES.index(before)


_SIDES: tuple[Side, ...] = ("closed", "hosted", "own")

_DAYS = _by(lambda days: -days)

_ORDER_WHY = "policy may ask for it"

_Rule = tuple[re.Pattern[str], Looser, str]


def _rules(table: Mapping[str, tuple[Looser, str]], free: str) -> tuple[_Rule, ...]:
    """The ordered fields, then those that nothing rests on."""
    ruled = [(re.compile(rf"(?:{path})\Z"), looser, why) for path, (looser, why) in table.items()]
    return (*ruled, (re.compile(rf"(?:{free})\Z"), _never, ""))


_RULES: Mapping[str, tuple[_Rule, ...]] = {
    "terms": _rules(
        {
            r"training\.default": (ordered("always", "opt-out", "opt-in", "never"), "less is said to train on inputs"),
            r"training\.human_review": (ordered(True, False), "people are said to read less"),
            r"retention\.default_days": (_DAYS, "what is sent is said to be kept for a shorter time"),
            r"retention\.stored": (ordered(True, False), "what is sent is said not to be stored"),
            r"retention\.classes": (_classes, "something is said to be kept no longer, or for a shorter time"),
            r"retention\.safety_exception": (lambda then, now: bool(then) and then != now, "an exception is changed"),
            r"retention\.model_exceptions": (_exceptions, "a model is excepted no longer, or with less"),
            r"zero_retention\.how": (
                ordered("none", "contract", "approval", "self", "default"),
                "nothing being kept is said to be had more easily",
            ),
            r"zero_retention\.excluded_(features|models)": (_loses, "something is excluded no longer"),
            r"zero_retention\.withdrawable": (_becomes(False), "it is said not to be withdrawn"),
            r"uses": (_uses, "a use is permitted that was not"),
            r"baa": (ordered(False, True), "an agreement is said to be had"),
            r"downstream": (_becomes(False), "the terms of further operators are said not to count"),
        },
        free=r"title|note|tier|url|output_ownership|baa_note|account_check",
    ),
    "offers": _rules(
        {
            r"region\.(processing|storage)": (_places, "a region is promised that was not"),
            r"region\.guarantee": (ordered("none", "best_effort", "contractual"), "the region is guaranteed more"),
            r"side": (_nearer, "it moves nearer to one's own side"),
            r"hosts": (_gains, "what is said of it would be said of more hosts"),
            r"transfer": (ordered("none", "scc", "adequacy", "in_eea"), "personal data may get there more easily"),
        },
        free=r"title|note|surcharge_percent|models",
    ),
    "providers": _rules(
        {
            r"dpf": (ordered(False, True), _ORDER_WHY),
            r"services": (_gains, "what is said of it would be said of more services"),
        },
        free=r"title|note|legal_entity|certifications|subprocessors_url|status_url|terms_url|dpa_url|feeds\..*",
    ),
    "licences": _rules(
        {
            r"osi_approved|fsf_libre": (_becomes(True), "it is said to be freer"),
            r"proprietary": (_becomes(False), "it is said to be a licence of weights"),
            r"grants": (_gains, "a use is granted that was not"),
            r"clauses": (_clauses, "clauses are gone, weaker, or such that a person must read them"),
            r"text_sha256": (_gains, "another text would count as this licence"),
            r"names": (_gains, "more names would mean this licence"),
        },
        free=r"title|note|text_url|text_version|superseded_by",
    ),
    "models": _rules(
        {
            r"weights": (ordered("none", "gated", "public"), "it is said to be more open"),
            r"training\.data": (ordered("closed", "described", "partial", "open"), "it is said to be more open"),
            r"training\.code": (ordered("closed", "partial", "open"), "it is said to be more open"),
            r"training\.checkpoints": (ordered(False, True), "it is said to be more open"),
            r"components\.[a-z_]+\.present": (ordered("no", "partial", "yes"), "it is said to be more open"),
            r"components\.[a-z_]+\.licence|global_licences\..*": (
                _differs,
                "a part is said to be under another licence",
            ),
            r"osai_sum": (_by(float), "it is said to be more open"),
            r"systemic_risk": (ordered(True, False), "it is said to be less of a risk"),
            r"collects_personal_data": (ordered(True, False), "its maker is said to ask for less"),
            r"aliases": (_gains, "more names would mean this model and its licence"),
            r"licence_revisions": (_gains, "another text would count as its licence"),
        },
        free=r"title|note|family|version|producer\.name|released|kind|input|output|context_tokens|output_tokens"
        r"|parameters|active_parameters|knowledge_cutoff|where\..*|training\.(compute_flop|summary_url)|card\..*"
        r"|benchmarks|code_of_practice|components\.[a-z_]+\.url",
    ),
    "listings": _rules(
        {
            RETIREMENT: (_ends, "it is said to end later, or not at all"),
            r"price": (_implausible, "a price that falls so far is a mistake until somebody says otherwise"),
        },
        free=r"context_tokens|output_tokens|input|tools|model",
    ),
}
