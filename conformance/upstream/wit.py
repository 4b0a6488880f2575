"""What the stand-ins say: enough sense to do the tasks that the suites set, and the same every time.

No model, but rules that can be read: a tool is called when it must be, or when a word of its name is in the question;
its arguments, like the fields of an answer by a schema, are filled from the numbers, quotations and names in what was
said. The rules know no vendor and no client.
"""

from __future__ import annotations

import re
from itertools import count
from typing import Any

import msgspec
from tests.fakes.stand_in import Asked, Said

_WORD = re.compile(r"[^\W\d_]{4,}")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_QUOTED = re.compile(r"'([^']+)'|\"([^\"]+)\"")
_NAME = re.compile(r"(?<=[ (])(?:[A-Z][a-z]+)(?: [A-Z][a-z]+)*")
"""Capitalised words, but for the first of the text."""
_calls = count(1)


def answer(asked: Asked) -> Said:
    """What a sensible model would say, in one of the few ways there are."""
    said = Said(thought="They ask; I answer." if asked.thinks else "")
    results = [_unwrapped(result) for result in asked.results]
    heard = " ".join((asked.text, *results))
    if names := _called(asked):
        said.calls = [(f"call_{next(_calls):06}", name, Filling(heard).value(asked.tools[name])) for name in names]
    elif asked.schema is not None:
        said.text = msgspec.json.encode(Filling(heard).value(asked.schema)).decode()
    elif asked.json:
        said.text = msgspec.json.encode({one or other: "isthmus" for one, other in _QUOTED.findall(heard)}).decode()
    elif results:
        said.text = "The tools said: " + "; ".join(results)
    elif asked.images:
        said.text = f"I see {len(asked.images)} image(s) of {', '.join(map(str, asked.images))} bytes."
    else:
        said.text = f"You said: {asked.text}"
    return said


def _called(asked: Asked) -> list[str]:
    """Names of the tools to call; of those that must be called, the last once there are results: it ends the task."""
    if asked.results:
        return list(asked.tools)[-1:] if asked.must_call else []
    heard = {word.lower() for word in _WORD.findall(asked.text.replace("_", " "))}
    meant = [name for name in asked.tools if heard & {word.lower() for word in _WORD.findall(name.replace("_", " "))}]
    exact = [name for name in asked.tools if re.search(rf"\b{re.escape(name)}\b", asked.text)]
    wanted = exact or meant or (list(asked.tools)[:1] if asked.must_call else [])
    return wanted if asked.parallel else wanted[:1]


def _unwrapped(result: str) -> str:
    """What a tool said, out of the object of one field that some clients wrap it in."""
    try:
        told = msgspec.json.decode(result)
    except msgspec.DecodeError:
        return result
    values = list(told.values()) if isinstance(told, dict) else []
    return values[0] if len(values) == 1 and isinstance(values[0], str) else result


class Filling:
    """Values for a schema, from what was said: each number, quotation and name is used once, then the last again."""

    def __init__(self, heard: str) -> None:
        self._heard = heard
        self._numbers = _NUMBER.findall(heard)
        self._texts = [one or other for one, other in _QUOTED.findall(heard)] or _NAME.findall(heard)

    def value(self, schema: Any, root: Any = None) -> Any:
        """A value that the schema allows."""
        root = schema if root is None else root
        if not isinstance(schema, dict):
            return {}
        if "$ref" in schema:
            return self.value(_resolved(root, schema["$ref"]), root)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return next((one for one in schema["enum"] if str(one).lower() in self._heard.lower()), schema["enum"][0])
        for name in ("anyOf", "oneOf", "allOf"):
            if schema.get(name):
                return self.value(schema[name][0], root)
        kind = schema.get("type", "object")
        match (kind[0] if isinstance(kind, list) else kind).lower():
            case "string":
                return self._next(self._texts, "isthmus")
            case "integer":
                return int(float(self._next(self._numbers, "1")))
            case "number":
                return float(self._next(self._numbers, "1"))
            case "boolean":
                return True
            case "array":
                return [self.value(schema.get("items", {"type": "string"}), root)]
            case "null":
                return None
            case _:
                return {name: self.value(inner, root) for name, inner in schema.get("properties", {}).items()}

    def _next(self, found: list[str], otherwise: str) -> str:
        if not found:
            return otherwise
        return found.pop(0) if len(found) > 1 else found[0]


def _resolved(root: Any, ref: str) -> Any:
    found = root
    for name in ref.removeprefix("#/").split("/"):
        found = found[name]
    return found
