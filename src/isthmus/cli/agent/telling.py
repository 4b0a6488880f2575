"""What happens in a turn, told at a terminal: text as it comes, one line for each step, and what it cost.

Everything that is not ours is written by way of `visible` or `one_line`: what others wrote must not move the cursor.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from rich.console import Console

from isthmus.agent.happenings import Asked, Ended, Happening, Said, Stepped, Thinking
from isthmus.agent.inert import one_line, visible
from isthmus.domain.offer import Side
from isthmus.domain.usage import plain

_WIDEST = 400
_ERASE = "\r\x1b[K"

_SIGNS = {"done": ("✓", "green"), "failed": ("✗", "red"), "refused": ("⊘", "yellow")}
_OUTCOMES = {
    "waiting": "It waits for your answer.",
    "refused": "No model may be asked.",
    "failed": "It did not come to an end.",
    "over_budget": "The budget is used.",
}


@dataclass(slots=True)
class Teller:
    """Tells a turn to whoever sits at a terminal."""

    console: Console
    offers: list[str] = field(default_factory=list)
    """Who was asked in this turn."""
    said: bool = False
    """Whether the answer has begun."""
    _line_open: bool = False
    _passing: bool = False

    def tell(self, happening: Happening) -> None:
        """Tell one thing. Questions are for somebody else to ask."""
        match happening:
            case Thinking(offer=offer, side=side):
                if offer not in self.offers:
                    self.offers.append(offer)
                self._pass(f"… {offer} ({side})")
            case Said(text=text):
                self._text(text)
            case Stepped(state="begun", note=""):
                self._pass(f"… {one_line(happening.says, _WIDEST)}")
            case Stepped():
                self._step(happening)
            case Asked():
                self.rest()
            case Ended():
                self._end(happening)

    def rest(self) -> None:
        """End a line that has begun, so that something else can be printed."""
        self._unpass()
        if self._line_open:
            self.console.out("", highlight=False)
            self._line_open = False

    def _text(self, text: str) -> None:
        self._unpass()
        shown = visible(text)
        self.console.out(shown, end="", highlight=False)
        self.said = True
        self._line_open = not shown.endswith("\n") if shown else self._line_open

    def _step(self, step: Stepped) -> None:
        self.rest()
        sign, style = _SIGNS.get(step.state, ("⧗", "cyan"))
        note = f" · {one_line(step.note, _WIDEST)}" if step.note else ""
        self.console.print(
            f"{sign} {one_line(step.says, _WIDEST)}{note}", style=style, markup=False, highlight=False, soft_wrap=True
        )

    def _end(self, ended: Ended) -> None:
        self.rest()
        if ended.outcome in _OUTCOMES:
            note = one_line(ended.note, 2 * _WIDEST) or _OUTCOMES[ended.outcome]
            self.console.print(note, style="yellow", markup=False, highlight=False, soft_wrap=True)
        self.console.print(
            f"{', '.join(self.offers) or 'no model'} · {sides(ended.sides)} · {money(ended.cost)}",
            style="dim",
            markup=False,
            highlight=False,
        )
        self.offers.clear()
        self.said = False

    def _pass(self, text: str) -> None:
        """Show a line for as long as nothing else is said. Where nobody watches, nothing."""
        if self.console.is_terminal and not self._line_open:
            self._unpass()
            self.console.out(text[: self.console.width - 1], end="", style="dim", highlight=False)
            self._passing = True

    def _unpass(self) -> None:
        if self._passing:
            self.console.file.write(_ERASE)
            self._passing = False


def money(cost: Decimal | None) -> str:
    return "cost unknown" if cost is None else f"${plain(cost)}"


def sides(found: Iterable[Side]) -> str:
    """Where the models were that saw something of a turn."""
    named = sorted(found)
    return f"seen by {' and '.join(named)} models" if named else "seen by no model"
