"""`isthmus chat`: talk with the agent at a terminal.

The agent runs on a loop of its own beside this thread, which does nothing but read the keyboard and print. So Ctrl-C
stops the turn and nothing else, and lines can be edited as in a shell. What was typed is kept in memory alone.
"""

from __future__ import annotations

import contextlib
import secrets
import sys
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from rich.console import Console

from isthmus.agent.approval import Answered, Approval
from isthmus.agent.conversation import Held
from isthmus.agent.happenings import Asked, Ended, Happening
from isthmus.agent.inert import one_line
from isthmus.agent.profiles import Profile
from isthmus.agent.questions import answers, offered, question, things_of
from isthmus.cli.agent.explained import conversation_lines
from isthmus.cli.agent.here import Beside, agent_beside, prepare, tell_troubles
from isthmus.cli.agent.keypress import key_of
from isthmus.cli.agent.options import ConversationOption, ProfileOption, UrlOption
from isthmus.cli.agent.telling import Teller, money, sides
from isthmus.cli.options import ConfigOption
from isthmus.domain.errors import IsthmusError
from isthmus.domain.offer import Side
from isthmus.settings import load

HELP = """\
/help              this
/cost              what this conversation cost, and who saw it
/log               what happened in it
/profile NAME      think with other models: privacy-first, performance-first, cost-optimised
/undo              call back what waits to be sent
/quit              end; Ctrl-D does the same
Ctrl-C             stop what is going on"""

_PATIENCE = 3600.0
"""Seconds that a turn waits for an answer: as long as a question can be answered at all."""


def command(
    profile: ProfileOption = None,
    conversation: ConversationOption = None,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """Talk with the agent."""
    settings = load(config)
    prepare(settings, url=url)
    chat = Chat(Console(highlight=False, soft_wrap=True), conversation or f"chat-{secrets.token_hex(4)}")
    following: Profile | None = profile
    again = True
    while again:
        with agent_beside(settings, profile=following, url=url) as beside:
            chat.greet(beside)
            again = chat.talk(beside)
            following = chat.profile or following


@dataclass(slots=True)
class Chat:
    """One conversation at a terminal."""

    console: Console
    conversation: str
    profile: Profile | None = None
    """That was asked for by `/profile`, and is to be begun with again."""
    cost: Decimal | None = Decimal(0)
    seen: set[Side] = field(default_factory=set)
    _greeted: bool = False

    def greet(self, beside: Beside) -> None:
        found = beside.attended
        if not self._greeted and sys.stdin.isatty():
            with contextlib.suppress(ImportError):
                import readline  # noqa: F401, PLC0415  # its import alone lets lines be edited
        tools = ", ".join(found.agent.toolsets) or "nothing"
        self.console.print(f"isthmus · {found.profile} · {tools} · /help", style="dim", markup=False)
        tell_troubles(self.console, found)
        unfinished = () if self._greeted else beside.portal.call(found.agent.unfinished)
        if self.conversation in unfinished and self._key("yn", "The last turn did not end. Go on with it? ") == "y":
            self._watch(beside, found.agent.resume(self.conversation, patience=_PATIENCE))
        self._greeted = True

    def talk(self, beside: Beside) -> bool:
        """Take one line after the other, until there are no more.

        Returns:
            Whether it is to go on with another profile.
        """
        while True:
            try:
                line = input("> ").strip()
            except KeyboardInterrupt:
                self.console.print()
                continue
            except EOFError:
                self.console.print()
                line = "/quit"
            if not line:
                continue
            if not line.startswith("/"):
                self._turn(beside, line)
                continue
            match line.split():
                case ["/quit"]:
                    self._leave(beside)
                    return False
                case ["/profile", ("privacy-first" | "performance-first" | "cost-optimised") as name]:
                    self.profile = name
                    return True
                case words:
                    self._command(beside, words)

    def _command(self, beside: Beside, words: Sequence[str]) -> None:
        match words:
            case ["/help"]:
                self.console.print(HELP, markup=False)
            case ["/cost"]:
                self.console.print(f"{money(self.cost)} · {sides(self.seen)}", markup=False)
            case ["/log"]:
                for line in conversation_lines(beside.attended.log.read(self.conversation)):
                    self.console.print(line, markup=False)
                self.console.print(f"conversation {self.conversation}", style="dim", markup=False)
            case ["/profile"]:
                self.console.print(beside.attended.profile, markup=False)
            case ["/undo"]:
                self._undo(beside)
            case _:
                self.console.print(f"There is no {one_line(' '.join(words), 60)}.\n{HELP}", markup=False)

    def _turn(self, beside: Beside, text: str) -> None:
        agent = beside.attended.agent
        self._watch(beside, agent.turn(text, conversation=self.conversation, trigger="chat", patience=_PATIENCE))

    def _watch(self, beside: Beside, turn: AsyncIterator[Happening]) -> None:
        """Tell a turn, and ask what it asks. Ctrl-C stops it."""
        teller = Teller(self.console)
        try:
            with closing(beside.happenings(turn)) as happenings:
                for happening in happenings:
                    teller.tell(happening)
                    self._heed(beside, happening)
        except KeyboardInterrupt:
            teller.rest()
            self.console.print("Stopped. What was done is done; say what to do next.", style="yellow", markup=False)
        except IsthmusError as error:
            teller.rest()
            self.console.print(one_line(error.sentence, 400), style="bold red", markup=False)

    def _heed(self, beside: Beside, happening: Happening) -> None:
        match happening:
            case Asked(approval):
                self._ask(beside, approval)
            case Ended(cost=cost, sides=seen):
                self.cost = None if cost is None or self.cost is None else self.cost + cost
                self.seen |= seen
            case _:
                pass

    def _ask(self, beside: Beside, approval: Approval) -> None:
        self.console.rule(style="yellow")
        events = beside.attended.log.read(self.conversation)
        self.console.print(question(approval, things_of(self.conversation, events)), markup=False)
        self.console.print(answers(approval), markup=False, style="bold")
        self.console.rule(style="yellow")
        keys = offered(approval)
        key = self._key(keys)
        verdict = keys["n" if key is None else key]
        answered = Answered(approval=approval.id, verdict=verdict, by="terminal", at=datetime.now(UTC))
        if beside.portal.call(beside.attended.agent.answer, answered) is None:
            self.console.print("That question is void by now.", style="yellow", markup=False)

    def _prompt(self, text: str) -> None:
        self.console.print(text, markup=False, end="")
        self.console.file.flush()

    def _key(self, keys: Collection[str], question: str = "") -> str | None:
        key = key_of(keys, lambda: self._prompt(f"{question}[{'/'.join(keys)}] "))
        self.console.print("" if key is None else key, markup=False)
        return key

    def _held(self, beside: Beside) -> Sequence[Held]:
        return [one for one in beside.portal.call(beside.attended.agent.held) if not one.begun]

    def _undo(self, beside: Beside) -> None:
        held = self._held(beside)
        if not held:
            self.console.print("Nothing waits to be sent.", markup=False)
        for one in held:
            back = beside.portal.call(beside.attended.agent.call_back, one.conversation, one.grant.call)
            told = "was called back; it was not sent" if back else "is sent already"
            self.console.print(f"{one.call.spec.name} {told}.", markup=False)

    def _leave(self, beside: Beside) -> None:
        """Nothing is sent behind somebody's back that has left, and nothing that was wanted is forgotten."""
        held = self._held(beside)
        if not held:
            return
        names = ", ".join(one.call.spec.name for one in held)
        if self._key("sc", f"Still held: {names}. Send it now (s), or call it back (c)? ") == "s":
            beside.portal.call(lambda: beside.attended.agent.deliver(everything=True))
        else:
            self._undo(beside)
