"""What one clause means for one use by one organisation: the outcome, in which words, with which duties.

Nothing here knows of other clauses. An organisation that does not say what a clause asks for gets no permission from
it: where a prohibition may follow the outcome is unknown, where only a duty may follow the duty is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from isthmus.catalog.organisation import Organisation
from isthmus.catalog.places import countries
from isthmus.catalog.records.licence import (
    AnyClause,
    Attribution,
    CommercialUse,
    Effect,
    FieldExclusion,
    Grant,
    HostedService,
    Outputs,
    Redistribution,
    Registration,
    RevenueCap,
    Termination,
    TerritoryExclusion,
    UsePolicy,
    UserCap,
)
from isthmus.catalog.records.model import ModelRecord
from isthmus.domain.licensing import Outcome, Use

SHOWN_TO_OTHERS: frozenset[Use] = frozenset({"product", "hosted-service"})
"""The uses by which others get to see what the model does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What clauses are held against."""

    model: ModelRecord
    organisation: Organisation
    use: Use


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Something to be done; becomes a duty with the place of the clause that asks for it."""

    kind: str
    says: str
    text: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What follows from a clause."""

    outcome: Outcome
    remark: str = ""
    """Sentence on the organisation, after that of the clause: `Internal use is exempt.`"""
    asks: tuple[str, ...] = ()
    """Sentences on what is missing, where the outcome is unknown for that."""
    tasks: tuple[Task, ...] = ()


_ALLOWED = Finding(outcome="allowed")

_OUTCOMES: dict[Effect, Outcome] = {
    "no_rights": "forbidden",
    "need_licence": "needs-agreement",
    "security_review": "needs-agreement",
    "attribution": "allowed-with-duties",
    "notice": "allowed-with-duties",
}

_ASKS = {
    "seat": "Say in which country the organisation has its seat (`seat`).",
    "month": "Say the revenue of the organisation, a month's or a year's (`revenue_month_usd`, `revenue_year_usd`).",
    "year": "Say the revenue of the organisation in a year (`revenue_year_usd`).",
    "monthly_users": "Say how many users all its products have in a month (`monthly_users`).",
    "model_service": "Say whether the organisation offers models as a service (`model_service`).",
    "work_assistant": "Say whether the organisation offers an AI work assistant (`work_assistant`).",
    "currency": "The limit is in another currency than dollars; compare it by hand.",
}
"""What to say where a fact is missing, with the name it has in the settings."""


def weigh(clause: AnyClause, case: Case) -> Finding | None:
    """What a clause means for a case; None: it has no bearing on that use."""
    if clause.uses and case.use not in clause.uses:
        return None
    named = bool(clause.uses)
    match clause:
        case Grant() | Termination():
            return _ALLOWED
        case CommercialUse():
            return _commercial(clause, case)
        case UserCap():
            return _user_cap(clause, case)
        case RevenueCap():
            return _revenue_cap(clause, case)
        case FieldExclusion():
            return _field(clause, case)
        case TerritoryExclusion():
            return _territory(clause, case)
        case UsePolicy():
            may_change = ", and look at it again from time to time: it may change" if clause.mutable else ""
            return _with(Task(kind="use_policy", says=f"Keep the use policy{may_change}.", url=clause.url))
        case Outputs():
            return _outputs(clause, case) if named or case.use == "train-on-outputs" else None
        case Redistribution():
            return _redistribution(clause, case)
        case Attribution():
            shown = named or case.use in SHOWN_TO_OTHERS or case.use == "redistribute"
            return _with(_show(clause.text)) if shown else None
        case Registration():
            if not case.organisation.commercial:
                return Finding(outcome="allowed", remark="Only commercial use has to.")
            return _with(Task(kind="registration", says=f"Register or write to the licensor first: {clause.contact}."))
        case HostedService():
            return _followed(clause.effect, True) if named or case.use == "hosted-service" else None


def _with(*tasks: Task, remark: str = "") -> Finding:
    return Finding(outcome="allowed-with-duties", tasks=tasks, remark=remark)


def _show(text: str) -> Task:
    if not text:
        return Task(kind="attribution", says="Show the name of the model where users see it.")
    return Task(kind="attribution", says="Show this where users see it.", text=text)


def _followed(effect: Effect, applies: bool | None, *, asks: Iterable[str] = (), text: str = "") -> Finding:
    """What follows where a condition holds, does not, or is not known to hold.

    Args:
        effect: what happens where it holds.
        applies: None: not known.
        asks: the facts that are missing then, by their keys in `_ASKS`.
        text: what has to be shown, where that is the effect.
    """
    if applies is False:
        return Finding(outcome="allowed", remark="That does not apply here.")
    outcome = _OUTCOMES[effect]
    if outcome == "allowed-with-duties":
        task = Task(kind="notify", says="Tell the licensor.") if effect == "notice" else _show(text)
        return _with(task, remark="Whether that is so was not said." if applies is None else "")
    if applies is None:
        return Finding(outcome="unknown", asks=tuple(_ASKS[key] for key in asks))
    return Finding(outcome=outcome)


def _commercial(clause: CommercialUse, case: Case) -> Finding:
    if clause.allowed:
        return _ALLOWED
    if not case.organisation.commercial:
        return Finding(outcome="allowed", remark="The organisation says that it does no business with models.")
    return Finding(outcome="needs-agreement" if clause.unless_agreed else "forbidden")


def _user_cap(clause: UserCap, case: Case) -> Finding:
    users = case.organisation.monthly_users
    above = None if users is None else _above(users, clause.monthly_users, at_least=clause.at_least)
    found = _followed(clause.effect, above, asks=("monthly_users",), text=clause.text)
    if above and clause.measured == "release_date":
        return Finding(
            outcome=found.outcome,
            remark="It counts the month before the release; the number of today was taken for it.",
            tasks=found.tasks,
        )
    return found


def _revenue_cap(clause: RevenueCap, case: Case) -> Finding:
    organisation = case.organisation
    earned = organisation.month_usd if clause.period == "month" else organisation.revenue_year_usd
    missing = []
    above: bool | None
    if clause.currency != "USD":
        above, missing = None, ["currency"]
    elif earned is None:
        above, missing = None, [clause.period]
    else:
        above = _above(earned, clause.amount, at_least=clause.at_least)
    if clause.scope == "maas":
        serves = True if case.use == "hosted-service" else organisation.model_service
        if serves is None:
            missing.append("model_service")
        above = _both(above, serves)
    return _followed(clause.effect, above, asks=missing, text=clause.text)


def _field(clause: FieldExclusion, case: Case) -> Finding:
    if clause.internal_exempt and case.use == "internal":
        return Finding(outcome="allowed", remark="Internal use is exempt.")
    organisation = case.organisation
    answers: dict[str, bool | None] = {
        "maas": True if case.use == "hosted-service" else organisation.model_service,
        "ai_work_assistant": organisation.work_assistant,
        "military": organisation.military,
    }
    asks = {"maas": "model_service", "ai_work_assistant": "work_assistant"}
    found = {name: answers[name] for name in clause.fields}
    applies = True if True in found.values() else None if None in found.values() else False
    return _followed(clause.effect, applies, asks=(asks[name] for name, answer in found.items() if answer is None))


def _territory(clause: TerritoryExclusion, case: Case) -> Finding:
    if clause.models == "multimodal" and set(case.model.input) <= {"text"}:
        return Finding(outcome="allowed", remark="This model takes text alone.")
    excluded = countries(clause.countries)
    organisation = case.organisation
    used_in = countries(organisation.operates_in) if clause.applies_to == "place_of_use" else frozenset()
    if used_in & excluded:
        return _followed(clause.effect, True)
    applies = None if organisation.seat is None else bool(countries((organisation.seat,)) & excluded)
    return _followed(clause.effect, applies, asks=("seat",))


def _outputs(clause: Outputs, case: Case) -> Finding:
    rule = clause.train_other_models
    if rule == "forbidden":
        return Finding(outcome="forbidden")
    if clause.noncommercial and case.organisation.commercial:
        return Finding(outcome="needs-agreement")
    if rule == "same_terms":
        return _with(Task(kind="pass_on", says="Put the model that is trained under the same restrictions."))
    if rule == "naming_duty":
        name = Task(kind="naming", says="Begin the name of the model that is trained with this.", text=clause.name)
        return _with(*((name,) if clause.name else ()), *((_show(clause.text),) if clause.text else ()))
    return _ALLOWED


def _redistribution(clause: Redistribution, case: Case) -> Finding | None:
    named = bool(clause.uses)
    hosted = clause.hosting_counts and case.use in SHOWN_TO_OTHERS
    passed_on = case.use == "redistribute" or (named and case.use not in SHOWN_TO_OTHERS | {"fine-tune"})
    if not clause.allowed:
        return Finding(outcome="forbidden") if passed_on or hosted else None
    tasks = []
    if passed_on or hosted:
        if clause.licence_copy:
            tasks.append(Task(kind="licence_copy", says="Give whoever gets it a copy of the licence."))
        if clause.passes_restrictions:
            tasks.append(Task(kind="pass_on", says="Bind whoever gets it, or uses it, to the restrictions."))
        if clause.attribution_text:
            tasks.append(_show(clause.attribution_text))
    if passed_on:
        if clause.notice_file:
            tasks.append(_notice(clause.notice_text))
        if clause.state_changes:
            tasks.append(Task(kind="state_changes", says="Say in changed files that, and what, was changed."))
    if clause.naming_prefix and (passed_on or case.use == "fine-tune"):
        says = "Begin the name of what was made with it with this, if it is passed on or offered."
        tasks.append(Task(kind="naming", says=says, text=clause.naming_prefix))
    if tasks:
        return _with(*tasks)
    return _ALLOWED if passed_on or hosted else None


def _notice(text: str) -> Task:
    if not text:
        return Task(kind="notice", says="Keep the notices that came with it.")
    return Task(kind="notice", says="Add a Notice file with this line.", text=text)


def _above(figure: Decimal | int, limit: Decimal | int, *, at_least: bool) -> bool:
    return figure > limit or (at_least and figure == limit)


def _both(one: bool | None, other: bool | None) -> bool | None:
    if one is False or other is False:
        return False
    return None if one is None or other is None else True
