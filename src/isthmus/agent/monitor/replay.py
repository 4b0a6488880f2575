"""Decisions from the log alone: what is written of each, and making it again.

A record holds all that `judge` was given, so that anybody can ask the same question later, with other code or another
policy too. Of long texts it keeps only the addresses in them: nothing else of a long text ever decides.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

from isthmus.agent.monitor.endorsing import Case
from isthmus.agent.monitor.judging import Allowed, Ask, Judgement, judge
from isthmus.agent.monitor.shelf import Shelf
from isthmus.agent.monitor.words import addresses
from isthmus.agent.ports import LoggedEvent
from isthmus.agent.tool import Field, Item, Value

_LONG = 200
"""Characters. A text that is longer is no name of anything (`meaning`), so only the addresses in it matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A decision that comes out otherwise when it is made again."""

    seq: int
    call: str
    was: str
    is_now: str


def record(case: Case, judgement: Judgement) -> dict[str, Any]:
    """What a `judged` event keeps: JSON."""
    shelf = case.branch.shelf
    short = Shelf(tuple(replace(shown, item=_short(shown.item)) for shown in shelf.shown), shelf.given)
    kept = replace(case, branch=replace(case.branch, shelf=short))
    return {"call": case.call.id, "outcome": outcome(judgement), "case": written(kept)}


def outcome(judgement: Judgement) -> str:
    """A judgement in a line that is the same whenever it is the same."""
    match judgement:
        case Allowed(grant):
            return f"allowed {grant.digest}"
        case Ask(approval):
            return f"ask {approval.id} {' '.join(sorted({why.code for why in approval.why}))}"
        case _:
            return f"refused {' '.join(sorted({why.code for why in judgement.why}))}"


def replay(events: Iterable[LoggedEvent]) -> list[Difference]:
    """Make all decisions of a log again.

    Returns:
        Those that come out otherwise; empty where the log tells the truth and the code decides as it did.
    """
    differences = []
    for event in events:
        if event.kind != "judged" or "case" not in event.content:
            continue
        case: Case = readout(Case, event.content["case"])
        now = outcome(again(case))
        if now != event.content["outcome"]:
            differences.append(
                Difference(seq=event.seq, call=case.call.id, was=str(event.content["outcome"]), is_now=now)
            )
    return differences


def again(case: Case) -> Judgement:
    return judge(case.call, case.branch, case.intents, case.endorsements, case.policy, case.now)


def _short(item: Item) -> Item:
    fields = {name: _shortened(one) for name, one in item.fields.items()}
    return replace(item, fields=fields, items=tuple(_short(inner) for inner in item.items))


def _shortened(one: Field) -> Field:
    if one.kind != "text" or not isinstance(one.value, str) or len(one.value) <= _LONG:
        return one
    said = " ".join(token.said for token in addresses(one.value))
    return replace(one, value=f"{said:<{_LONG + 1}}")


# ---------------------------------------------------------------------------------------------- values as JSON


def written(value: object) -> Any:
    """A value of the monitor's as JSON."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Decimal():
            return {"$decimal": str(value)}
        case datetime():
            return {"$time": value.isoformat()}
        case date():
            return {"$date": value.isoformat()}
        case frozenset():
            return sorted(written(one) for one in value)
        case list() | tuple():
            return [written(one) for one in value]
        case Mapping():
            return {str(key): written(one) for key, one in value.items()}
    if dataclasses.is_dataclass(value):
        return {one.name: written(getattr(value, one.name)) for one in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} is no value of the monitor's")


def readout(kind: Any, data: Any) -> Any:
    """The value of a type that JSON from `written` holds."""
    if isinstance(kind, NewType):
        return readout(kind.__supertype__, data)
    if isinstance(data, dict) and len(data) == 1 and (plain := _plain(data)) is not None:
        return plain
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in (Any, Value) or origin is Literal or kind in (str, int, float, bool, type(None)):
        return data
    if origin in (Union, types.UnionType):
        inner = [one for one in arguments if one is not type(None)]
        return None if data is None else readout(inner[0], data) if len(inner) == 1 else data
    if origin is frozenset:
        return frozenset(readout(arguments[0], one) for one in data)
    if origin is tuple:
        return tuple(readout(arguments[0], one) for one in data)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: readout(hints[name], one) for name, one in data.items()})
    if origin is not None and isinstance(data, dict):
        return {readout(arguments[0], key): readout(arguments[1], one) for key, one in data.items()}
    if isinstance(data, list):
        return tuple(readout(arguments[0], one) for one in data)
    return data


def _plain(data: Mapping[str, Any]) -> Decimal | date | None:
    match data:
        case {"$decimal": str(text)}:
            return Decimal(text)
        case {"$time": str(text)}:
            return datetime.fromisoformat(text)
        case {"$date": str(text)}:
            return date.fromisoformat(text)
    return None


@lru_cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)
