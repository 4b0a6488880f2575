"""What rules an option out: every constraint is a pure function of one option, and says what it rests on.

A constraint has a key; the advice is made again without each of them, to see which one decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from isthmus.catalog.advice.capability import judge_capability, must_be_tuned
from isthmus.catalog.advice.data import judge_data
from isthmus.catalog.advice.hardware import seconds_to_answer
from isthmus.catalog.advice.judgement import Judgement, opens, rules_out
from isthmus.catalog.advice.option import Option, Own, Served
from isthmus.catalog.advice.question import Question, Workload
from isthmus.catalog.catalog import Catalog
from isthmus.catalog.licensing.check import USE_PHRASES, licence_check
from isthmus.catalog.openness.assess import assess
from isthmus.catalog.openness.openness import HEADLINES
from isthmus.catalog.organisation import Organisation
from isthmus.catalog.places import countries
from isthmus.domain.licensing import Use

TRIAL_TIERS = frozenset({"unpaid", "free", "experiment", "trial"})
"""Words in the names of tiers that are for trying things out: their quotas carry no workload."""

RETIRES_SOON = timedelta(days=90)

FEW_MACHINES = 4
"""That people in office hours look after beside their other work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What an option is judged by."""

    catalog: Catalog
    question: Question
    workload: Workload
    today: date

    @property
    def organisation(self) -> Organisation:
        return self.question.organisation


def judge(option: Option, case: Case) -> tuple[Judgement, ...]:
    """All that speaks against an option; empty: it fits."""
    return tuple(
        judgement
        for constraint in (
            _listed,
            _capability,
            _context,
            _tools,
            _data,
            _region,
            _licence,
            _change_weights,
            _openness,
            _trial,
            _retirement,
            _machine,
            _skills,
            _support,
            _latency,
            _budget,
        )
        for judgement in constraint(option, case)
        if judgement.outcome != "fits"
    )


def in_words(key: str, workload: Workload) -> str:
    """What a constraint is called, after `without` or `by`."""
    kind, _, what = key.partition(":")
    if kind == "data":
        return _DATA[what]
    budget = f"the limit of ${workload.budget_usd:,.0f} a month" if workload.budget_usd is not None else "a budget"
    return {**_NAMES, "budget": budget, "region": f"having to stay in {', '.join(workload.regions)}"}[kind]


_DATA: Mapping[str, str] = {
    "internal": "internal data in it",
    "personal": "personal data in it",
    "patient": "patient data in it",
    "privileged": "privileged data in it",
    "secret": "secrets in it",
}
_NAMES: Mapping[str, str] = {
    "capability": "the rule of thumb on how large a model must be",
    "context": "texts of this length",
    "tools": "tools",
    "licence": "the licences' conditions",
    "change_weights": "having to train the model further",
    "openness": "having to be so open",
    "trial": "leaving trial tiers out",
    "retirement": "leaving out what retires within 90 days",
    "listed": "having to know that it is served",
    "machine": "the limits of the machines we know",
    "skills": "the limit set by who can look after machines",
    "support": "the support that is asked for",
    "latency": "the time an answer may take",
    "price": "having to know the price",
}


def _listed(option: Option, case: Case) -> Iterator[Judgement]:
    if isinstance(option.at, Served) and option.at.missing_in:
        feed = case.catalog.snapshot.sources[option.at.missing_in].title or option.at.missing_in
        yield opens(
            "listed",
            f"{feed.partition(',')[0]} does not list {option.model.id} at {option.at.who}, others do.",
            f"check that {option.at.who} serves {option.model.title}",
        )


def _capability(option: Option, case: Case) -> Iterator[Judgement]:
    yield judge_capability(option.model, case.workload, case.catalog, own=option.side == "own")


def _context(option: Option, case: Case) -> Iterator[Judgement]:
    needed = case.workload.input_tokens + case.workload.output_tokens
    known = [*option.model.context_tokens.readings]
    if isinstance(option.at, Served) and option.at.listing is not None:
        known += option.at.listing.context_tokens.readings
    if not known:
        yield opens(
            "context", f"How long a text {option.model.id} takes is not known.", "find out how long a text it takes"
        )
    elif min(known) < needed:
        yield rules_out("context", f"{option.words} takes {min(known):,} tokens; a call has {needed:,}.")


def _tools(option: Option, case: Case) -> Iterator[Judgement]:
    if not case.workload.needs_tools:
        return
    if isinstance(option.at, Served):
        said = () if option.at.listing is None else option.at.listing.tools.readings
    else:
        said = tuple(tools for row in case.catalog.listings_of(option.model.id) for tools in row.tools.readings)
    # On machines of one's own it is the model that must have learnt it; one provider that shows it is enough.
    able = any(said) if isinstance(option.at, Own) else bool(said) and all(said)
    if able:
        return
    if said:
        yield rules_out("tools", f"{option.words} calls no tools.")
    else:
        yield opens("tools", f"Whether {option.words} calls tools is not known.", "try whether it calls your tools")


def _data(option: Option, case: Case) -> Iterator[Judgement]:
    for kind in case.workload.data:
        yield from judge_data(option, kind, case.organisation, case.today)


def _region(option: Option, case: Case) -> Iterator[Judgement]:
    if not case.workload.regions or not isinstance(option.at, Served):
        return
    allowed, offer = countries(case.workload.regions), option.at.offer
    processing = offer.region.processing
    if not processing.known or processing.evidence == "E0":
        yield opens(
            "region",
            f"Where {offer.id} processes is not known well enough.",
            f"get it in writing where {option.at.who} processes",
            offer.id,
        )
    elif not all(countries(codes) <= allowed for codes in processing.readings):
        where = ", ".join(sorted({code for codes in processing.readings for code in codes}))
        yield rules_out("region", f"{offer.id} processes in {where}.", offer.id)


def _licence(option: Option, case: Case) -> Iterator[Judgement]:
    terms = option.at.terms if isinstance(option.at, Served) else None
    uses: list[Use] = [case.workload.use]
    if terms is None and (case.workload.change_weights or must_be_tuned(option.model, case.workload)):
        uses.append("fine-tune")
    for use in uses:
        verdict = licence_check(
            option.model, case.organisation, use, catalog=case.catalog, terms=terms, today=case.today
        )
        says, record = verdict.ruling.sentence, verdict.grounds[0].record
        if verdict.outcome == "forbidden":
            yield rules_out("licence", f"{option.model.id}: {says}", record)
        elif verdict.outcome == "needs-agreement":
            yield opens(
                "licence", f"{option.model.id}: {says}", f"get an agreement from who licenses it ({record})", record
            )
        elif verdict.outcome == "unknown":
            ask = _missing_fact(says) or "have a lawyer read the licence"
            if isinstance(option.at, Served) and record == option.at.terms.id:
                ask = f"read in the terms of {option.at.who} that they permit {USE_PHRASES[use]}"
            yield opens("licence", f"{option.model.id}: {says}", ask, record)


_FIELD = re.compile(r"`(\w+)`")


def _missing_fact(says: str) -> str:
    """What a clause has to be told of the organisation; empty: that is not what it lacks."""
    named = [name for name in _FIELD.findall(says) if name in Organisation.__struct_fields__]
    return f"say {named[0]} in the question's file" if named else ""


def _change_weights(option: Option, case: Case) -> Iterator[Judgement]:
    if not case.workload.change_weights:
        return
    if option.side == "closed":
        yield rules_out("change_weights", f"The weights of {option.model.id} are not given out.")
    elif option.side == "hosted" and isinstance(option.at, Served):
        yield opens(
            "change_weights",
            f"Whether {option.at.who} serves weights that you changed is not in the catalog.",
            f"ask {option.at.who} whether it serves your adapter",
        )


def _openness(option: Option, case: Case) -> Iterator[Judgement]:
    least = case.workload.openness_min
    if least is None:
        return
    found = assess(option.model, case.catalog.licences)
    if found.headline is not None and found.headline >= least:
        return
    told = f"{option.model.id} counts as {found.title}; {HEADLINES[least]} is asked for."
    if found.unknown:
        yield opens("openness", told, f"find out of {option.model.title}: {', '.join(found.unknown)}", option.model.id)
    else:
        yield rules_out("openness", told, option.model.id)


def _trial(option: Option, case: Case) -> Iterator[Judgement]:  # noqa: ARG001  # as all of them
    if isinstance(option.at, Served) and TRIAL_TIERS & set(option.at.terms.tier.lower().replace("-", " ").split()):
        yield rules_out("trial", f"{option.at.terms.id} is a tier for trying things out.", option.at.terms.id)


def _retirement(option: Option, case: Case) -> Iterator[Judgement]:
    if not isinstance(option.at, Served) or option.at.listing is None:
        return
    ends = min(option.at.listing.retires_on.readings, default=None)
    if ends is not None and ends <= case.today + RETIRES_SOON:
        was = "was switched off" if ends <= case.today else "will be switched off"
        yield rules_out("retirement", f"{option.model.id} {was} at {option.at.who} on {ends}.")


def _machine(option: Option, case: Case) -> Iterator[Judgement]:  # noqa: ARG001  # as all of them
    if not isinstance(option.at, Own) or option.at.fleet is not None:
        return
    if option.at.size is None:
        yield opens("machine", f"Nobody says how large {option.model.id} is.", "find out what memory it needs")
    else:
        yield rules_out("machine", f"{option.model.id} is too large for every machine we reckon with.")


def _skills(option: Option, case: Case) -> Iterator[Judgement]:
    if not isinstance(option.at, Own):
        return
    skills, workload = case.question.skills, case.workload
    if skills == "none":
        yield rules_out("skills", "Machines of your own need somebody who looks after them, and there is nobody.")
        return
    if option.at.keeping == "bought" and not case.question.premises:
        yield rules_out("skills", "A machine that is bought needs a room, and there is none.")
    if skills == "platform-team":
        return
    if workload.outage == "minutes":
        yield opens(
            "skills",
            "It may stand still for minutes only, and nobody is on call at night.",
            "have somebody on call day and night",
        )
    fleet = option.at.fleet
    if fleet is not None and fleet.count[1] > FEW_MACHINES:
        yield opens(
            "skills",
            f"{fleet.count[1]} machines are too many to look after beside other work.",
            "build up a team that runs machines",
        )


def _support(option: Option, case: Case) -> Iterator[Judgement]:
    wanted = case.workload.support
    if wanted == "none" or (isinstance(option.at, Own) and case.question.skills == "platform-team"):
        return
    if isinstance(option.at, Own):
        yield opens(
            "support",
            "Nobody has to help with machines and models of your own.",
            "find somebody who supports machine and engine by contract",
        )
    elif wanted == "sla" and case.organisation.contract(option.at.terms.id, "other", case.today) is None:
        yield opens(
            "support",
            f"The catalog knows of no promise of availability by {option.at.who}.",
            f"get a promise of availability from {option.at.who} in writing",
            option.at.terms.id,
        )


def _latency(option: Option, case: Case) -> Iterator[Judgement]:
    # Of providers nobody says it, and it changes by the hour: it is told as the first thing to measure.
    if not isinstance(option.at, Own) or option.at.fleet is None or option.at.size is None:
        return
    seconds = seconds_to_answer(option.at.size, option.at.fleet.machine, case.workload)
    limit = case.workload.answer_within_s
    if seconds.low > limit:
        yield rules_out(
            "latency", f"{option.words} takes about {seconds.low:.0f} s for an answer at best; {limit} s are allowed."
        )
    elif seconds.high > limit:
        yield opens(
            "latency",
            f"{option.words} takes {seconds.low:.0f} to {seconds.high:.0f} s for an answer by our estimate.",
            f"measure on such a machine that answers come within {limit} s",
        )


def _budget(option: Option, case: Case) -> Iterator[Judgement]:
    budget, cost = case.workload.budget_usd, option.usd_month
    if cost is None:
        if isinstance(option.at, Served):  # of machines it is said above why
            yield opens("price", f"No feed lists a price of {option.words}.", f"ask {option.at.who} its price")
        return
    if budget is None or cost.high <= budget:
        return
    if cost.low > budget:
        yield rules_out("budget", f"{option.words} costs ${cost.low:,.0f} a month or more.")
    else:
        yield opens(
            "budget",
            f"{option.words} may cost from ${cost.low:,.0f} to ${cost.high:,.0f} a month.",
            f"measure that it stays below ${budget:,.0f} a month",
        )
