"""The texts of a request, wherever they stand, with their places.

The walk knows nothing of a dialect's fields but the few names that tell a message, a role and a prompt's frame: every
string of the body is a passage, also where a field is unknown, also inside tool arguments, also the names of fields.
What no detector can read (images, audio, files by value) is told as such.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from isthmus.domain.errors import InvalidRequest
from isthmus.domain.label import Label, label
from isthmus.domain.value import quick_value

Json: TypeAlias = Any
Path: TypeAlias = tuple[str | int, ...]

PART_LABELS = frozenset({"isthmus_labels", "isthmus-labels"})
"""Field of a message or a part of one in which a client declares labels for just that. Taken out before sending."""
_NOT_OF_METADATA = frozenset({"isthmus_labels"})

_FRAME = frozenset(
    {
        "functions",
        "generationConfig",
        "instructions",
        "model",
        "output_config",
        "response_format",
        "system",
        "systemInstruction",
        "system_instruction",
        "text",
        "toolConfig",
        "tool_choice",
        "tool_config",
        "tools",
    }
)
"""Fields of a body that frame a conversation and are not part of it."""

_CONVERSATION = frozenset({"messages", "contents", "content", "input", "requests"})
_WRAPPED = "generateContentRequest"
"""Field of a body that holds a whole other one (Gemini's countTokens)."""
_FRAME_ROLES = frozenset({"system", "developer"})
_STRUCTURE = frozenset({"call_id", "id", "model", "name", "role", "taskType", "tool_call_id", "tool_use_id", "type"})
_PROOFS = frozenset({"encrypted_content", "signature", "thoughtSignature", "thought_signature"})
"""Fields of what a provider gave and wants back unchanged: looked at, and never replaced in."""
_TEXT_KEY = 24
"""Names of fields of at least this many characters, or with a character that no field of a dialect has, are looked at
as texts too."""
_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_LONG_NUMBER = 10**5
_DATA_URL = re.compile(r"data:(?!text/|application/json)[\w.+-]+/[\w.+-]+[;,]", re.IGNORECASE)
_BINARY_KEYS = frozenset({"data", "file_data"})
_BINARY_MARKS = frozenset({"mimeType", "mime_type", "media_type", "format", "filename"})
_BASE64 = re.compile(r"[A-Za-z0-9+/_=\s-]*\Z")
_ELSEWHERE = frozenset(
    {
        "cachedContent",
        "cached_content",
        "fileData",
        "file_data",
        "file_id",
        "file_url",
        "image_url",
        "input_audio",
    }
)
"""Fields that hold content which lies elsewhere, or is no text."""


@quick_value()
class Passage:
    """One text of a request."""

    path: Path
    text: str
    message: int | None
    """Number of the run of messages of one role it belongs to; None: it belongs to none."""
    frame: bool
    """It is part of the system prompt, the tools or the options, not of what was said."""
    declared: frozenset[Label]
    """Labels the client declared for the part it stands in."""
    fixed: bool = False
    """It is a name of a field or a number: it cannot be replaced in its place."""

    @property
    def is_said(self) -> bool:
        """Whether it is something somebody said, not the name of a role, a type or a tool."""
        return self.message is not None and not self.fixed and self.path[-1] not in _STRUCTURE


@dataclass(slots=True)
class Passages:
    """What stands in a body."""

    texts: list[Passage]
    unreadable: list[Path]
    """Places of content that cannot be read."""
    stripped: bool = False
    """Whether labels of parts were taken out of the body, so that it must be written anew."""


def where(path: Path) -> str:
    """A place for people: `messages[2].content[0].text`. Long names, which clients make up, are cut."""
    out = ""
    for step in path:
        if isinstance(step, int):
            out += f"[{step}]"
        else:
            name = step if len(step) <= _TEXT_KEY and _PLAIN_KEY.match(step) else "(a name)"
            out += f".{name}" if out else name
    return out


def read_body(body: bytes) -> Json:
    """A body, decoded.

    Raises:
        InvalidRequest: an object in it says a name twice. Parsers differ in which of the two they take, so that what is
            looked at here might not be what an offer reads. Or it cannot be read at all.
    """
    try:
        json.loads(body, object_pairs_hook=_once)  # 5 µs a kilobyte; msgspec keeps the last of two and does not tell
        return msgspec.json.decode(body)
    except (RecursionError, ValueError, msgspec.MsgspecError) as exc:  # too deep, digits by the thousand, no JSON
        raise InvalidRequest("The body is no JSON that can be looked at.") from exc


def _once(pairs: list[tuple[str, Json]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise InvalidRequest("An object in the body says a name twice.", hint="Say it once.")


def passages(body: Json) -> Passages:
    """The texts of a decoded body, in order. Labels of parts are taken out of `body` on the way.

    Raises:
        InvalidRequest: labels of a part are not a list of labels.
    """
    found = Passages([], [])
    if isinstance(body, dict):
        _walk_body(found, body, (), frozenset())
    return found


def _walk_body(found: Passages, body: dict[str, Json], at: Path, declared: frozenset[Label]) -> None:
    declared |= _taken_out(found, body, at, PART_LABELS)
    for name, value in body.items():
        path = (*at, name)
        if name == _WRAPPED and isinstance(value, dict):
            _walk_body(found, value, path, declared)
        elif name not in _CONVERSATION:
            _walk(found, value, path, None, name in _FRAME, declared)
        elif not isinstance(value, list) or _is_tokens(value):
            _walk(found, value, path, 0, False, declared)
        else:
            run, role = -1, None
            for index, message in enumerate(value):
                spoken = message.get("role") if isinstance(message, dict) else None
                if spoken != role or run < 0:
                    run, role = run + 1, spoken
                _walk(found, message, (*path, index), run, spoken in _FRAME_ROLES, declared)


def _walk(
    found: Passages, value: Json, path: Path, message: int | None, frame: bool, declared: frozenset[Label]
) -> None:
    # Recursion is bounded: the JSON decoder refuses what is nested deeper than 1,000.
    if isinstance(value, str):
        if value:
            if _DATA_URL.match(value):
                found.unreadable.append(path)
            else:
                found.texts.append(Passage(path, value, message, frame, declared))
    elif isinstance(value, dict):
        # One step down, `isthmus-labels` stands in `metadata`, where the dialect reads it.
        declared |= _taken_out(found, value, path, PART_LABELS if len(path) > 1 else _NOT_OF_METADATA)
        binary = _is_binary(value)
        for name, inner in value.items():
            if len(name) >= _TEXT_KEY or not _PLAIN_KEY.match(name):
                found.texts.append(Passage((*path, name), name, message, frame, declared, fixed=True))
            if name in _PROOFS and isinstance(inner, str):
                found.texts.append(Passage((*path, name), inner, message, frame, declared, fixed=True))
                continue
            if frame and path[-1] == "properties":
                pass  # the name of an argument that a tool takes, in its schema, not content
            elif (name in _ELSEWHERE and not (isinstance(inner, dict) and "data" in inner)) or (
                name == "url" and value.get("type") == "url"  # the source of an image or document of Anthropic's
            ):
                found.unreadable.append((*path, name))
            if binary and name in _BINARY_KEYS and isinstance(inner, str) and _BASE64.match(inner):
                found.unreadable.append((*path, name))
            else:
                _walk(found, inner, (*path, name), message, frame, declared)
    elif isinstance(value, list):
        if path[0] == "input" and _is_tokens(value):
            found.unreadable.append(path)
            return
        for index, inner in enumerate(value):
            _walk(found, inner, (*path, index), message, frame, declared)
    elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= _LONG_NUMBER:
        found.texts.append(Passage(path, str(value), message, frame, declared, fixed=True))


def _is_tokens(value: list[Json]) -> bool:
    """Whether a list is a text as the numbers of its tokens, which no detector can read (`input` of embeddings)."""
    return bool(value) and all(type(one) is int for one in value)


def _is_binary(value: Mapping[str, Json]) -> bool:
    """Whether a part holds content by value that is no text."""
    kinds = [value[name] for name in _BINARY_MARKS if name in value]
    return bool(kinds) and not any(str(kind).startswith(("text/", "application/json")) for kind in kinds)


def _taken_out(found: Passages, value: dict[str, Json], path: Path, names: frozenset[str]) -> frozenset[Label]:
    """The labels declared in an object for all that is in it; they are taken out."""
    declared: frozenset[Label] = frozenset()
    for name in names & value.keys():
        declared |= _declared(value.pop(name), path)
        found.stripped = True
    return declared


def _declared(value: Json, path: Path) -> frozenset[Label]:
    names = value.split(",") if isinstance(value, str) else value
    try:
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("it takes a list of names")
        return frozenset(label(name.strip()) for name in names)
    except ValueError as exc:
        raise InvalidRequest(f"The labels of a part are not labels: {exc}.", param=where(path)) from exc


def replaced(body: Json, texts: Mapping[Path, str]) -> Json:
    """The body with other texts in some places. Shares what is unchanged with the old one."""
    tree: dict[str | int, Any] = {}
    for path, text in texts.items():
        node = tree
        for step in path[:-1]:
            node = node.setdefault(step, {})
        node[path[-1]] = text
    return _replaced(body, tree) if tree else body


def _replaced(value: Json, tree: dict[str | int, Any]) -> Json:
    fresh: Any = value.copy()  # a dict or a list
    for step, inner in tree.items():
        fresh[step] = inner if isinstance(inner, str) else _replaced(value[step], inner)
    return fresh
