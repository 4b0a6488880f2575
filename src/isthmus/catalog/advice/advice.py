"""The advice itself: per workload the side, what serves it, what it costs, what decides, and what is not known.

A pure function of the catalog, the question and the day. An option is recommended only where every constraint is met
on facts that are known; the cheapest of those is the answer, by the dear end of what it may cost. Which constraint
decides is found by doing it again without each of them, and where no single one changes the side, without pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import combinations
from typing import Literal

from isthmus.catalog.advice.breakeven import BreakEven, break_even
from isthmus.catalog.advice.capability import billions, must_be_tuned
from isthmus.catalog.advice.constraint import Case, judge
from isthmus.catalog.advice.judgement import Judgement
from isthmus.catalog.advice.option import Option, Own, Served, options_of
from isthmus.catalog.advice.question import Question, Workload
from isthmus.catalog.catalog import Catalog
from isthmus.catalog.claim import stale
from isthmus.catalog.licensing.check import licence_check
from isthmus.catalog.licensing.verdict import Duty

AnswerSide = Literal["own", "hosted", "closed", "mix", "none"]
"""mix: one serves and one on another side stands by; none: nothing fits on the facts that are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An option, and all that speaks against it."""

    option: Option
    against: tuple[Judgement, ...]

    @property
    def out(self) -> bool:
        return any(judgement.outcome == "out" for judgement in self.against)


@dataclass(frozen=True, slots=True, kw_only=True)
class Without:
    """What the answer would be if constraints were not there."""

    constraints: tuple[str, ...]
    best: Option
    changes_side: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RuledOut:
    """What one constraint keeps out."""

    constraint: str
    count: int
    """Of models at a place, that it rules out."""
    alone: int
    """Of those, how many nothing else speaks against."""
    examples: tuple[Judgement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """For one workload."""

    workload: Workload
    side: AnswerSide
    best: Option | None
    standby: Option | None
    """One that another operator runs; None: there is none that fits."""
    fits: tuple[Option, ...]
    """One for every model at a place, the cheapest first."""
    would_fit: tuple[Judged, ...]
    """That nothing rules out, and of which something is not known or not done yet; as above."""
    ruled_out: tuple[RuledOut, ...]
    """What keeps out most on its own comes first."""
    decides: tuple[Without, ...]
    """What changes the side comes first; empty: whatever is left out, it stays with the answer."""
    break_even: BreakEven | None
    duties: tuple[Duty, ...]
    """Of the licence of the model recommended."""
    tuned: bool
    """Whether the model recommended is to be trained with examples first."""
    stale: tuple[str, ...]
    """Records and prices behind the recommendation that nobody looked at for longer than their facts keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """For an organisation."""

    question: Question
    answers: tuple[Answer, ...]
    catalog_version: str
    listed_on: date
    """Day of the prices."""
    made_on: date


def advise(question: Question, catalog: Catalog, today: date) -> Advice:
    """Advice on every workload of a question."""
    return Advice(
        question=question,
        answers=tuple(
            answer(Case(catalog=catalog, question=question, workload=workload, today=today))
            for workload in question.workloads
        ),
        catalog_version=catalog.version,
        listed_on=catalog.snapshot.made_on,
        made_on=today,
    )


def answer(case: Case) -> Answer:
    """Advice on one workload."""
    options = options_of(case.catalog, case.question, case.workload)
    judged = tuple(Judged(option=option, against=judge(option, case)) for option in options)
    best = _best(judged)
    fits = _one_a_place(found.option for found in judged if not found.against)
    standby = None if best is None else _standby(best, fits)
    return Answer(
        workload=case.workload,
        side=_side(best, standby, case.workload),
        best=best,
        standby=standby,
        fits=fits,
        would_fit=_would_fit(judged),
        ruled_out=_ruled_out(judged),
        decides=_decides(judged, best),
        break_even=_break_even(judged, case),
        duties=() if best is None else _duties(best, case),
        tuned=best is not None and best.side == "own" and must_be_tuned(best.model, case.workload),
        stale=() if best is None else _stale(best, case),
    )


ABOUT_AS_MUCH = Decimal("1.1")
"""Times the price of the cheapest: within that, what is better otherwise goes first."""


def _best(judged: Iterable[Judged], without: Sequence[str] = ()) -> Option | None:
    """The cheapest that only the constraints left out speak against; of those about as cheap, the largest model."""
    fitting = [found.option for found in judged if all(against.constraint in without for against in found.against)]
    if not fitting:
        return None
    first = fitting[0]
    size = billions(first.model)
    if size is None or first.usd_month is None:  # the sizes of closed models are not told, and cannot be compared
        return first
    limit = first.usd_month.high * ABOUT_AS_MUCH
    near = [
        option
        for option in fitting
        if option.side == first.side and option.usd_month is not None and option.usd_month.high <= limit
    ]
    return max(near, key=lambda option: (billions(option.model) or 0.0, -near.index(option)))


def _standby(best: Option, fits: Sequence[Option]) -> Option | None:
    """Whom to turn to when the best fails: paid by use rather than kept, the same model if it can be had, near."""
    others = [option for option in fits if option.operator != best.operator]
    return min(
        others,
        key=lambda option: (option.side == "own", option.model.id != best.model.id, option.away, option.rank),
        default=None,
    )


def _side(best: Option | None, standby: Option | None, workload: Workload) -> AnswerSide:
    if best is None:
        return "none"
    if workload.outage == "minutes" and standby is not None and standby.side != best.side:
        return "mix"
    return best.side


def _one_a_place(options: Iterable[Option]) -> tuple[Option, ...]:
    first: dict[tuple[str, str, str], Option] = {}
    for option in options:
        first.setdefault(option.place, option)
    return tuple(first.values())


def _would_fit(judged: Sequence[Judged]) -> tuple[Judged, ...]:
    first: dict[tuple[str, str, str], Judged] = {}
    for found in judged:
        if found.against and not found.out:
            # Of what is open at one place, the one with the least to do; the cheapest of those.
            held = first.get(found.option.place)
            if held is None or len(found.against) < len(held.against):
                first[found.option.place] = found
    return tuple(sorted(first.values(), key=lambda found: (len(found.against), found.option.rank)))


def _ruled_out(judged: Sequence[Judged]) -> tuple[RuledOut, ...]:
    """By constraint. A place counts as ruled out where every machine and region of it is."""
    best_of: dict[tuple[str, str, str], list[Judged]] = {}
    for found in judged:
        best_of.setdefault(found.option.place, []).append(found)
    by: dict[str, list[tuple[Judgement, bool]]] = {}
    for at_place in best_of.values():
        if any(not found.out for found in at_place):
            continue
        nearest = min(at_place, key=lambda found: sum(judgement.outcome == "out" for judgement in found.against))
        reasons = {judgement.constraint: judgement for judgement in nearest.against if judgement.outcome == "out"}
        for key, judgement in reasons.items():
            by.setdefault(key, []).append((judgement, len(reasons) == 1))
    rows = (
        RuledOut(
            constraint=key,
            count=len(found),
            alone=sum(alone for _, alone in found),
            examples=_distinct([judgement for judgement, alone in sorted(found, key=lambda pair: not pair[1])]),
        )
        for key, found in by.items()
    )
    return tuple(sorted(rows, key=lambda row: (-row.alone, -row.count, row.constraint)))


_EXAMPLES = 3


def _distinct(judgements: Iterable[Judgement]) -> tuple[Judgement, ...]:
    return tuple({judgement.says: judgement for judgement in judgements}.values())[:_EXAMPLES]


def _decides(judged: Sequence[Judged], best: Option | None) -> tuple[Without, ...]:
    keys = sorted({judgement.constraint for found in judged for judgement in found.against})
    singles = [found for key in keys if (found := _without(judged, best, (key,))) is not None]
    if not any(found.changes_side for found in singles):
        pairs = (_without(judged, best, pair) for pair in combinations(keys, 2))
        changing = [found for found in pairs if found is not None and found.changes_side]
        singles += sorted(changing, key=lambda found: found.best.rank)[:1]
    return tuple(sorted(singles, key=lambda found: (not found.changes_side, found.best.rank)))


def _without(judged: Sequence[Judged], best: Option | None, keys: tuple[str, ...]) -> Without | None:
    """What changes if constraints are left out; None: nothing that matters."""
    other = _best(judged, keys)
    if other is None or (best is not None and other.place == best.place):
        return None
    return Without(constraints=keys, best=other, changes_side=best is None or other.side != best.side)


_NEVER_LEFT_OUT = frozenset({"capability", "context", "tools", "trial", "retirement", "machine", "price", "listed"})
"""Constraints that say whether an option serves the purpose at all."""


def _break_even(judged: Sequence[Judged], case: Case) -> BreakEven | None:
    """Of the cheapest on either side: of those that fit, or else of those that would serve if they were let."""

    def cheapest(own: bool) -> Option | None:
        side = [found for found in judged if isinstance(found.option.at, Own) == own and found.option.usd_month]
        if own and not case.question.premises:
            side = [f for f in side if isinstance(f.option.at, Own) and f.option.at.keeping == "rented"]
        serving = [found for found in side if not {j.constraint for j in found.against} & _NEVER_LEFT_OUT]
        fitting = [found for found in serving if not found.against]
        open_ones = sorted((found for found in serving if not found.out), key=lambda found: len(found.against))
        return next((found.option for found in fitting or open_ones or serving), None)

    served, own = cheapest(own=False), cheapest(own=True)
    if served is None or own is None:
        return None
    return break_even(served, own, case.workload, staff_usd_hour=case.question.staff_usd_hour)


def _duties(best: Option, case: Case) -> tuple[Duty, ...]:
    terms = best.at.terms if isinstance(best.at, Served) else None
    use = case.workload.use
    return licence_check(best.model, case.organisation, use, catalog=case.catalog, terms=terms, today=case.today).duties


def _stale(best: Option, case: Case) -> tuple[str, ...]:
    if not isinstance(best.at, Served):
        return ()
    terms, offer = best.at.terms, best.at.offer
    listing, lists = best.at.listing, case.catalog.snapshot.sources
    claims: Mapping[str, bool] = {
        f"the price of {best.model.title}": listing is not None and stale(listing.price, lists, case.today),
        f"what {terms.id} says": any(
            stale(claim, terms.sources, case.today)
            for claim in (terms.training.default, terms.retention.default_days, terms.zero_retention.how)
        ),
        f"what {offer.id} says": stale(offer.region.processing, offer.sources, case.today),
    }
    return tuple(record for record, old in claims.items() if old)
