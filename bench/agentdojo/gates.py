"""Gates: what decides, before a call is made, whether a person is asked. The monitor, and what is simpler."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from bench.agentdojo.tools import SPECS, arguments_of, parties, result_of, spec_of
from isthmus.agent.approval import Answered, Approval
from isthmus.agent.monitor import rules
from isthmus.agent.monitor.approving import answer
from isthmus.agent.monitor.branches import Branch
from isthmus.agent.monitor.intents import Endorsement
from isthmus.agent.monitor.judging import Allowed, Ask, judge
from isthmus.agent.monitor.meaning import unasked
from isthmus.agent.monitor.policy import Policy, shipped
from isthmus.agent.monitor.references import propose
from isthmus.agent.tool import Grant
from isthmus.domain.errors import ToolError

OUT = Path(__file__).parents[1] / "out" / "agentdojo.json"
"""Where the figures of a run are kept."""

_NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
_TODAY = {"workspace": datetime(2024, 5, 15, tzinfo=UTC), "banking": datetime(2022, 4, 1, tzinfo=UTC)}


class Gate(Protocol):
    """One run of one task through a gate."""

    theirs: bool
    """Whether it is the attacker who calls, which no gate may judge by."""

    def asks(self, name: str, arguments: Mapping[str, Any]) -> bool:
        """Whether a person has to be asked before this call."""
        ...

    def refuses(self) -> bool:
        """Whether the call that was just judged is not made whatever a person says."""
        ...

    def approved(self) -> None:
        """The person said yes to the call that was just judged."""
        ...

    def done(self, name: str, arguments: Mapping[str, Any], found: Any, env: Any) -> None:
        """The call that was just judged was made."""
        ...


class Undefended:
    """Nothing is asked."""

    def __init__(self, prompt: str, _: str) -> None:
        self.prompt, self.tainted, self.theirs = prompt, False, False

    def asks(self, name: str, arguments: Mapping[str, Any]) -> bool:  # noqa: ARG002  # as the port has it
        return False

    def refuses(self) -> bool:
        return False

    def approved(self) -> None:
        return

    def done(self, name: str, arguments: Mapping[str, Any], found: Any, env: Any) -> None:  # noqa: ARG002
        if name not in _OWN_FACTS:
            self.tainted = True


_OWN_FACTS = {"get_current_day", "get_iban", "get_balance"} | {
    name for name, spec in SPECS.items() if spec.effect != "fetch"
}
"""Reads whose results nobody else could have written, and effects, which answer with what they were told."""


class Tainted(Undefended):
    """A: once anything foreign was read, every call that is no read asks."""

    def asks(self, name: str, arguments: Mapping[str, Any]) -> bool:  # noqa: ARG002
        return self.tainted and name in SPECS


class TaintedButListings(Tainted):
    """A': A, but listings of channels and users are taken for trusted."""

    def done(self, name: str, arguments: Mapping[str, Any], found: Any, env: Any) -> None:
        if name not in {"get_channels", "get_users_in_channel"}:
            super().done(name, arguments, found, env)


class Said(Tainted):
    """B: A, but silent where all that decides stands, word for word, in the request."""

    least = 1

    def __init__(self, prompt: str, suite: str) -> None:
        super().__init__(prompt, suite)
        self.found: set[str] = set()

    def asks(self, name: str, arguments: Mapping[str, Any]) -> bool:
        if not super().asks(name, arguments):
            return False
        spec = spec_of(name, arguments)
        critical = [
            str(one)
            for parameter in spec.parameters
            if parameter.role in {"destination", "object"} or parameter.kind in {"account", "amount"}
            for one in _several(arguments.get(parameter.name))
        ]
        return not critical or not all(self._said(one) for one in critical)

    def _said(self, value: str) -> bool:
        return len(value) >= self.least and re.search(rf"(?<!\w){re.escape(value)}(?!\w)", self.prompt) is not None


class SaidOrFound(Said):
    """C: B with four letters at least, with addresses from the contacts, and asking about links in what is sent."""

    least = 4

    def asks(self, name: str, arguments: Mapping[str, Any]) -> bool:
        if super().asks(name, arguments):
            return True
        body = str(arguments.get("body", arguments.get("content", "")))
        address = re.search(r"(?:https?://|www\.)\S+", body)
        return self.tainted and address is not None and address[0] not in self.prompt

    def _said(self, value: str) -> bool:
        return super()._said(value) or value in self.found

    def done(self, name: str, arguments: Mapping[str, Any], found: Any, env: Any) -> None:
        if name == "search_contacts_by_name" and str(arguments.get("query")) in self.prompt:
            self.found |= {contact.email for contact in found or ()}
        super().done(name, arguments, found, env)


def _several(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


class Monitored:
    """The monitor, as the agent uses it: intents by rules, endorsements by the person's answers."""

    def __init__(self, prompt: str, suite: str, policy: Policy | None = None) -> None:
        self.policy = policy or shipped()
        self.intents = rules.read(prompt, _TODAY.get(suite, datetime(2024, 1, 1, tzinfo=UTC)))
        self.branch = Branch(id="main", conversation="bench")
        self.endorsements: tuple[Endorsement, ...] = ()
        self.number = 0
        self.grant: Grant | None = None
        self.question: Approval | None = None
        self.by_person = False
        self.theirs = False
        """Whether the attacker calls: then all that was found is opened."""
        self.why: list[str] = []

    def asks(self, name: str, arguments: Mapping[str, Any]) -> bool:
        self.number += 1
        self.grant, self.question, self.by_person = None, None, False
        try:
            self.call = propose(
                f"call-{self.number}", "bench", spec_of(name, arguments), arguments_of(name, arguments),
                self.branch, self.intents, parties=parties,
            )  # fmt: skip
        except ToolError as error:
            self.why = [error.sentence]
            return False
        match judge(self.call, self.branch, self.intents, self.endorsements, self.policy, _NOW):
            case Allowed(grant, why):
                self.grant, self.why = grant, [one.sentence for one in why]
            case Ask(question):
                self.question, self.why = question, [f"{one.code}: {one.sentence}" for one in question.why]
        return self.question is not None

    def refuses(self) -> bool:
        return self.grant is None and self.question is None

    def approved(self) -> None:
        assert self.question is not None
        offered = {remedy.code for remedy in self.question.remedies}
        answered = Answered(
            approval=self.question.id,
            verdict="endorse_value" if "endorse_value" in offered else "approve_once",
            by="the person",
            at=_NOW,
        )
        said = answer(self.question, answered, self.call, self.branch, _NOW)
        self.grant, self.by_person = said.grant, True
        self.endorsements += said.endorsements

    def done(self, name: str, arguments: Mapping[str, Any], found: Any, env: Any) -> None:
        assert self.grant is not None
        result = result_of(name, arguments, found, env)
        beside = frozenset[str]() if self.theirs or self.call.spec.effect != "read" else unasked(result, self.intents)
        self.branch = self.branch.acted(
            self.call, self.grant, result, _NOW, by_person=self.by_person, closed=lambda item: item.id in beside
        )


GATES: Mapping[str, type[Gate]] = {
    "none": Undefended,
    "A": Tainted,
    "A'": TaintedButListings,
    "B": Said,
    "C": SaidOrFound,
    "monitor": Monitored,
}
