"""`isthmus agent explain` and `isthmus agent log`: what happened, why, and who saw what. Nothing is asked or opened."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from isthmus.agent.inert import one_line
from isthmus.agent.ports import EventKind
from isthmus.agent.recorded import written
from isthmus.cli.agent.explained import EVERYTHING, conversation_lines, found
from isthmus.cli.agent.explained import as_json as events_as_json
from isthmus.cli.agent.seen import Sighting, sightings
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import print_json
from isthmus.ledger.agent import SqlEventLog
from isthmus.ledger.fingerprints import installation_key, key_file
from isthmus.ledger.store import open_store
from isthmus.settings import Settings, load


@contextmanager
def log_of(settings: Settings) -> Iterator[SqlEventLog]:
    """The log of the agent."""
    store = open_store(settings.store.url)
    try:
        yield SqlEventLog(store, installation_key(key_file(store.path)))
    finally:
        store.dispose()


def explain(
    name: Annotated[str, typer.Argument(metavar="CALL|TURN", help="Id of a turn, a call or an approval.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what happened in a turn or with a call, and why it was allowed, asked or refused."""
    with log_of(load(config)) as log:
        events = found(log, name)
        if as_json:
            print_json(events_as_json(events))
            return
        for line in conversation_lines(events):
            sys.stdout.write(f"{line}\n")


def log(
    item: Annotated[
        str | None, typer.Argument(help="A thing, by its id or as mail_3; or a conversation. Not said: everything.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell who saw what: models and people, by thing."""
    with log_of(load(config)) as events:
        seen = [
            one
            for name in _conversations(events)
            for one in sightings(name, events.read(name))
            if item is None or item in {one.handle, one.item, one.conversation, one.turn}
        ]
    if as_json:
        print_json([written(one) for one in seen])
        return
    console = Console(highlight=False)
    if not seen:
        console.print("Nobody saw anything." if item is None else "Nobody saw anything of that.", markup=False)
        return
    console.print(_table(seen))


_SERVED: tuple[EventKind, ...] = ("effect_done",)


def _conversations(log: SqlEventLog) -> list[str]:
    """All conversations, the oldest first, and those of programmes that were served by MCP."""
    served = [event.conversation for event in log.across(_SERVED, since=EVERYTHING) if "reader" in event.content]
    return list(dict.fromkeys([*(name for name, _ in reversed(log.conversations())), *served]))


def _table(seen: list[Sighting]) -> Table:
    table = Table("when", "conversation", "turn", "thing", "seen by", "how", "record")
    for one in seen:
        thing = f"{one.handle or one.kind} {one_line(one.item, 40)}".strip() or "your words"
        cells = (f"{one.at.astimezone():%Y-%m-%d %H:%M:%S}", one.conversation, one.turn, thing, one.by, one.how)
        table.add_row(*(Text(one_line(cell, 80)) for cell in (*cells, one.request)))
    return table
