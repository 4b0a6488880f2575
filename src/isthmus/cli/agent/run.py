"""`isthmus agent run`: one task, for scripts. What comes of it is told by the exit status."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
import typer
from rich.console import Console

from isthmus.agent.approval import Answered
from isthmus.agent.happenings import Asked, Ended, Happening, Said, Stepped, Thinking
from isthmus.agent.inert import visible
from isthmus.agent.questions import question, things_of
from isthmus.agent.recorded import written
from isthmus.app_agent import Attended
from isthmus.cli.agent.here import agent_here, prepare, tell_troubles
from isthmus.cli.agent.options import ConversationOption, ProfileOption, UrlOption
from isthmus.cli.agent.telling import Teller
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.question import text_of
from isthmus.settings import load

STATUS = {"done": 0, "failed": 1, "waiting": 3, "refused": 4, "over_budget": 5}
"""Exit status by outcome. 2 is for options that are none."""


def command(
    task: Annotated[str | None, typer.Argument(help="What to do; `-` or nothing reads it from standard input.")] = None,
    profile: ProfileOption = None,
    conversation: ConversationOption = None,
    url: UrlOption = None,
    yes: Annotated[
        Literal["wait", "never"],
        typer.Option("--yes", help="What to answer where you would be asked: wait for you (status 3), or never yes."),
    ] = "wait",
    account: Annotated[
        list[str] | None, typer.Option("--account", help="Accounts it is given; repeatable. Not said: all.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do one task and print the answer. Status: 0 done, 1 failed, 3 waits for you, 4 no model may, 5 over budget."""
    settings = load(config)
    text = text_of(task)
    prepare(settings, url=url)
    name = conversation or f"run-{secrets.token_hex(4)}"
    ended: list[Ended] = []

    async def run() -> None:
        async with agent_here(settings, profile=profile, url=url, only=account) as found:
            errors = Console(stderr=True, highlight=False)
            tell_troubles(errors, found)
            turn = found.agent.turn(text, conversation=name, trigger="command", patience=0.0)
            ended.append(await watch(found, turn, errors, as_json=as_json, refusing=yes == "never"))

    asyncio.run(run())
    raise typer.Exit(STATUS[ended[0].outcome])


async def watch(
    found: Attended, turn: AsyncIterator[Happening], errors: Console, *, as_json: bool, refusing: bool = False
) -> Ended:
    """Tell what happens: the answer on standard output, steps and questions on standard error; or all of it as JSON.

    Args:
        found: the agent.
        turn: that is watched.
        errors: standard error.
        as_json: a line of JSON for each happening.
        refusing: whether every question is answered with no, and the turn gone on with.

    Returns:
        How it ended. Where nothing happened: as done.
    """
    ended = Ended(outcome="done", text="", cost=None, sides=frozenset())
    teller = Teller(errors)
    conversation: str | None = None
    asked: list[str] = []
    async with aclosing(turn) as happenings:  # type: ignore[type-var]  # every turn of the agent is a generator
        async for happening in happenings:
            if as_json:
                print_line(happening)
            match happening:
                case Ended():
                    ended = happening
                case Asked(approval):
                    asked.append(approval.id)
                    conversation = approval.conversation
                case _:
                    pass
            if not as_json:
                await _tell(found, teller, errors, happening, quiet=refusing)
    if refusing and ended.outcome == "waiting" and conversation is not None:
        for one in asked:
            no = Answered(approval=one, verdict="refuse", by="--yes never", at=datetime.now(UTC))
            await found.agent.answer(no)
        again = found.agent.resume(conversation)
        return await watch(found, again, errors, as_json=as_json, refusing=True)
    await found.agent.deliver(everything=True)  # nobody is here who could call it back
    return ended


async def _tell(found: Attended, teller: Teller, errors: Console, happening: Happening, *, quiet: bool) -> None:
    match happening:
        case Said(text=text):
            sys.stdout.write(visible(text))
            sys.stdout.flush()
        case Asked(approval):
            name = approval.conversation
            things = await asyncio.to_thread(lambda: things_of(name, found.log.read(name)))
            errors.print(question(approval, things), markup=False, soft_wrap=True)
            if not quiet:
                errors.print(f"isthmus agent approve {approval.id}", style="bold", markup=False, soft_wrap=True)
        case Ended(text=text):
            if text:
                sys.stdout.write("\n")
                sys.stdout.flush()
            teller.tell(happening)
        case _:
            teller.tell(happening)


_NAMES = {Thinking: "thinking", Said: "said", Stepped: "stepped", Asked: "asked", Ended: "ended"}


def print_line(happening: Happening) -> None:
    """A happening as a line of JSON."""
    told = {"happening": _NAMES[type(happening)], **written(happening)}
    sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    sys.stdout.flush()
