"""A JSON Schema put into the words that engines can hold a model to.

Engines that constrain what a model writes know a part of JSON Schema, and take the rest in different ways: llama.cpp
refuses a boolean schema or a reference to `#`, overlooks what stands beside `anyOf`, lets a pattern write a string that
is no JSON, and never ends on a schema that nothing satisfies. So a schema is rewritten into a small vocabulary that
all take in the same sense:

    anyOf | $ref (to `#/$defs/<name>`) | enum, each alone
    type, one of seven; with it
        object   properties, required, additionalProperties
        array    items, minItems, maxItems, or prefixItems
        string   pattern, or format, or minLength and maxLength
        integer  minimum, maximum

What is written by the result satisfies the original: where the vocabulary is too coarse, the result is narrower (an
object with named properties takes no others unless the schema says that it does). Only where narrower would be useless
does it become wider (bounds of fractions, `not`, `uniqueItems`, …), and each such keyword is noted. See
https://json-schema.org/draft/2020-12/json-schema-core and json-schema-validation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

from isthmus.dialects.emulation.patterns import plain_pattern
from isthmus.domain.errors import InvalidRequest
from isthmus.domain.message import Json

Schema = dict[str, Json]
Note = Callable[[str], None]
"""Is told each keyword that the result does not hold."""

_TYPES: Final = ("object", "array", "string", "number", "integer", "boolean", "null")
_ANYTHING: Final[Mapping[str, Json]] = {"anyOf": [{"type": name} for name in _TYPES if name != "integer"]}
_NOTHING: Final[Mapping[str, Json]] = {"anyOf": []}

_KEYWORDS: Final[Mapping[str, frozenset[str]]] = {
    "object": frozenset(
        {
            *("properties", "required", "additionalProperties", "patternProperties", "propertyNames", "minProperties"),
            *("maxProperties", "dependentRequired", "dependentSchemas", "dependencies", "unevaluatedProperties"),
        }
    ),
    "array": frozenset(
        {
            *("items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems", "contains"),
            *("minContains", "maxContains", "unevaluatedItems"),
        }
    ),
    "string": frozenset({"pattern", "format", "minLength", "maxLength"}),
    "number": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}),
}
"""What says something about values of one type only."""
_COMBINING: Final = frozenset({"$ref", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "enum", "const", "type"})
_ASSERTING: Final = _COMBINING.union(*_KEYWORDS.values())

_FORMATS: Final = frozenset({"date", "time", "date-time", "uuid"})
_MOST_REPETITIONS: Final = 2000
"""Of characters or items; beyond it engines refuse, or build grammars too large to work with."""
_LARGEST_INTEGER: Final = 10**15
"""Engines write integers of 16 digits at most."""
_MOST_BRANCHES: Final = 64
"""Of two alternatives joined with *and*."""
_MOST_PARTS: Final = 20_000
"""Schemas within one schema, alternatives joined with alternatives counted as often as they are."""
_LARGEST_NUMBER: Final = 1e300
_MOST_MERGES: Final = 32
"""References inlined within each other; a recursive `allOf` has no end."""


class Definitions:
    """The definitions of the schema that the others are put into."""

    def __init__(self) -> None:
        self.nodes: dict[str, Schema] = {}

    def constrained(self, document: Mapping[str, Json], name: str, note: Note) -> Schema:
        """A schema in the vocabulary; what it refers to becomes definitions whose names begin with `name`.

        Args:
            document: a whole schema: `#` refers to it.
            name: letters and digits, another one for each document.
            note: is told each keyword that is not held.

        Raises:
            InvalidRequest: it is no schema, or refers to what it does not hold.
        """
        return _Document(document, name, self.nodes, note).node(document)

    def satisfiable(self, schema: Schema) -> bool:
        """Whether anything satisfies a schema that was made here."""
        return _satisfiable(schema, self._alive())

    def finish(self, schema: Schema) -> Schema | None:
        """The whole schema, definitions included, without what nothing satisfies; None: nothing satisfies any of it."""
        alive = self._alive()
        if not _satisfiable(schema, alive):
            return None
        whole = _pruned(schema, alive)
        if alive:
            whole["$defs"] = {name: _pruned(node, alive) for name, node in self.nodes.items() if name in alive}
        return whole

    def _alive(self) -> set[str]:
        """Definitions that something finite satisfies: the least fixed point, so none that needs itself."""
        alive: set[str] = set()
        while born := {name for name, node in self.nodes.items() if name not in alive and _satisfiable(node, alive)}:
            alive |= born
        return alive


def any_of(branches: Sequence[Schema]) -> Schema:
    return branches[0] if len(branches) == 1 else {"anyOf": list(branches)}


# ------------------------------------------------------------------------------------------------ one whole schema


class _Document:
    def __init__(self, root: Mapping[str, Json], name: str, nodes: dict[str, Schema], note: Note) -> None:
        self._root = root
        self._name = name
        self._nodes = nodes
        self._note = note
        self._names: dict[str, str] = {}
        self._merges = 0
        self._parts = 0

    def node(self, schema: Json) -> Schema:
        if schema is True:
            return dict(_ANYTHING)
        if schema is False:
            return dict(_NOTHING)
        self._check(schema)
        asserted = {key: value for key, value in schema.items() if key in _ASSERTING}
        for key in ("not", "if", "then", "else"):
            if asserted.pop(key, None) is not None and key in ("not", "if"):
                self._note(key)
        if not asserted:
            return dict(_ANYTHING)
        if "$ref" in asserted:
            if len(asserted) == 1:
                return self._reference(asserted["$ref"])
            return self._node_of_all([self._target(asserted.pop("$ref")), asserted])
        if "allOf" in asserted:
            parts = asserted.pop("allOf")
            return self._node_of_all([*parts, asserted] if asserted else parts)
        for key in ("anyOf", "oneOf"):
            if key in asserted:
                branches = asserted.pop(key)
                return any_of(
                    [self.node(branch) if not asserted else self._both(asserted, branch) for branch in branches]
                )
        if "enum" in asserted or "const" in asserted:
            return self._values(asserted)
        return self._of_types(asserted)

    def _check(self, schema: Json) -> None:
        """That it is a schema whose keywords have values of the right shape; what is in them is checked in its turn."""
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise InvalidRequest("A schema is too large.")
        if not isinstance(schema, dict):
            raise InvalidRequest("A schema holds something else where a schema should be.")
        for key, is_right in _SHAPES.items():
            if key in schema and not is_right(schema[key]):
                raise InvalidRequest(f"`{key}` in a schema has a value that it cannot have.")

    # ---- references

    def _reference(self, ref: Json) -> Schema:
        target = self._target(ref)
        if ref not in self._names:
            self._names[ref] = f"{self._name}d{len(self._names)}"
            self._nodes[self._names[ref]] = self.node(target)
        return {"$ref": f"#/$defs/{self._names[ref]}"}

    def _target(self, ref: Json) -> Json:
        """What a reference names. A JSON pointer (RFC 6901) in a fragment, or `#`."""
        if not isinstance(ref, str) or not (ref == "#" or ref.startswith("#/")):
            raise InvalidRequest(f"A schema refers to {str(ref)[:80]!r}; only references into itself are followed.")
        found: Json = self._root
        for token in unquote(ref[1:]).split("/")[1:]:
            key = token.replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict) and key in found:
                found = found[key]
            elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            else:
                raise InvalidRequest(f"A schema refers to {ref[:80]!r}, which it does not hold.")
        return found

    # ---- several schemas at once

    def _both(self, schema: Json, other: Json) -> Schema:
        return self._node_of_all([schema, other])

    def _node_of_all(self, schemas: Sequence[Json]) -> Schema:
        """What satisfies all of them: they are merged into one."""
        self._merges += 1
        try:
            if self._merges > _MOST_MERGES:
                raise InvalidRequest("A schema joins itself with itself without end.")
            merged: Json = schemas[0]
            for schema in schemas[1:]:
                merged = self._merged(merged, schema)
            return self.node(merged)
        finally:
            self._merges -= 1

    def _merged(self, one: Json, other: Json) -> Json:
        if one is True or other is True:
            return other if one is True else one
        if one is False or other is False:
            return False
        self._check(one)
        self._check(other)
        for schema, beside in ((one, other), (other, one)):
            if "$ref" in schema:
                rest = {key: value for key, value in schema.items() if key != "$ref"}
                self._merges += 1
                if self._merges > _MOST_MERGES:
                    raise InvalidRequest("A schema joins itself with itself without end.")
                joined = self._merged(self._merged(self._target(schema["$ref"]), rest), beside)
                self._merges -= 1
                return joined
            if "allOf" in schema:
                rest = {key: value for key, value in schema.items() if key != "allOf"}
                for part in schema["allOf"]:
                    rest = self._merged(rest, part)
                return self._merged(rest, beside)
        merged = dict(one)
        for key, value in other.items():
            if key == "const" and key in merged and not _equal(merged[key], value):
                return False
            if key not in merged or merged[key] == value:
                merged[key] = value
            elif key in _ASSERTING:
                merged[key] = self._joined(key, merged[key], value)
        if merged.get("type") == []:
            return False
        return self._with_closed_doors(merged, one, other)

    def _joined(self, key: str, one: Json, other: Json) -> Json:
        """What satisfies both values of a keyword."""
        match key:
            case "type":
                return [name for name in _TYPES if _has_type(name, one) and _has_type(name, other)]
            case "required":
                return list(dict.fromkeys([*one, *other]))
            case "properties":
                both = {name: {"allOf": [one[name], other[name]]} for name in one if name in other}
                return {**one, **other, **both}
            case "items" | "additionalProperties" if not (isinstance(one, list) or isinstance(other, list)):
                return self._merged(one, other)
            case "enum":
                return [value for value in one if any(_equal(value, another) for another in other)]
            case "minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties":
                return max(one, other)
            case "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties":
                return min(one, other)
            case "anyOf" | "oneOf":
                pairs = [{"allOf": [left, right]} for left in one for right in other]
                if len(pairs) > _MOST_BRANCHES:
                    raise InvalidRequest("A schema joins too many alternatives with others.")
                return pairs
            case _:
                self._note(key)
                return one

    @staticmethod
    def _with_closed_doors(merged: Schema, one: Schema, other: Schema) -> Schema:
        """A property that only one of two schemas names is no property where the other takes no more."""
        for closed, beside in ((one, other), (other, one)):
            if closed.get("additionalProperties") is False:
                own = closed.get("properties") or {}
                for name in beside.get("properties") or {}:
                    if name not in own:
                        merged["properties"] = {**merged["properties"], name: False}
        return merged

    # ---- values and types

    def _values(self, schema: Schema) -> Schema:
        values = schema["enum"] if "enum" in schema else [schema["const"]]
        if "enum" in schema and "const" in schema:
            values = [value for value in values if _equal(value, schema["const"])]
        types = self._types(schema)
        fitting = [value for value in values if any(_is_of(value, name) for name in types)]
        bounds = {key: value for key, value in schema.items() if key not in ("enum", "const", "type")}
        if bounds:
            fitting = [value for value in fitting if self._within(value, bounds)]
        return {"enum": fitting} if fitting else dict(_NOTHING)

    def _within(self, value: Json, bounds: Schema) -> bool:
        """Whether a listed value keeps to lengths and bounds beside the list."""
        low, high = ("minLength", "maxLength") if isinstance(value, str) else ("minimum", "maximum")
        size = len(value) if isinstance(value, str) else value
        if isinstance(size, bool) or not isinstance(size, int | float):
            return True
        return bool(bounds.get(low, size) <= size <= bounds.get(high, size))

    def _types(self, schema: Schema) -> list[str]:
        told = schema.get("type")
        if told is None:
            implied = [name for name, keywords in _KEYWORDS.items() if keywords & schema.keys()]
            return implied if implied and not {"enum", "const"} & schema.keys() else list(_TYPES)
        names = _as_list(told)
        for name in names:
            if name not in _TYPES:
                raise InvalidRequest(f"A schema has the type {str(name)[:40]!r}, which JSON Schema does not know.")
        return names

    def _of_types(self, schema: Schema) -> Schema:
        makers: Mapping[str, Callable[[Schema], Schema]] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": self._integer,
            "number": self._number,
        }
        names = self._types(schema)
        return any_of([makers[name](schema) if name in makers else {"type": name} for name in names])

    def _object(self, schema: Schema) -> Schema:
        properties, required = schema.get("properties", {}), schema.get("required", [])
        more = schema.get("additionalProperties")
        for key in ("dependentRequired", "dependentSchemas", "dependencies"):
            if key in schema:
                self._note(key)
        if not _KEYWORDS["object"] & schema.keys():
            return {"type": "object"}
        named = {name: self.node(one) for name, one in properties.items()}
        for name in required:
            if name not in named:
                named[name] = self.node(True if more is None else more)
        held: Schema = {"type": "object", "properties": named, "required": [name for name in named if name in required]}
        narrow = "patternProperties" in schema or "propertyNames" in schema or "unevaluatedProperties" in schema
        open_ended = more not in (None, False) and not narrow and all(map(_is_plain_name, named))
        held["additionalProperties"] = self.node(more) if open_ended else False
        if schema.get("minProperties", 0) > len(held["required"]):
            self._note("minProperties")
        most = schema.get("maxProperties", math.inf)
        if most < len(held["required"]):
            return dict(_NOTHING)
        if most == len(held["required"]):  # no room for what may be left out
            held["properties"] = {name: named[name] for name in held["required"]}
            held["additionalProperties"] = False
        elif most < (math.inf if open_ended else len(named)):
            self._note("maxProperties")
        return held

    def _array(self, schema: Schema) -> Schema:
        for key in ("uniqueItems", "contains"):
            if schema.get(key):
                self._note(key)
        first, rest = schema.get("prefixItems"), schema.get("items", True)
        if isinstance(rest, list):  # as drafts before 2020-12 say it
            first, rest = rest, schema.get("additionalItems", True)
        least, most = self._repetitions(schema, "minItems", "maxItems")
        if most is not None and least > most:
            return dict(_NOTHING)
        if not first:
            held: Schema = {"type": "array", "items": self.node(rest)}
            return held | ({"minItems": least} if least else {}) | ({} if most is None else {"maxItems": most})
        length = max(least, len(first) if most is None else min(len(first), most))
        items = [*first, *[rest] * (length - len(first))][:length]
        return {"type": "array", "prefixItems": [self.node(item) for item in items]}

    def _string(self, schema: Schema) -> Schema:
        least, most = self._repetitions(schema, "minLength", "maxLength")
        if most is not None and least > most:
            return dict(_NOTHING)
        bounds: Schema = ({"minLength": least} if least else {}) | ({} if most is None else {"maxLength": most})
        if "pattern" in schema:
            pattern = plain_pattern(schema["pattern"])
            if pattern is not None:
                for key in bounds:  # engines overlook lengths beside a pattern
                    self._note(key)
                return {"type": "string", "pattern": pattern}
            self._note("pattern")
        if not bounds and schema.get("format") in _FORMATS:
            return {"type": "string", "format": schema["format"]}
        return {"type": "string"} | bounds

    def _repetitions(self, schema: Schema, low: str, high: str) -> tuple[int, int | None]:
        least, most = schema.get(low, 0), schema.get(high)
        if most is not None and most > _MOST_REPETITIONS:
            self._note(high)
            most = None
        if least > _MOST_REPETITIONS:
            self._note(low)
            least = 0
        return int(least), None if most is None else int(most)

    def _integer(self, schema: Schema) -> Schema:
        if schema.get("multipleOf", 1) != 1:
            self._note("multipleOf")
        low, high = _bounds(schema, whole=True)
        if low > high:
            return dict(_NOTHING)
        held: Schema = {"type": "integer"}
        for key, bound, limit in (("minimum", low, -_LARGEST_INTEGER), ("maximum", high, _LARGEST_INTEGER)):
            if math.isfinite(bound):
                if abs(bound) <= _LARGEST_INTEGER:
                    held[key] = math.ceil(bound) if key == "minimum" else math.floor(bound)
                elif (bound > limit) == (key == "minimum"):  # a bound no written integer reaches holds by itself
                    self._note(key)
        if held.get("minimum", -math.inf) > held.get("maximum", math.inf):
            return dict(_NOTHING)
        return held

    def _number(self, schema: Schema) -> Schema:
        low, high = _bounds(schema, whole=False)
        if low > high:
            return dict(_NOTHING)
        for key in sorted(_KEYWORDS["number"] & schema.keys()):
            self._note(key)
        return {"type": "number"}


def _bounds(schema: Schema, *, whole: bool) -> tuple[float, float]:
    """Least and largest value; whole: of integers. Bounds of fractions that are exclusive count as if they were not."""
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    over, under = schema.get("exclusiveMinimum", -math.inf), schema.get("exclusiveMaximum", math.inf)
    over = low if over is True else -math.inf if over is False else over  # true and false: as draft 4 says it
    under = high if under is True else math.inf if under is False else under
    if whole:
        over = over if math.isinf(over) else math.floor(over) + 1
        under = under if math.isinf(under) else math.ceil(under) - 1
    return max(low, over), min(high, under)


def _as_list(value: Json) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _has_type(name: str, types: Json) -> bool:
    return name in _as_list(types) or (name == "integer" and "number" in _as_list(types))


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST_NUMBER


def _is_count(value: Json) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)


def _is_bound(value: Json) -> bool:
    return isinstance(value, bool) or _is_number(value)


def _is_names(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_object(value: Json) -> bool:
    return isinstance(value, dict)


def _is_list(value: Json) -> bool:
    return isinstance(value, list)


def _is_some(value: Json) -> bool:
    return isinstance(value, list) and bool(value)


_SHAPES: Final[Mapping[str, Callable[[Json], bool]]] = {
    **dict.fromkeys(("allOf", "anyOf", "oneOf"), _is_some),
    **dict.fromkeys(("enum", "prefixItems"), _is_list),
    **dict.fromkeys(("minimum", "maximum", "multipleOf"), _is_number),
    **dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum"), _is_bound),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _is_count),
    **dict.fromkeys(("format", "pattern"), lambda value: isinstance(value, str)),
    "properties": _is_object,
    "required": _is_names,
    "type": lambda value: isinstance(value, str) or (_is_names(value) and bool(value)),
}
"""Of the keywords whose values are taken apart here. Draft 4 says `exclusiveMinimum` with true and false."""


def _is_plain_name(name: str) -> bool:
    """llama.cpp builds a character class of the names of an object that takes others too."""
    return name.isascii() and name.replace("_", "a").isalnum()


def _is_of(value: Json, name: str) -> bool:
    match value:
        case None:
            return name == "null"
        case bool():
            return name == "boolean"
        case int():
            return name in ("integer", "number")
        case float():
            return name == "number" or (name == "integer" and value.is_integer())
        case str():
            return name == "string"
        case list():
            return name == "array"
        case _:
            return name == "object"


def _equal(one: Json, other: Json) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


# --------------------------------------------------------------------------------------- what nothing satisfies


def _satisfiable(node: Schema, alive: set[str]) -> bool:
    """Whether something satisfies a schema of the vocabulary, by what is known of the definitions so far."""
    if "$ref" in node:
        return _name_in(node) in alive
    if "anyOf" in node:
        return any(_satisfiable(branch, alive) for branch in node["anyOf"])
    return all(_satisfiable(part, alive) for part in _needed(node))


def _needed(node: Schema) -> Iterator[Schema]:
    for name in node.get("required", ()):
        yield node["properties"][name]
    yield from node.get("prefixItems", ())
    if node.get("minItems", 0):
        yield node["items"]


def _pruned(node: Schema, alive: set[str]) -> Schema:
    """A schema that something satisfies, without the parts that nothing does."""
    if "anyOf" in node:
        return any_of([_pruned(branch, alive) for branch in node["anyOf"] if _satisfiable(branch, alive)])
    pruned = dict(node)
    if "properties" in node:
        pruned["properties"] = {
            name: _pruned(one, alive) for name, one in node["properties"].items() if _satisfiable(one, alive)
        }
    for key, instead in (("additionalProperties", False), ("items", None)):
        part = node.get(key)
        if isinstance(part, dict):
            pruned[key] = _pruned(part, alive) if _satisfiable(part, alive) else instead
    if "prefixItems" in node:
        pruned["prefixItems"] = [_pruned(item, alive) for item in node["prefixItems"]]
    if pruned.get("items", True) is None:  # no item can be written: an empty array can
        return {"type": "array", "items": {"type": "null"}, "maxItems": 0}
    return pruned


def _name_in(node: Schema) -> str:
    return str(node["$ref"]).removeprefix("#/$defs/")
