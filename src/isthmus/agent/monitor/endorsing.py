"""Who may come to see something, because the user said so: endorsement by typed origin.

A destination is endorsed by where its value comes from: it is the user's own word in the place of a destination, it is
an address in a record that nobody but the user can have written, or a person endorsed it. That a text happens to hold
it counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from isthmus.agent.marks import THE_USER, Origin, Party
from isthmus.agent.monitor.branches import Branch
from isthmus.agent.monitor.calls import ProposedCall, Worth
from isthmus.agent.monitor.intents import Endorsement, Intent, Slot
from isthmus.agent.monitor.meaning import NAMES, beginning, meant, only, same_name
from isthmus.agent.monitor.normal import normal
from isthmus.agent.monitor.policy import Policy
from isthmus.agent.monitor.shelf import Shown
from isthmus.agent.tool import Kind, Parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that a judgement is made of."""

    call: ProposedCall
    branch: Branch
    intents: Sequence[Intent]
    endorsements: Sequence[Endorsement]
    policy: Policy
    now: datetime

    def things(self, worth: Worth) -> list[Shown]:
        """The things on the shelf that a value stands for or is a field of."""
        found = (self.branch.shelf.at(reference.partition(".")[0]) for reference in worth.references)
        return [shown for shown in found if shown is not None]


@dataclass(frozen=True, slots=True)
class Endorsed:
    """Why a destination is endorsed."""

    sentence: str
    intent: int | None = None
    """The number of the intent whose words did it. None: something else did."""


def endorsed(case: Case, parameter: Parameter, worth: Worth) -> Endorsed | None:
    """Whether a destination is endorsed."""
    parties = frozenset(worth.parties)
    if parties and parties <= {THE_USER}:
        for number, intent in enumerate(case.intents):
            if any(_is_me(slot) for slot in intent.of("destination")):
                return Endorsed("it goes to you, as you said", number)
    if parties and parties <= case.policy.endorsed:
        return Endorsed("the policy endorses it")
    for endorsement in case.endorsements:
        if endorsement.holds(case.now) and (
            (endorsement.kind == parameter.kind and endorsement.value == normal(parameter.kind, worth.value))
            or (parties and parties <= endorsement.parties)
        ):
            return Endorsed(f"{endorsement.by} endorsed it")
    if parameter.kind == "element" and parties:
        for number, intent in enumerate(case.intents):
            if parties <= {page_party(slot.value) for slot in intent.slots if slot.kind in {"url", "host"}}:
                return Endorsed("it is on a site that you named", number)
    for number, intent in enumerate(case.intents):
        for slot in intent.of("destination"):
            if (why := _by_slot(case, parameter, worth, slot)) is not None:
                return Endorsed(why, number)
    return None


def _is_me(slot: Slot) -> bool:
    return slot.kind == "person" and slot.value in {"me", "myself"}


def _by_slot(case: Case, parameter: Parameter, worth: Worth, slot: Slot) -> str | None:
    value = worth.value
    if slot.each:
        return _each(case, parameter, worth)
    if slot.prefix:
        if parameter.kind == slot.kind and beginning(case.branch.shelf, slot.kind, slot) == normal("text", value):
            return f"it is the only one that begins with {slot.said!r}"
        return None
    if slot.inside:
        return _found_inside(case, parameter, worth, slot)
    if slot.kind in case.policy.people:
        return _people(case, parameter, worth, slot)
    if same_name(parameter.kind, value, slot):
        return f"you said {slot.said!r}"
    if parameter.kind == "account" and slot.kind == "person" and normal("text", value) == slot.value:
        return f"you said {slot.said!r}"
    if slot.kind in NAMES and only(_addresses(case, parameter.kind, slot)) == normal(parameter.kind, value):
        return f"it is the address of {slot.said!r} in your contacts"
    return None


def _each(case: Case, parameter: Parameter, worth: Worth) -> str | None:
    """One of 'each user': somebody the service itself named, told what the user dictated and nothing else."""
    dictated = all(other.said is not None for _, other in case.call.played("content"))
    if parameter.kind in {"person", "email", "channel"} and dictated and worth.references and worth.mark.trusted:
        return "you said to each of them, and what to say"
    return None


def _found_inside(case: Case, parameter: Parameter, worth: Worth, slot: Slot) -> str | None:
    """The one address in the page or file where the user said that it is to be found."""
    if parameter.kind != slot.kind:
        return None
    places = [
        shown
        for shown in case.branch.shelf.shown
        if any(normal("url", asked) == slot.inside or normal("text", asked) == slot.inside for asked in shown.asked_for)
    ]
    held = (
        normal(slot.kind, referred.field.value)
        for referred in case.branch.shelf.fields()
        if referred.field.kind == slot.kind and any(referred.shown.handle == place.handle for place in places)
    )
    if only(held) == normal(parameter.kind, worth.value):
        return f"it is the one address in {slot.said!r}, where you said it is"
    return None


def _people(case: Case, parameter: Parameter, worth: Worth, slot: Slot) -> str | None:
    """The people of a thing that the user named: the participants of that event, the sender of that mail."""
    names = case.policy.people[slot.kind]
    wanted = Slot(part="object", kind="text", value=slot.value, said=slot.said, start=slot.start)
    for shown in case.branch.shelf.shown:
        if shown.item.kind != slot.kind:
            continue
        here = [Intent(words=intent.words, slots=(wanted, *_days(intent)), at=intent.at) for intent in case.intents]
        if meant(shown, case.branch.shelf, here, "exactly") is None:
            continue
        for name, one in shown.item.fields.items():
            theirs = name in names or name.partition("_")[0].rstrip("0123456789") in names
            if theirs and one.kind == parameter.kind and normal(one.kind, one.value) == normal(one.kind, worth.value):
                return f"it is among the {name} of {slot.said!r}"
    return None


def _days(intent: Intent) -> Iterator[Slot]:
    return (slot for slot in intent.slots if slot.kind == "time")


def _addresses(case: Case, kind: Kind, slot: Slot) -> Iterator[str]:
    """The addresses of a name, in records whose name and address nobody but the user can have written."""
    for shown in case.branch.shelf.shown:
        if shown.item.kind != "contact" or shown.extra is not None:
            continue
        fields = shown.item.fields.values()
        if any(one.mark.trusted and same_name(one.kind, one.value, slot) for one in fields):
            for one in fields:
                if one.kind == kind:
                    # one that somebody else may have put there makes the name ambiguous, so it counts against
                    yield normal(kind, one.value) if one.mark.trusted else ""


def host_of(address: str) -> str:
    """Of a page's address, in normal form."""
    return normal("url", address).partition("/")[0].partition("?")[0]


def page_party(address: str) -> Party:
    """The place that learns of a page's address when the page is fetched."""
    return Party(f"https://{host_of(address).partition(':')[0]}")


def address_endorsed(case: Case, parameter: Parameter, worth: Worth) -> Endorsed | None:
    """Whether a page's address may be fetched: as said, on a site that was named, or a link in what was meant."""
    address = normal("url", str(worth.value))
    if page_party(address) in case.policy.endorsed:
        return Endorsed("the policy endorses the site")
    for endorsement in case.endorsements:
        whole = {"url": address, "host": host_of(address)}.get(endorsement.kind)
        if whole is not None and endorsement.holds(case.now) and endorsement.value in {address, whole}:
            return Endorsed(f"{endorsement.by} endorsed it")
    for number, intent in enumerate(case.intents):
        for slot in intent.slots:
            if slot.kind in {"url", "host"} and slot.value == address:
                return Endorsed(f"you said {slot.said!r}", number)
    for number, intent in enumerate(case.intents):
        for slot in intent.slots:
            if slot.kind in {"url", "host"} and host_of(slot.value) == host_of(address):
                own = {Origin(f"web:{host_of(address)}")}
                from_there = bool(worth.references) and worth.mark.origins <= own
                if from_there or worth.mark.readers.include([page_party(address)]):
                    return Endorsed(f"it is on the site of {slot.said!r}", number)
    for number, intent in enumerate(case.intents):
        if worth.references and all(_linked(shown, case, intent) for shown in case.things(worth)):
            return Endorsed("it is a link in what you named", number)
    return endorsed(case, parameter, worth)


def _linked(shown: Shown, case: Case, intent: Intent) -> bool:
    """Whether a thing holds the link that the user wants followed.

    It is the only one that fits all that was named, or one of them where all are wanted.
    """
    if not _fits(shown, intent):
        return False
    if {other.item.id for other in case.branch.shelf.shown if _fits(other, intent)} == {shown.item.id}:
        return len(set(case.branch.shelf.links_of(shown))) == 1  # the user named this one thing: its one link is meant
    want = next((want for want in intent.wants if want.effect == "fetch"), None)
    if want is None:
        return False
    holding = {
        other.item.id
        for other in case.branch.shelf.shown
        if _fits(other, intent) and any(True for _ in case.branch.shelf.links_of(other))
    }
    return want.times is None or (holding == {shown.item.id} and len(set(case.branch.shelf.links_of(shown))) == 1)


def _fits(shown: Shown, intent: Intent) -> bool:
    """Whether a thing fits every name that the user gave of where to look, and there is one."""
    names = [slot for slot in intent.of("source") if slot.kind in NAMES]
    values = [(one.kind, one.value) for one in shown.item.fields.values()]
    return bool(names) and all(
        any(same_name(kind, value, slot) for kind, value in values)
        or any(same_name("text", asked, slot) for asked in shown.asked_for)
        for slot in names
    )
