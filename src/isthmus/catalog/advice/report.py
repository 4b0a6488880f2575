"""The advice as a report: decision first, in plain words, the same for the terminal and for a board's folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from isthmus.catalog.advice.advice import Advice, Answer, Judged, RuledOut, Without
from isthmus.catalog.advice.breakeven import BreakEven
from isthmus.catalog.advice.capability import billions, must_be_tuned, rule
from isthmus.catalog.advice.constraint import in_words
from isthmus.catalog.advice.data import in_eea, practice
from isthmus.catalog.advice.hardware import DAYS, hardware, peak
from isthmus.catalog.advice.notes import questions
from isthmus.catalog.advice.option import Option, Own, Served, usd_per_call
from isthmus.catalog.advice.question import Question, Workload
from isthmus.catalog.advice.settings_lines import settings_lines
from isthmus.catalog.advice.span import Span
from isthmus.catalog.advice.wording import amount, asked, dollars, machines, money, usd_month, where
from isthmus.catalog.organisation import Organisation


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Code:
    language: str
    text: str


Block = Text | Bullets | Rows | Code


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """On one workload."""

    title: str
    asked: str
    decision: str
    """In a sentence or two."""
    sections: tuple[Section, ...]


SHOWN = 5
"""Rows of a table; the JSON has all."""


def pages(advice: Advice) -> Iterator[Page]:
    """The report, a page for every workload."""
    for answer in advice.answers:
        yield Page(
            title=answer.workload.name,
            asked=f"Asked: {asked(answer.workload)}.",
            decision=_decision(answer),
            sections=tuple(section for section in _sections(answer, advice) if section.blocks),
        )


def foot(advice: Advice) -> str:
    """On what all of it rests."""
    return (
        f"Made on {advice.made_on} from catalog {advice.catalog_version}, prices listed on {advice.listed_on}. "
        "List prices in US dollars, without tax. Machines and people are estimates. This is no legal advice."
    )


def _sections(answer: Answer, advice: Advice) -> Iterator[Section]:
    question = advice.question
    yield Section("What decides", tuple(_deciding(answer, question.organisation)))
    yield Section("The cost", tuple(_costs(answer, question)))
    yield Section("Also fits", tuple(_others(answer)))
    yield Section("Would fit, if you", tuple(_would_fit(answer)))
    yield Section("Ruled out", tuple(_ruled_out(answer)))
    unknown = tuple(_unknown(answer, question))
    yield Section("Not known: find out before you rely on it", (Bullets(unknown),) if unknown else ())
    yield Section("Do next", tuple(_next(answer, advice)))


def _decision(answer: Answer) -> str:
    best, workload = answer.best, answer.workload
    if best is None:
        if answer.would_fit:
            return (
                "Nothing fits on the facts that are known. What comes nearest, and what has to be done for it, is "
                "below under 'Would fit, if you'."
            )
        return "Nothing fits. What rules everything out is below; one of those conditions has to give way."
    model = best.model.title
    told = (
        _begin(answer, best)
        if _room(answer)
        else {
            "own": f"Run it yourself: {model}, {where(best)}.",
            "hosted": f"Buy it as a service, with an open model: {model} {where(best)}.",
            "closed": f"Buy it as a service: {model} {where(best)}.",
        }[best.side]
    )
    if isinstance(best.at, Own):
        told += f" By estimate {usd_month(best)}, people included."
        if best.at.keeping == "bought" and best.at.fleet is not None:
            low, high = (
                price * count for price, count in zip(best.at.fleet.machine.buy_usd, best.at.fleet.count, strict=True)
            )
            told += f" To buy: {dollars(low)} to {dollars(high)}."
    elif not _room(answer):
        told += f" At list price {usd_month(best)}."
    if (near := _close_call(answer, best)) is not None:
        trained = ", trained with your examples," if must_be_tuned(near.model, workload) else ""
        told += f" A close call: {near.model.title}{trained} {where(near)}, might cost {usd_month(near)}."
        told += " Measure that for a day before you sign anything for long."
    if answer.tuned:
        told += " Train it with your examples first: untrained it is too small."
    if workload.outage == "minutes" and answer.standby is not None:
        other = answer.standby
        told += f" Standing by for when it fails: {other.model.title} {where(other)}, paid only when used."
        if other.side == "own":
            told = told.replace(", paid only when used", "")
    elif workload.outage == "minutes":
        told += " Nothing that fits could stand in for it when it fails."
    return told


def _begin(answer: Answer, best: Option) -> str:
    """The decision where nearly everything can be paid."""
    told = f"Buy it as a service. Begin with {best.model.title} {where(best)}, {usd_month(best)} at list price"
    others = [
        f"{option.model.title} ({usd_month(option)})"
        for option in _one_a_model(answer)
        if option.model.producer.name != best.model.producer.name
    ][:2]
    return f"{told}, and compare it with {' and '.join(others)}." if others else f"{told}."


CLOSE = Decimal("1.5")
"""Times the price of a service, up to which the middle of an estimate for one's own machines is no clear no."""


def _close_call(answer: Answer, best: Option) -> Option | None:
    """Machines of one's own that fit, and of which only measuring can tell whether they are cheaper.

    The middle of an estimate is its geometric mean: the ends are factors away, not sums.
    """
    if isinstance(best.at, Own) or best.usd_month is None:
        return None
    limit = best.usd_month.low * CLOSE
    own = [option for option in answer.fits if option.side == "own" and option.usd_month is not None]
    near = [
        option for option in own if option.usd_month and (option.usd_month.low * option.usd_month.high).sqrt() <= limit
    ]
    return near[0] if near else None


def _deciding(answer: Answer, organisation: Organisation) -> Iterator[Block]:
    telling = [found for found in answer.decides if not set(found.constraints) & _OBVIOUS]
    sides = [found for found in telling if found.changes_side]
    others = [found for found in telling if not found.changes_side and _surely_cheaper(found.best, answer.best)]
    items = [_without(answer, found) for found in (*sides[:2], *others[:1])]
    if (room := _room(answer)) is not None:
        items = [room, *(_without(answer, found) for found in sides[:2])]
    elif answer.best is not None and not sides:
        items.insert(0, "The price: this is the cheapest of all that fits, and no single condition changes the side.")
    kinds = [kind for kind in answer.workload.data if any(f"data:{kind}" in found.constraints for found in sides[:2])]
    items += [f"The rule behind it: {practice(kind, organisation)}" for kind in kinds]
    if items:
        yield Bullets(tuple(items))
    elif answer.best is not None:
        yield Text("Whatever single condition is dropped, the answer stays the same.")


_OBVIOUS = frozenset({"capability", "context", "tools", "machine", "retirement", "trial", "listed", "price"})
"""What keeps out options that would not do: that something cheaper would be had without it is no news."""


def _room(answer: Answer) -> str | None:
    """That money does not decide, where the cheapest takes less than a tenth of the budget."""
    budget, best = answer.workload.budget_usd, answer.best
    if not budget or best is None or best.usd_month is None or best.usd_month.high * 10 > budget:
        return None
    models = len({option.model.id for option in answer.fits})
    return (
        f"Not the money: {models} models fit into ${budget:,.0f} a month. Compare their answers on your own examples, "
        "and take the cheapest that you like."
    )


def _without(answer: Answer, found: Without) -> str:
    left = " and ".join(in_words(key, answer.workload) for key in found.constraints)
    other = found.best
    told = f"Without {left}: {other.model.title} {where(other)}, {usd_month(other)}."
    return told if answer.best is None else f"{told} {_saving(answer.best, other)}"


TELLING = Decimal(5)
"""Dollars a month below which a difference is not worth a line."""


def _surely_cheaper(option: Option, best: Option | None) -> bool:
    if best is None or option.usd_month is None or best.usd_month is None:
        return best is None
    return option.usd_month.high + TELLING <= best.usd_month.low


def _saving(best: Option, other: Option) -> str:
    if best.usd_month is None or other.usd_month is None:
        return "That cannot be compared."
    if _surely_cheaper(other, best):
        less = Span(best.usd_month.low - other.usd_month.high, best.usd_month.high - other.usd_month.low)
        return f"So this condition costs you {money(less)} a month."
    return "That is not surely cheaper." if other.usd_month.low < best.usd_month.high else "That is dearer."


def _costs(answer: Answer, question: Question) -> Iterator[Block]:
    best = answer.best or (answer.would_fit[0].option if answer.would_fit else None)
    if best is not None and best.usd_month is not None:
        if answer.best is None:
            yield Text(f"Of {best.model.title} {where(best)}:")
        yield Bullets(tuple(_arithmetic(best, answer.workload, question)))
    if answer.best is not None and (near := _close_call(answer, answer.best)) is not None:
        yield Text(f"Of {near.model.title} {where(near)}:")
        yield Bullets(tuple(_arithmetic(near, answer.workload, question)))
    if answer.break_even is not None:
        yield Text(_crossing(answer.break_even, answer))


def _arithmetic(option: Option, workload: Workload, question: Question) -> Iterator[str]:
    if isinstance(option.at, Served):
        yield from _list_price(option, option.at, workload)
    elif option.at.fleet is not None:
        yield from _fleet(option.at, workload, question)


def _list_price(option: Option, at: Served, workload: Workload) -> Iterator[str]:
    assert at.listing is not None
    assert option.usd_month is not None
    prices = sorted(at.listing.price.readings, key=lambda price: usd_per_call(price, workload))
    price = prices[-1]
    cached = ""
    if workload.cached_share and price.cached is not None:
        cached = f", of which {workload.cached_share:.0%} cached at {amount(price.cached)}"
    call = usd_per_call(price, workload)
    yield (
        f"One call: {workload.input_tokens:,} tokens at {amount(price.input)} a million{cached}, and "
        f"{workload.output_tokens:,} at {amount(price.output)}: ${call:.6f}."
    )
    surcharge = max(at.offer.surcharge_percent.readings, default=0.0)
    extra = f" · {1 + surcharge / 100:g} for the region" if surcharge else ""
    low, high = (dollars(end) for end in option.usd_month)
    yield f"A month: ${call:.6f} · {workload.calls_per_day:,} calls · {DAYS} days{extra} = {high}."
    if len(prices) > 1:
        yield f"The feeds do not agree on the price. This is the dearest of them; by the cheapest it is {low}."


def _fleet(own: Own, workload: Workload, question: Question) -> Iterator[str]:
    fleet = own.fleet
    assert fleet is not None
    costs = hardware().costs
    low, high = fleet.count
    machine = fleet.machine
    busiest = workload.calls_per_day / 86_400 * peak(workload)
    spare = ", one of them to spare" if fleet.spare else ""
    yield (
        f"Work: {_rate(busiest)} in the busiest hour, for {machines(own)}{spare}; busy {fleet.busy.low:.0%} to "
        f"{fleet.busy.high:.0%} of the day."
    )
    if high == 1:
        yield "While the one machine stands still, so does the work. A second one doubles what machines cost."
    if own.keeping == "bought":
        cheap, dear = machine.buy_usd
        yield (
            f"Machines: {dollars(cheap)} to {dollars(dear)} each, written off over {costs.months_of_use[0]} to "
            f"{costs.months_of_use[1]} months, with upkeep and power: {money(fleet.machines_usd)} a month."
        )
    else:
        cheap, dear = machine.rent_usd_hour
        yield (
            f"Machines: {dollars(cheap)} to {dollars(dear)} an hour each, day and night, with disks and traffic: "
            f"{money(fleet.machines_usd)} a month."
        )
    rate = question.staff_usd_hour
    paid = (
        f"{dollars(rate)} an hour" if rate is not None else f"${costs.staff_usd_hour[0]} to ${costs.staff_usd_hour[1]}"
    )
    hours = [
        base + more * (count - 1)
        for base, more, count in zip(costs.staff_hours, costs.staff_hours_per_further_machine, fleet.count, strict=True)
    ]
    yield f"People: {hours[0]} to {hours[1]} hours a month at {paid}: {money(fleet.staff_usd)}."
    if low != high:
        yield "How many machines it takes is the largest unknown: a day of measuring on one rented machine settles it."


def _rate(per_second: float) -> str:
    return f"{per_second:,.0f} calls a second" if per_second >= 2 else f"{per_second * 60:,.0f} calls a minute"


def _crossing(found: BreakEven, answer: Answer) -> str:
    served, own = found.served, found.own
    pair = f"{served.model.title} {where(served)} and {own.model.title} on {found.keeping} machines"
    fitting = {option.key for option in answer.fits}
    aside = "" if {served.key, own.key} <= fitting else " (shown for comparison: not both fit here)"
    now = f"You have {answer.workload.calls_per_day:,}."
    if found.earliest is None:
        return f"Break-even between {pair}{aside}: none. Your own machines stay dearer at every volume. {now}"
    if found.latest is None:
        return (
            f"Break-even between {pair}{aside}: from {_calls(found.earliest)} calls a day on if all goes well for your "
            f"own machines, never if all goes badly. {now}"
        )
    low, high = sorted((found.earliest, found.latest))
    return (
        f"Break-even between {pair}{aside}: between {_calls(low)} and {_calls(high)} calls a day. {now} The "
        "width comes from what a machine gets done (threefold between published measurements), from its price, and "
        "from the hours of people."
    )


def _calls(count: int) -> str:
    """To two digits: more would be pretence."""
    digits = max(len(str(count)) - 2, 0)
    return f"{round(count, -digits):,}"


def _others(answer: Answer) -> Iterator[Block]:
    rows = _one_a_model(answer)
    if not rows:
        return
    # One of every maker: five sizes of one family are no choice.
    makers: dict[str, Option] = {}
    for option in rows:
        makers.setdefault(option.model.producer.name, option)
    shown = list(makers.values())[:SHOWN]
    # What another side would cost is worth a row, however dear.
    for side in ("own", "hosted", "closed"):
        if not any(option.side == side for option in shown) and (answer.best is None or answer.best.side != side):
            shown += [option for option in rows if option.side == side][:1]
    yield Rows(
        ("model", "where", "side", "$ a month"),
        tuple(
            (_titled(option, answer.workload), where(option).partition(" ")[2], option.side, _cell(option))
            for option in shown
        ),
    )
    if len(rows) > len(shown):
        yield Text(f"And {len(rows) - len(shown)} more models: --json has them all.")


def _titled(option: Option, workload: Workload) -> str:
    trained = option.side == "own" and must_be_tuned(option.model, workload)
    return f"{option.model.title} (trained)" if trained else option.model.title


def _one_a_model(answer: Answer) -> list[Option]:
    """The cheapest place of every model but the one recommended."""
    seen = set() if answer.best is None else {answer.best.model.id}
    found = []
    for option in answer.fits:
        if option.model.id not in seen:
            seen.add(option.model.id)
            found.append(option)
    return found


def _cell(option: Option) -> str:
    return "?" if option.usd_month is None else money(option.usd_month).replace("$", "")


def _would_fit(answer: Answer) -> Iterator[Block]:
    """What would be worth the trouble: on a side that nothing that fits is on, or surely cheaper."""
    present = {option.side for option in answer.fits}
    shown: list[Judged] = []
    for side in ("own", "hosted", "closed"):
        if side not in present:
            shown += _one_an_operator(found for found in answer.would_fit if found.option.side == side)[:2]
    cheaper = [f for f in answer.would_fit if answer.best is not None and _surely_cheaper(f.option, answer.best)]
    shown += [found for found in _one_an_operator(cheaper)[:3] if found not in shown]
    if not shown:
        return
    yield Bullets(tuple(_condition(found) for found in shown))
    if len(answer.would_fit) > len(shown):
        yield Text(f"{len(answer.would_fit)} in all would fit on such conditions: --json has them.")


_MUCH = 3
"""Things to be done, above which an option is not worth a line beside others."""


def _one_an_operator(judged: Iterable[Judged]) -> list[Judged]:
    """What asks for least at every operator; what asks for much only where nothing asks for less."""
    first: dict[str, Judged] = {}
    for found in judged:
        first.setdefault(found.option.operator, found)
    return [found for found in first.values() if len(found.against) <= _MUCH] or list(first.values())[:1]


def _condition(found: Judged) -> str:
    option = found.option
    asks = list(dict.fromkeys(judgement.ask for judgement in found.against))
    return f"{_joined(asks)}: {option.model.title} {where(option)}, {usd_month(option)}."


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{'; '.join(parts[:-1])}; and {parts[-1]}"


def _ruled_out(answer: Answer) -> Iterator[Block]:
    kept_out = sorted(answer.ruled_out, key=lambda row: row.constraint in _OBVIOUS)
    items = [_row(row, answer.workload) for row in kept_out[:SHOWN]]
    if items:
        yield Bullets(tuple(items))


def _row(row: RuledOut, workload: Workload) -> str:
    words = in_words(row.constraint, workload)
    alone = f", {row.alone} by this alone" if row.alone else ""
    return f"{words[0].upper()}{words[1:]}: {row.count}{alone}. For example: {_short(row.examples[0].says)}"


_LONG = 150


def _short(sentence: str) -> str:
    """At most so many characters, cut between words; the JSON has all."""
    return sentence if len(sentence) <= _LONG else f"{sentence[:_LONG].rpartition(' ')[0]} …"


def _unknown(answer: Answer, question: Question) -> Iterator[str]:
    workload, best = answer.workload, answer.best
    if best is None:
        yield from questions(question.organisation, workload)
        return
    size = billions(best.model)
    least = rule().of(workload.capability).least
    because = (
        f"it is large enough by a rule of thumb ({size:.0f} against {least:g} billion parameters)"
        if size is not None
        else "its vendor sells it for such work"
    )
    if not workload.accepted and workload.quality_min is None:
        yield (
            f"How good {best.model.title} is at your {workload.capability}: {because}, which is no test. Try it and "
            f"the next two on 100 to 200 of your own examples{_where_to_try(workload)}."
        )
    yield (
        f"Whether it thinks aloud before it answers: that is paid, and waited for, like output, and can be many times "
        f"your {workload.output_tokens:,} tokens. Switch it off where you can, and measure."
    )
    if workload.languages:
        spoken = ", ".join(workload.languages)
        yield f"How well it writes {spoken}: the catalog does not say. Let native speakers judge."
    if isinstance(best.at, Served):
        yield from _unknown_service(best, best.at, workload, question)
    elif best.at.fleet is not None:
        texts = (
            "a day of your traffic"
            if set(workload.data) <= {"public", "internal"}
            else "made-up texts as long as yours"
        )
        yield f"How fast the machine really is: rent one like it for a day and run {texts} before you buy or sign."
    if workload.outage == "minutes" and answer.standby is not None and answer.standby.model.id != best.model.id:
        yield f"Whether {answer.standby.model.title}, which stands by, does as well with the same prompts: test both."
    leaving = [option for option in (best, _standing_by(answer)) if option is not None and option.away]
    if in_eea(question.organisation) and "personal" in workload.data and leaving:
        whom = " and ".join(option.at.who for option in leaving if isinstance(option.at, Served))
        yield f"Whether personal data may leave the EEA on its way to {whom}: ask your data protection officer."
    yield from (
        f"Whether {what} still holds: nobody looked for longer than such facts keep (`isthmus catalog update`)."
        for what in answer.stale
    )
    yield from questions(question.organisation, workload)


def _standing_by(answer: Answer) -> Option | None:
    return answer.standby if answer.workload.outage == "minutes" else None


def _where_to_try(workload: Workload) -> str:
    closed = [kind for kind in workload.data if kind in {"patient", "privileged", "secret"}]
    return ": real ones only where they may go, made-up ones elsewhere" if closed else ""


BUSY = Decimal(20)
"""Calls a second from which on an account's limits are worth a question."""


def _unknown_service(best: Option, at: Served, workload: Workload, question: Question) -> Iterator[str]:
    who = at.who
    if not at.offer.models and at.offer.region.processing.known:
        yield f"Whether {at.offer.title} serves {best.model.title}: the lists say it of {who} as a whole. Look first."
    busiest = workload.calls_per_day / 86_400 * peak(workload)
    limit = workload.answer_within_s
    yield f"How fast it answers: nobody promises it. Measure whether {limit} s are kept at your hours."
    if busiest >= BUSY:
        tokens = busiest * (workload.input_tokens + workload.output_tokens) * 60
        yield (
            f"Whether {who} lets you: {_rate(busiest)} at the busiest time, {_calls(round(tokens))} tokens a minute, "
            "is above what ordinary accounts are given. Ask for the limit, and for a discount on volume, in writing."
        )
    if workload.answer_within_s >= 3600:
        yield f"Whether {who} has a cheaper way for work that can wait: batches often cost about half."
    ends = min(at.listing.retires_on.readings, default=None) if at.listing is not None else None
    if ends is not None:
        yield f"What comes after it: {best.model.title} is switched off there on {ends}."
    held = {paper.kind for paper in question.organisation.contracts if paper.covers == at.terms.id}
    if {"personal", "patient"} & set(workload.data) and not held & {"dpa", "baa"}:
        dpa = at.provider.dpa_url
        yield f"Whether the agreement on data processing suits you; sign it first{f': {dpa}' if dpa else ''}."


def _next(answer: Answer, advice: Advice) -> Iterator[Block]:
    best = answer.best
    if best is None:
        first = answer.would_fit[0].option if answer.would_fit else None
        if first is not None:
            yield Code(
                "console", f"$ isthmus catalog show {first.model.id}\n$ isthmus catalog licence {first.model.id}"
            )
        return
    if answer.duties:
        yield Bullets(
            tuple(
                f"Its licence ({duty.record.removeprefix('LicenseRef-isthmus-')}) asks: {duty.says}"
                for duty in answer.duties
            )
        )
    yield Code(
        "console",
        f"$ isthmus catalog licence {best.model.id}   # may we, and on what it rests\n"
        f"$ isthmus catalog show {best.model.id}      # what is known of it",
    )
    yield Text("Lines for isthmus.toml, to be completed where it says so:")
    yield Code("toml", settings_lines(answer, advice.question))
