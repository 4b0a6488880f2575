"""A page as text with references: the tree that assistive programmes are told, made short.

Playwright tells the tree as YAML and escapes what the page says, so no text of a page passes for structure here. Its
references begin anew on every page; ours never do, so that an old one cannot come to mean another element.

Source: playwright.dev/python/docs/aria-snapshots, mode `ai`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import yaml

_Node: TypeAlias = "str | dict[str, Any]"

_KEY = re.compile(r'(?P<role>[a-z]+)(?: (?P<name>"(?:[^"\\]|\\.)*"))?(?P<attributes>(?: \[[^\]]*\])*)\Z')
_ATTRIBUTE = re.compile(r"\[([a-z]+)(?:=([^\]]*))?\]")
_ACTED_ON = frozenset(
    {"button", "checkbox", "combobox", "gridcell", "link", "listbox", "menuitem", "menuitemcheckbox", "menuitemradio"}
    | {"option", "radio", "searchbox", "slider", "spinbutton", "switch", "tab", "textbox", "treeitem"}
)
_CELLS = frozenset({"cell", "columnheader", "rowheader"})
_TEXTUAL = _CELLS | {"text", "paragraph", "generic", "emphasis", "strong", "code", "time", "caption", "term"}
_NAMED_BY_CONTENT = _CELLS | {"heading", "row", "rowgroup", "table", "list", "listitem"}
"""Whose name says again what they hold."""
_IN_ONE_LINE = _CELLS | {"paragraph", "listitem", "heading", "row", "caption", "definition", "term"}
_STATES = ("checked", "disabled", "expanded", "pressed", "selected")
_MAX_NAME = 300
_MAX_LINE = 600
_MOST_OPTIONS = 60
_DEEPEST = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element that can be acted on."""

    id: str
    """`e12`: unique in the browser's life."""
    ref: str
    """By which Playwright finds it."""
    role: str
    name: str
    link: str | None = None
    """Where it leads, as the page says it."""


@dataclass(kw_only=True)
class Part:
    """What one frame shows."""

    frame: str | None
    """Playwright's reference of the element that holds the frame. None: the page itself."""
    within: Part | None = None
    """The frame around it."""
    lines: list[str] = field(default_factory=list)
    elements: list[Element] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


class _Key(NamedTuple):
    role: str
    name: str
    attributes: dict[str, str]


class Reading:
    """Reads one tree."""

    def __init__(self, given: int) -> None:
        """Begin.

        Args:
            given: how many references were given out before.
        """
        self.given = given
        self.parts: list[Part] = []

    def read(self, tree: str) -> None:
        """Read a tree as Playwright tells it.

        Raises:
            ValueError: it is none.
        """
        try:
            nodes = yaml.load(tree, Loader=_Loader)  # noqa: S506  # builds nothing but strings, lists and dictionaries
        except yaml.YAMLError as error:
            raise ValueError("the tree of the page cannot be read") from error
        page = Part(frame=None)
        self.parts.append(page)
        page.lines += _short(self._all(nodes if isinstance(nodes, list) else [], page, 0))

    def _all(self, nodes: list[_Node], part: Part, depth: int, *, pointed: bool = False) -> Iterator[str]:
        if depth > _DEEPEST:
            return
        for node in nodes:
            for key, content in [(node, None)] if isinstance(node, str) else node.items():
                if not key.startswith("/"):
                    yield from self._one(key, content, part, depth, pointed=pointed)

    def _one(self, written: str, content: Any, part: Part, depth: int, *, pointed: bool) -> Iterator[str]:
        key = _key(written)
        within: list[_Node] = content if isinstance(content, list) else []
        said = content if isinstance(content, str) else ""
        ref = key.attributes.get("ref")
        if key.role == "iframe":
            if within and ref is not None:
                inner = Part(frame=ref, within=part)
                self.parts.append(inner)
                inner.lines += _short(self._all(within, inner, depth + 1))
                yield "(a frame, shown apart)"
            return
        points = key.attributes.get("cursor") == "pointer"
        if ref is not None and (key.role in _ACTED_ON or (points and not pointed)):
            yield self._element(key, ref, said, within, part)
            if key.role in {"combobox", "listbox"}:
                return
            inner_lines = list(self._all(within, part, depth + 1, pointed=True))
            yield from (line for line in inner_lines if line not in key.name)
            return
        name = "" if within and key.role in _NAMED_BY_CONTENT else key.name
        head = " ".join(filter(None, (name, said)))
        lines = list(self._all(within, part, depth + 1, pointed=pointed))
        if key.role in _IN_ONE_LINE and sum(map(len, lines)) < _MAX_LINE:
            head = (" | " if key.role == "row" else " ").join(filter(None, [head if not lines else said, *lines]))
            lines = []
        if head:
            match key.role:
                case "heading":
                    head = f"# {head}"
                case "listitem":
                    head = f"- {head}"
                case role if role not in _TEXTUAL and role not in _IN_ONE_LINE:
                    head = f"{role}: {head}"
            yield head
        yield from lines

    def _element(self, key: _Key, ref: str, said: str, within: list[_Node], part: Part) -> str:
        self.given += 1
        element = Element(id=f"e{self.given}", ref=ref, role=key.role, name=key.name, link=_link(within))
        part.elements.append(element)
        role = "clickable" if key.role in _TEXTUAL else key.role
        pieces = [role, json.dumps(key.name, ensure_ascii=False) if key.name else "", f"[{element.id}]"]
        pieces += [f"({state})" for state in _STATES if state in key.attributes]
        if key.role in {"combobox", "listbox"}:
            options = [_key(option) for option in within if isinstance(option, str)]
            chosen = [option.name for option in options if "selected" in option.attributes]
            pieces.append(f"= {', '.join(chosen)}" if chosen else "")
            names = [option.name for option in options if option.role == "option"]
            if names:
                more = ", …" if len(names) > _MOST_OPTIONS else ""
                pieces.append(f"of: {', '.join(names[:_MOST_OPTIONS])}{more}")
        elif said and said != key.name:
            pieces.append(f"= {said}" if key.role in {"textbox", "searchbox", "spinbutton", "slider"} else said)
        return " ".join(filter(None, pieces))


class _Loader(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):  # type: ignore[misc]  # the one in C, where there is one
    pass


def _key(written: str) -> _Key:
    if (match := _KEY.match(written)) is None:
        return _Key("text", written[:_MAX_NAME], {})
    name = json.loads(match["name"]) if match["name"] else ""
    attributes = dict(_ATTRIBUTE.findall(match["attributes"]))
    return _Key(match["role"], " ".join(name.split())[:_MAX_NAME], attributes)


def _link(within: list[_Node]) -> str | None:
    for node in within:
        if isinstance(node, dict) and isinstance(found := node.get("/url"), str):
            return found
    return None


def _short(lines: Iterator[str]) -> Iterator[str]:
    """Each text in one line, none empty, none twice in a row."""
    last = ""
    for line in lines:
        one = " ".join(line.split())
        if one and one != last:
            yield one
        last = one
