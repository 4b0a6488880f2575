"""`isthmus agent approvals`, `approve` and `resume`: questions that wait for a person, and going on after that."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, cast

import typer
from rich.console import Console

from isthmus.agent.approval import Answered, Approval, Verdict
from isthmus.agent.conversation import Conversation
from isthmus.agent.happenings import Ended
from isthmus.agent.ports import EventLog
from isthmus.agent.questions import offered, question, things_of
from isthmus.agent.recorded import written
from isthmus.cli.agent.here import agent_here, prepare, tell_troubles
from isthmus.cli.agent.options import ProfileOption, UrlOption
from isthmus.cli.agent.records import log_of
from isthmus.cli.agent.run import STATUS, watch
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import print_json
from isthmus.domain.errors import InvalidRequest
from isthmus.settings import load


def waiting(log: EventLog, now: datetime) -> list[Approval]:
    """The questions that nobody has answered and that can still be answered."""
    found: list[Approval] = []
    for name in log.unfinished():
        turn = Conversation.told(name, log.read(name)).turn
        wanted = () if turn is None else turn.wanted
        found += [one.approval for one in wanted if one.approval is not None and one.answered is None]
    return [approval for approval in found if approval.expires_at > now]


def approvals(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the questions that wait for you."""
    with log_of(load(config)) as log:
        found = waiting(log, datetime.now(UTC))
        shown = {one.id: question(one, things_of(one.conversation, log.read(one.conversation))) for one in found}
    if as_json:
        print_json([written(one) for one in found])
        return
    console = Console(highlight=False, soft_wrap=True)
    for approval in found:
        console.print(f"{approval.id} · until {approval.expires_at.astimezone():%Y-%m-%d %H:%M}", style="bold")
        console.print(shown[approval.id], markup=False)
        console.print(
            f"isthmus agent approve {approval.id} [--as {'|'.join(offered(approval).values())}]", markup=False
        )
    if not found:
        console.print("Nothing waits for you.")


def approve(
    approval: Annotated[str, typer.Argument(metavar="ID", help="As `isthmus agent approvals` shows it.")],
    verdict: Annotated[
        str, typer.Option("--as", help="approve_once, endorse_value, draft_instead, redact or refuse.")
    ] = "approve_once",
    digest: Annotated[
        str | None, typer.Option("--digest", help="The digest you saw: another question is not answered.")
    ] = None,
    profile: ProfileOption = None,
    url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question, and go on with the turn that waits for it."""
    settings = load(config)
    with log_of(settings) as log:
        asked = _the_one(waiting(log, datetime.now(UTC)), approval)
        shown = question(asked, things_of(asked.conversation, log.read(asked.conversation)))
    known = offered(asked)
    if verdict not in known.values():
        raise InvalidRequest(
            f"{verdict!r} is no answer to that question.", hint=f"The answers are {', '.join(known.values())}."
        )
    if digest is not None and asked.digest != digest:
        raise InvalidRequest("That question is about other arguments.", hint="Look: `isthmus agent approvals`.")
    prepare(settings, url=url)
    if not as_json:
        Console(stderr=True, highlight=False).print(shown, markup=False, soft_wrap=True)
    answered = Answered(approval=asked.id, verdict=cast("Verdict", verdict), by="command", at=datetime.now(UTC))
    outcome: list[Ended] = []

    async def go_on() -> None:
        async with agent_here(settings, profile=profile, url=url) as found:
            errors = Console(stderr=True, highlight=False)
            tell_troubles(errors, found)
            conversation = await found.agent.answer(answered)
            if conversation is None:
                raise InvalidRequest("Nobody waits for that answer any more.")
            outcome.append(await watch(found, found.agent.resume(conversation), errors, as_json=as_json))

    asyncio.run(go_on())
    raise typer.Exit(STATUS[outcome[0].outcome])


def resume(
    conversation: Annotated[str | None, typer.Argument(help="Not said: all that did not end.")] = None,
    profile: ProfileOption = None,
    url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with turns that were cut off, and send what was held and is due."""
    settings = load(config)
    prepare(settings, url=url)
    outcomes: list[Ended] = []

    async def go_on() -> None:
        async with agent_here(settings, profile=profile, url=url) as found:
            errors = Console(stderr=True, highlight=False)
            tell_troubles(errors, found)
            names = await found.agent.unfinished() if conversation is None else [conversation]
            for name in names:
                if not as_json:
                    errors.print(f"conversation {name}", style="dim", markup=False)
                outcomes.append(await watch(found, found.agent.resume(name), errors, as_json=as_json))
            if not names:
                await found.agent.deliver()

    asyncio.run(go_on())
    worst = max((STATUS[one.outcome] for one in outcomes), default=0)
    raise typer.Exit(worst)


def _the_one(found: list[Approval], name: str) -> Approval:
    """The question of that id, or the only one whose id begins so.

    Raises:
        InvalidRequest: there is none, or more than one.
    """
    matching = [one for one in found if one.id == name] or [one for one in found if one.id.startswith(name)]
    if len(matching) != 1:
        told = "No question has" if not matching else "More than one question has"
        raise InvalidRequest(f"{told} the id {name[:40]!r}.", hint="`isthmus agent approvals` shows them.")
    return matching[0]
