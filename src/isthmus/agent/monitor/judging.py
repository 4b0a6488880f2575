"""May this call be made? The one place where it is decided, by code, from values alone.

A send has two legs. Its destination has to be endorsed (`endorsing`), and everything that it carries has to be readable
there already or be something that the same words of the user's send there. A change or a removal has to be of the thing
that was meant (`meaning`). Text that somebody else could have written takes no link along to where links are followed.
And the user's words have to want that sort of thing at all, so often and no more.

What falls short is asked, never done and never silently dropped. Nothing that is seen later makes a question of an
allowed call's kind into a permission: every check looks for a reason to allow, and marks only take reasons away.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from isthmus.agent.approval import Approval, Remedy, Why
from isthmus.agent.marks import THE_USER, Party, Readers, join
from isthmus.agent.monitor.branches import Branch
from isthmus.agent.monitor.calls import ProposedCall, Worth
from isthmus.agent.monitor.describing import described, origin_of
from isthmus.agent.monitor.endorsing import Case, Endorsed, address_endorsed, endorsed, page_party
from isthmus.agent.monitor.intents import Endorsement, Intent, Want
from isthmus.agent.monitor.meaning import beginning, meant, named, on_day, released
from isthmus.agent.monitor.normal import normal
from isthmus.agent.monitor.policy import Policy
from isthmus.agent.monitor.references import THINGS, dictated
from isthmus.agent.monitor.shelf import Shown, foreign_links
from isthmus.agent.monitor.words import links
from isthmus.agent.tool import Effect, Grant, Kind, Parameter

_SMALL_NUMBER = 10**6
_TIME = re.compile(
    r"P?[\dTHMSDW]{1,12}|\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})?)?|\d{2}:\d{2}"
)

_PLACES: frozenset[Kind] = frozenset({"element", "mailbox", "calendar", "account", "host"})
"""Things that are a place to act in rather than the thing acted on: none has to be meant by name."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """It may be made, with this grant, once."""

    grant: Grant
    why: tuple[Why, ...] = ()
    """What made it so: which words of the user's, which endorsement."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A person decides."""

    approval: Approval


@dataclass(frozen=True, slots=True)
class Refused:
    """It may not be made, whatever a person says."""

    why: tuple[Why, ...]
    remedies: tuple[Remedy, ...] = field(default=())


Judgement: TypeAlias = Allowed | Ask | Refused


def judge(
    call: ProposedCall,
    branch: Branch,
    intents: Sequence[Intent],
    endorsements: Sequence[Endorsement],
    policy: Policy,
    now: datetime,
) -> Judgement:
    """Decide about a call. Pure: the same values give the same judgement.

    Args:
        call: resolved on the shelf of `branch`.
        branch: what the model that wants it has seen.
        intents: of the user's words that this turn serves, the newest last.
        endorsements: what persons endorsed in this conversation.
        policy: the rules.
        now: the time, by which endorsements end and questions expire.
    """
    case = Case(call=call, branch=branch, intents=intents, endorsements=endorsements, policy=policy, now=now)
    if against := tuple(_forbidden(case)):
        return Refused(against, (Remedy("refuse", "It is left undone."),))
    rule = policy.effects[call.spec.effect]
    reasons: list[Why] = []
    against = tuple(_against(case, reasons)) if rule not in {"allow", "ask"} else ()
    if rule == "ask":
        against = (Why("policy_asks", f"Your policy asks before every {call.spec.effect}."),)
    if not against:
        return Allowed(grant_of(call), tuple(reasons))
    return Ask(_question(case, against))


def grant_of(call: ProposedCall) -> Grant:
    """The grant for a call: for exactly its arguments. Made here and in `approving`, and nowhere else."""
    arguments = call.arguments
    return Grant(
        call=call.id,
        tool=call.spec.name,
        digest=call.digest,
        mark=join(argument.mark for argument in arguments.values()),
        arguments=arguments,
    )


def _forbidden(case: Case) -> Iterator[Why]:
    call, policy = case.call, case.policy
    if any(granted.call == call.id for granted in case.branch.granted):
        yield Why("already_made", "A call is made once; this one was granted before.")
    if call.spec.name in policy.never_tools or policy.effects[call.spec.effect] == "never":
        yield Why("policy_forbids", f"Your policy forbids {call.spec.name}.")
    if call.spec.effect in {"send", "fetch"}:
        labels = frozenset(label for worth in _carried(case) for label in worth.mark.labels) & policy.never_labels
        if labels:
            yield Why("never_leaves", f"It carries what is labelled {', '.join(sorted(labels))}, which goes to nobody.")


def _against(case: Case, reasons: list[Why]) -> Iterator[Why]:
    """All that speaks against a call's being made silently; what speaks for it goes to `reasons`."""
    match case.call.spec.effect:
        case "fetch":
            yield from _fetch(case, reasons)
        case "keep":
            yield from _keep(case, reasons)
        case "send":
            yield from _wanted(case)
            yield from _objects(case, reasons)
            yield from _send(case, reasons)
        case "change" | "destroy":
            yield from _wanted(case)
            yield from _objects(case, reasons)
            yield from _send(case, reasons)
            yield from _settings(case, reasons)
        case "read":
            pass


# --------------------------------------------------------------------------------------------------- what is wanted


def _wanted(case: Case) -> Iterator[Why]:
    effect, kinds = case.call.spec.effect, _kinds(case.call)
    also = _as_good_as(case.call)
    wants = [
        want for intent in case.intents for want in intent.wants if _is(want, effect, kinds) or want.effect in also
    ]
    if not wants:
        yield Why("no_intent", f"Nothing you said asks for {_done(effect, case.call.spec.makes)}.")
        return
    silent = [one for one in case.branch.granted if one.effect == effect and not one.by_person]
    if effect == "keep":
        silent = [one for one in silent if one.kind == case.call.spec.makes]
    counts = [want.times for want in wants]
    most = case.policy.per_turn if None in counts else min(case.policy.per_turn, sum(count or 0 for count in counts))
    if len(silent) >= most:
        yield Why("more_than_wanted", f"You asked for {most} of these, and {len(silent)} are done.")


def _is(want: Want, effect: Effect, kinds: frozenset[Kind]) -> bool:
    return want.effect == effect and (want.kind is None or not kinds or want.kind in kinds)


def _kinds(call: ProposedCall) -> frozenset[Kind]:
    kinds = {parameter.kind for parameter in call.spec.parameters if parameter.kind == "element"}
    return frozenset(kinds if call.spec.makes is None else kinds | {call.spec.makes})


def _as_good_as(call: ProposedCall) -> frozenset[Effect]:
    """Effects that somebody wants whom this one serves: to remove a mail is to put it into the trash.

    It holds for what is done to a thing that is there, and not for making one or for writing to somebody.
    """
    roles = {parameter.role for parameter in call.spec.parameters}
    if "object" not in roles or "destination" in roles:
        return frozenset()
    served: dict[Effect, frozenset[Effect]] = {
        "keep": frozenset({"change", "destroy"}),
        "send": frozenset({"change", "destroy"}),  # to call a meeting off tells those who were to come
    }
    return served.get(call.spec.effect, frozenset())


def _done(effect: Effect, kind: Kind | None) -> str:
    what = f" of kind {kind}" if kind else ""
    return {
        "send": "anything to be sent",
        "keep": f"anything{what} to be made",
        "change": "anything to be changed",
        "destroy": "anything to be removed",
    }.get(effect, effect)


# --------------------------------------------------------------------------------------------------- what is carried


def _carried(case: Case) -> list[Worth]:
    """The values that those who see the effect come to see."""
    effect = case.call.spec.effect
    content = [worth for _, worth in case.call.played("content")]
    if effect == "fetch":
        content += [worth for _, worth in case.call.played("query", "destination")]
    content += [worth for parameter, worth in case.call.played("option") if not _small(parameter, worth)]
    if any(True for _ in case.call.played("destination")):
        content += [worth for parameter, worth in case.call.played("object") if parameter.kind not in _PLACES]
    return content


def _small(parameter: Parameter, worth: Worth) -> bool:
    """Whether an option is too little to carry anything: one of the tool's choices, yes or no, a time, a small number.

    Whatever a tool calls an option, a free text is content.
    """
    value = worth.value
    if "enum" in parameter.schema or isinstance(value, bool):
        return True
    if isinstance(value, int | float):
        return abs(value) < _SMALL_NUMBER and value == round(value, 2)
    return parameter.kind in {"time", "duration"} and _TIME.fullmatch(str(value)) is not None


def _send(case: Case, reasons: list[Why]) -> Iterator[Why]:
    """Both legs of a send; of a change, where others see it."""
    destinations = list(case.call.played("destination"))
    by: set[int] | None = None
    audience: set[Party] = set()
    for parameter, worth in destinations:
        audience |= set(worth.parties)
        found = endorsed(case, parameter, worth)
        if found is None and parameter.kind in {"url", "host"}:
            found = _page(case, worth)
        on_a_page = found is None and parameter.kind == "element" and worth.parties
        if on_a_page and all(_site_named(case, party) for party in worth.parties):
            found = Endorsed("it is on the site that you named")
        if found is None:
            yield Why(
                "destination_not_endorsed", f"{worth.value!r} {origin_of(worth, case.branch)}; you did not name it."
            )
            continue
        if not worth.parties:
            yield Why("destination_unknown", f"Nobody knows who comes to see what goes to {worth.value!r}.")
        reasons.append(Why("destination_endorsed", f"{worth.value!r}: {found.sentence}."))
        if found.intent is not None:
            by = {found.intent} if by is None else by & {found.intent}
    everyone = False
    for _, worth in case.call.played("object"):
        for shown in case.things(worth):
            readers = shown.mark.readers
            everyone = everyone or readers.everyone
            audience |= readers.parties
            if case.call.spec.effect == "send" and not destinations:
                places = {Party(f"https://{origin[4:]}") for origin in shown.mark.origins if origin.startswith("web:")}
                audience |= places
                if places and not all(_site_named(case, place) for place in places):
                    yield Why("destination_not_endorsed", f"{shown.handle} is on a site that you did not name.")
    takes = any(parameter.role == "destination" for parameter in case.call.spec.parameters)
    if case.call.spec.effect == "send" and not destinations and (takes or not audience):
        everyone = True  # a send that names nobody can be seen by anybody
        yield Why("destination_unknown", "It does not say who comes to see it.")
    audience -= {THE_USER}
    yield from _amounts(case)
    if case.call.spec.effect == "destroy" or not (audience or everyone or destinations):
        return
    readers = Readers(everyone=True) if everyone else Readers(frozenset(audience))
    for worth in _carried(case):
        if not _may_go(case, worth, readers, by if destinations else _meaning(case)):
            sentence = f"{_short(worth)} {origin_of(worth, case.branch)}; it is not known to {_said_of(readers)}."
            yield Why("not_for_these_readers", sentence)
        if (link := _foreign_link(case, worth)) is not None:
            yield Why("link_from_outside", f"It has a link, {link}, that you did not give, and links get followed.")


def _meaning(case: Case) -> set[int]:
    """The intents that name every thing that is acted on."""
    things = [shown for _, worth in case.call.played("object") for shown in case.things(worth)]
    return {
        number
        for number, intent in enumerate(case.intents)
        if things and all(named(shown, intent, "loosely") or shown.made for shown in things)
    }


def _may_go(case: Case, worth: Worth, to: Readers, by: set[int] | None) -> bool:
    """Whether those may come to see a value: they can already, or the words that named them named it too.

    `by` are the intents whose words endorsed all the destinations; None: something else did.
    """
    if worth.said is not None or _include(worth.mark.readers, to):
        return True
    if worth.unseen:
        return False
    if worth.references:
        return all(_thing_may_go(case, shown, to, by) for shown in case.things(worth))
    return _include(case.branch.ground.readers, to) and all(
        _include(shown.seen.readers, to) or _thing_may_go(case, shown, to, by) for shown in case.branch.shelf.shown
    )


def _thing_may_go(
    case: Case, shown: Shown, to: Readers, by: set[int] | None, seen: frozenset[str] = frozenset()
) -> bool:
    if _include(shown.mark.readers, to):
        return True
    if shown.made:  # what the agent made is made of what it had seen: that has to be free to go, not its name
        sources = [case.branch.shelf.at(handle) for handle in shown.sources - seen]
        return _include(case.branch.ground.readers, to) and all(
            source is not None and _thing_may_go(case, source, to, by, seen | {shown.handle}) for source in sources
        )
    if shown.extra is not None and not _include(shown.extra.readers, to):
        return False  # it was made by the agent once, of things that its name says nothing of
    return any(released(shown, case.branch.shelf, case.intents[number]) for number in by or ())


def _include(readers: Readers, to: Readers) -> bool:
    return readers.everyone if to.everyone else readers.include(to.parties)


def _foreign_link(case: Case, worth: Worth) -> str | None:
    """A link in text that somebody else could have written, which the user did not give."""
    if worth.said is not None or worth.mark.trusted:
        return None
    found = list(links(worth.value)) if isinstance(worth.value, str) else []
    found += [link for shown in case.things(worth) for link in foreign_links(shown)]
    given = {slot.value for intent in case.intents for slot in intent.slots if slot.kind in {"url", "host"}}
    given |= {one.value for one in case.endorsements if one.kind in {"url", "host"} and one.holds(case.now)}
    return next((link for link in found if link not in given), None)


def _amounts(case: Case) -> Iterator[Why]:
    said = {slot.value for intent in case.intents for slot in intent.slots if slot.kind == "amount"}
    said |= {one.value for one in case.endorsements if one.kind == "amount" and one.holds(case.now)}
    for parameter, worth in case.call.played("content", "option", "object"):
        if parameter.kind != "amount" or normal("amount", worth.value) in said:
            continue
        petty = case.call.spec.effect == "send" and float(worth.value) <= case.policy.money_unsaid
        if not petty:
            yield Why("amount_not_said", f"You did not say the amount {worth.value}.")


# --------------------------------------------------------------------------------------------------- the other effects


def _page(case: Case, worth: Worth) -> Endorsed | None:
    for number, intent in enumerate(case.intents):
        for slot in intent.of("destination"):
            if slot.kind in {"url", "host"} and slot.value == normal("url", str(worth.value)):
                return Endorsed(f"you said {slot.said!r}", number)
    return None


def _site_named(case: Case, place: Party) -> bool:
    named_here = {
        page_party(slot.value) for intent in case.intents for slot in intent.slots if slot.kind in {"url", "host"}
    }
    return place in named_here or place in case.policy.endorsed


def _fetch(case: Case, reasons: list[Why]) -> Iterator[Why]:
    if sum(1 for one in case.branch.granted if one.effect == "fetch" and not one.by_person) >= case.policy.fetches:
        yield Why("more_than_wanted", f"{case.policy.fetches} pages were fetched in this turn.")
    addressed = False
    for parameter, worth in case.call.played("destination", "query"):
        if parameter.kind in {"url", "host"}:
            addressed = True
            found = address_endorsed(case, parameter, worth)
            if found is None:
                yield Why(
                    "destination_not_endorsed", f"{worth.value!r} {origin_of(worth, case.branch)}; you did not name it."
                )
            else:
                reasons.append(Why("destination_endorsed", f"{worth.value!r}: {found.sentence}."))
        elif parameter.role == "destination" and endorsed(case, parameter, worth) is None:
            yield Why(
                "destination_not_endorsed", f"{worth.value!r} {origin_of(worth, case.branch)}; you did not name it."
            )
    for parameter, worth in case.call.played("query", "content"):
        if parameter.kind in {"url", "host"} or worth.said is not None:
            continue
        to = Readers(frozenset(worth.parties)) if worth.parties else Readers(everyone=True)
        if not _include(worth.mark.readers, to) and not _users_own(case, worth):
            yield Why(
                "not_for_these_readers",
                f"{_short(worth)} {origin_of(worth, case.branch)}; a service outside would see it.",
            )
    for _, worth in case.call.played("object"):
        for shown in case.things(worth):
            places = {Party(f"https://{origin[4:]}") for origin in shown.mark.origins if origin.startswith("web:")}
            if not addressed and places and not all(_site_named(case, place) for place in places):
                yield Why("destination_not_endorsed", f"{shown.handle} is on a site that you did not name.")


def _users_own(case: Case, worth: Worth) -> bool:
    """Whether a query is a token of the user's own words, in whole."""
    wanted = normal("text", str(worth.value))
    return any(
        slot.value == wanted for intent in case.intents for slot in intent.slots if slot.kind in {"text", "person"}
    )


def _keep(case: Case, reasons: list[Why]) -> Iterator[Why]:
    kind = case.call.spec.makes
    rule = case.policy.effects["keep"]
    if rule == "wanted" and kind not in case.policy.silent:
        yield from _wanted(case)
        times = [slot for intent in case.intents for slot in intent.slots if slot.kind == "time"]
        days = {slot.value for slot in times if slot.part == "object"} or {slot.value for slot in times}
        for parameter, worth in case.call.played("option", "content", "object"):
            if parameter.kind == "time" and days and not any(on_day(worth.value, day) for day in days):
                yield Why("time_not_meant", f"{worth.value} is on no day that you named.")
    for parameter, worth in case.call.played("destination"):
        if endorsed(case, parameter, worth) is None:
            yield Why(
                "destination_not_endorsed", f"{worth.value!r} {origin_of(worth, case.branch)}; you did not name it."
            )
    if kind is not None:
        reasons.append(Why("only_you_see_it", "Only you see it, and you can undo it."))


def _objects(case: Case, reasons: list[Why]) -> Iterator[Why]:
    """Whether what is acted on is what was meant."""
    made_now = {one.call for one in case.branch.granted}
    for parameter, worth in case.call.played("object"):
        if parameter.kind in _PLACES or parameter.kind == "amount":
            continue
        things = case.things(worth)
        if _object_endorsed(case, parameter, worth):
            reasons.append(Why("object_meant", f"{worth.value!r} was endorsed or begins as you said."))
            continue
        if parameter.kind not in THINGS:
            slots = [slot for intent in case.intents for slot in intent.of("object", "source", "destination")]
            if any(
                slot.value == normal("text", worth.value)
                for slot in slots
                if slot.kind in {"text", "person", "channel"}
            ):
                reasons.append(Why("object_meant", f"You said {worth.value!r}."))
                continue
        if not things:
            yield Why("object_not_meant", f"{worth.value!r} is nothing that was found by a name you said.")
            continue
        for shown in things:
            if shown.made and shown.call in made_now:
                reasons.append(Why("object_meant", f"{shown.handle} was made in this turn."))
            elif (why := meant(shown, case.branch.shelf, case.intents)) is not None:
                reasons.append(Why("object_meant", f"{why[0].upper()}{why[1:]}."))
            else:
                yield Why("object_not_meant", f"{shown.handle} is not the one thing that your words name.")


def _object_endorsed(case: Case, parameter: Parameter, worth: Worth) -> bool:
    wanted = normal(parameter.kind, worth.value)
    if any(one.kind == parameter.kind and one.value == wanted and one.holds(case.now) for one in case.endorsements):
        return True
    return any(
        slot.prefix and slot.kind == parameter.kind and beginning(case.branch.shelf, slot.kind, slot) == wanted
        for intent in case.intents
        for slot in intent.slots
    )


def _settings(case: Case, reasons: list[Why]) -> Iterator[Why]:
    """A change of no thing is one of settings: it says what the user said, word for word."""
    if case.call.spec.effect != "change" or any(True for _ in case.call.played("object")):
        return
    for parameter, worth in case.call.played("content"):
        if parameter.kind == "amount":
            continue
        slot = dictated(worth.value, parameter.kind, case.intents)
        if slot is None or slot.part not in {"content", "object"}:
            yield Why("not_dictated", f"{_short(worth)} {origin_of(worth, case.branch)}; you did not say it.")
        else:
            reasons.append(Why("dictated", f"You said {slot.said!r}."))


# --------------------------------------------------------------------------------------------------- what is asked


def _question(case: Case, why: tuple[Why, ...]) -> Approval:
    call = case.call
    name = hashlib.sha256(f"{call.conversation}\0{call.id}\0{call.digest}".encode()).hexdigest()[:16]
    return Approval(
        id=f"approval-{name}",
        conversation=call.conversation,
        call=call.id,
        tool=call.spec.name,
        says=described(call),
        arguments=call.arguments,
        digest=call.digest,
        why=_once(why),
        remedies=tuple(_remedies(case, {one.code for one in why})),
        asked_at=case.now,
        expires_at=case.now + timedelta(minutes=case.policy.minutes),
    )


def endorsable(call: ProposedCall) -> Iterator[tuple[Parameter, Worth]]:
    """The values of a call that a person may endorse for later ones: places and people.

    A thing that may be removed or disclosed is approved each time.
    """
    for parameter, worth in call.played("destination", "object"):
        if parameter.role == "destination" or parameter.kind in {"channel", "person", "host", "url"}:
            yield parameter, worth


def _once(why: Iterable[Why]) -> tuple[Why, ...]:
    return tuple(dict.fromkeys(why))


def _remedies(case: Case, codes: set[str]) -> Iterator[Remedy]:
    yield Remedy("approve_once", "It is done once, exactly as shown.")
    if codes & {"destination_not_endorsed", "object_not_meant"}:
        names = ", ".join(str(worth.value) for _, worth in endorsable(case.call))
        if names:
            yield Remedy(
                "endorse_value", f"It is done, and {names} counts as named by you from now on in this conversation."
            )
    if "not_for_these_readers" in codes or "link_from_outside" in codes:
        yield Remedy("redact", "It is written again without what these readers may not see.")
    if case.call.spec.effect == "send" and case.call.spec.name.startswith("mail_"):  # messages have no drafts
        yield Remedy("draft_instead", "It is put among your drafts, and you send it yourself.")
    yield Remedy("refuse", "It is left undone.")


def _short(worth: Worth) -> str:
    text = str(worth.value)
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def _said_of(readers: Readers) -> str:
    return "everyone" if readers.everyone else ", ".join(sorted(readers.parties))
