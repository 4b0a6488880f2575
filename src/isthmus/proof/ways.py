"""The ways in: where in a request something can stand, how it can be dressed up, and how its label can be told."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from isthmus.domain.message import Image, Message, Part, Text, Tool, ToolCall, ToolResult
from isthmus.proof.samples import Sample

Json = dict[str, Any]
Declares = Literal["header", "metadata", "part", "key"]
Recalls = Literal["answer", "document", "quoted"]

_LETTERS = str.maketrans("aeopcxyi", "аеорсхуі")  # noqa: RUF001 - that is what it is about: Cyrillic ones
_ZERO_WIDTH = "\u200b"
_LINE = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked, in no dialect yet."""

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    amend: Callable[[Json], None] | None = None
    """Puts into the body what has no place in the domain's values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way in."""

    name: str
    title: str
    """For people: completes "it came in …"."""
    build: Callable[[str, Sample], Asked]
    """From the mark of the request and the canary."""
    plain: bool = True
    """The text stands there as people write it. Detectors that go by meaning are held to such ways only."""
    declares: Declares | None = None
    """How its label is declared; None: it is to be found, or is declared in a header where nothing looks for it."""
    recalls: Recalls | None = None
    """Where the text was seen under its label before; None: nowhere."""
    unreadable: bool = False
    """It brings content along that no detector can read."""
    dress: Callable[[str], str] = field(default=lambda text: text)
    """What is done to the text."""

    def dressed(self, said: Sample) -> Sample:
        return Sample(self.dress(said.text), said.value)


def _user(*parts: Part) -> Message:
    return Message(role="user", parts=parts)


def _says(text: str) -> Text:
    return Text(text=text)


def _closing(mark: str) -> Message:
    """Most requests end with nothing but their mark, so that all else they say is the same each time."""
    return _user(_says(mark))


def _in_message(mark: str, said: Sample) -> Asked:
    return Asked(messages=(_user(_says(f"For your information: {said.text}")), _closing(mark)))


def _in_system(mark: str, said: Sample) -> Asked:
    return Asked(messages=(Message(role="system", parts=(_says(f"You know this: {said.text}"),)), _closing(mark)))


def _in_part(mark: str, said: Sample) -> Asked:
    return Asked(messages=(_user(_says(mark), _says(f"For your information: {said.text}")),))


def _through(said: Sample) -> tuple[str, str]:
    """Cut through the sensitive thing itself."""
    at = said.text.find(said.value) + len(said.value) // 2
    return said.text[:at], said.text[at:]


def _over_parts(mark: str, said: Sample) -> Asked:
    first, second = _through(said)
    return Asked(messages=(_user(_says(mark), _says(first), _says(second)),))


def _beside_it(mark: str, said: Sample) -> Asked:
    """Cut right before the sensitive thing: the words that announce it stand in another part."""
    at = max(1, said.text.find(said.value))
    return Asked(messages=(_user(_says(mark), _says(said.text[:at]), _says(said.text[at:])),))


def _over_messages(mark: str, said: Sample) -> Asked:
    first, second = _through(said)
    return Asked(messages=(_user(_says(first)), _user(_says(second)), _closing(mark)))


def _in_tool(mark: str, said: Sample) -> Asked:
    tool = Tool(name="look_up", description=f"Looks things up. {said.text}", parameters=_schema({"what": {}}))
    return Asked(messages=(_closing(mark),), tools=(tool,))


def _in_key(mark: str, said: Sample) -> Asked:
    tool = Tool(name="look_up", description="Looks things up.", parameters=_schema({said.text: {}}))
    return Asked(messages=(_closing(mark),), tools=(tool,))


def _in_arguments(mark: str, said: Sample) -> Asked:
    arguments = msgspec.json.encode({"note": {"said": said.text}}).decode()
    return _called(mark, arguments, "noted")


def _in_result(mark: str, said: Sample) -> Asked:
    return _called(mark, '{"what":"it"}', msgspec.json.encode({"found": [said.text]}).decode())


def _called(mark: str, arguments: str, result: str) -> Asked:
    tool = Tool(name="look_up", description="Looks things up.", parameters=_schema({"what": {}}))
    call = ToolCall(id="call_1", name="look_up", arguments=arguments)
    answer = ToolResult(call_id="call_1", name="look_up", parts=(_says(result),))
    return Asked(
        messages=(
            _user(_says("Look it up.")),
            Message(role="assistant", parts=(call,)),
            Message(role="tool", parts=(answer,)),
            _closing(mark),
        ),
        tools=(tool,),
    )


def _schema(properties: Mapping[str, Json]) -> Json:
    return {"type": "object", "properties": {name: {"type": "string"} for name in properties}}


def _in_image_name(mark: str, said: Sample) -> Asked:
    url = f"https://images.example.org/{quote(said.text, safe='')}.png"
    return Asked(messages=(_user(_says("What is in it?"), _says(mark), Image(url=url)),))


def _in_unknown_field(mark: str, said: Sample) -> Asked:
    return Asked(messages=(_closing(mark),), amend=lambda body: body.update(x_note={"more": [said.text]}))


def _in_address(mark: str, said: Sample) -> Asked:
    link = f"https://example.org/search?q={quote(said.text, safe='')}&page=1"
    return _in_message(mark, Sample(link, said.value))


def _base64(text: str) -> str:
    return base64.b64encode(f"note: {text}".encode()).decode()


def _zero_width(text: str) -> str:
    return _ZERO_WIDTH.join(text)


def _look_alike(text: str) -> str:
    return text.translate(_LETTERS)


def _quoted(text: str) -> str:
    """Other line breaks, other case, marks of quotation, emphasis."""
    lines, line = [], ""
    for word in text.upper().split():
        if len(line) + len(word) > _LINE:
            lines.append(line)
            line = ""
        line += f"**{word}** " if len(word) > 7 else f"{word}, "
    return "\n".join(f"> {one}" for one in [*lines, line])


def _way(name: str, title: str, build: Callable[[str, Sample], Asked] = _in_message, **more: Any) -> Way:
    return Way(name=name, title=title, build=build, **more)


WAYS: Sequence[Way] = (
    _way("message", "a user's message"),
    _way("system", "the system prompt", _in_system),
    _way("part", "a text part", _in_part),
    _way("split-parts", "split over two parts", _over_parts, plain=False),
    _way("split-context", "its context in another part", _beside_it, plain=False),
    _way("split-messages", "split over two messages", _over_messages, plain=False),
    _way("tool", "a tool's definition", _in_tool),
    _way("arguments", "a tool call's arguments", _in_arguments, plain=False),
    _way("result", "a tool's result", _in_result, plain=False),
    _way("field-name", "the name of a field", _in_key, plain=False),
    _way("unknown", "an unknown field", _in_unknown_field),
    _way("image-name", "an image's address", _in_image_name, plain=False, unreadable=True),
    _way("address", "a link, percent-encoded", _in_address, plain=False),
    _way("base64", "base64", plain=False, dress=_base64),
    _way("zero-width", "with zero-width spaces", plain=False, dress=_zero_width),
    _way("look-alike", "in look-alike letters", plain=False, dress=_look_alike),
    _way("header", "declared in a header", declares="header"),
    _way("metadata", "declared in the metadata", declares="metadata"),
    _way("of-part", "declared for one part", _in_part, declares="part"),
    _way("key", "declared by the key", declares="key"),
    _way("answer", "out of an earlier answer", recalls="answer"),
    _way("document", "out of a registered document", recalls="document"),
    _way("quoted", "a document, quoted and wrapped", recalls="quoted", dress=_quoted),
)
"""All there are. The next one is one more line."""
