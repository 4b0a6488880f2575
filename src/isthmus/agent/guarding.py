"""Tool sets as the agent uses them: what they make bears its mark before anybody can read it again.

A mark that is lost when something is written and read back is a hole in the perimeter. So it is not left to each tool
set: every one is wrapped, whoever calls it, the loop or a server of MCP.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count

from anyio.to_thread import run_sync
from typing_extensions import override

from isthmus.agent.marks import Mark, Party
from isthmus.agent.monitor.shelf import flat
from isthmus.agent.ports import MarkStore
from isthmus.agent.several import account_of
from isthmus.agent.tool import Foretelling, Grant, Image, Item, Made, ToolResult, Toolset, ToolSpec, Value
from isthmus.domain.errors import ToolError

ANY = "*"
"""Id that stands for whatever of its kind an account holds: where a tool does not tell what it made."""

_CONTENTS = ("text", "content", "body")


class Guarded(Toolset):
    """A tool set whose made things keep their marks."""

    def __init__(self, inner: Toolset, marks: MarkStore) -> None:
        self.inner = inner
        self._marks = marks
        self._account = account_of(inner)

    @property
    @override
    def name(self) -> str:
        return self.inner.name

    @property
    @override
    def specs(self) -> Sequence[ToolSpec]:
        return self.inner.specs

    @override
    def parties(self, tool: str, parameter: str, value: Value) -> tuple[Party, ...]:
        return self.inner.parties(tool, parameter, value)

    @override
    async def run(self, grant: Grant) -> ToolResult:
        spec = self._spec(grant.tool)
        told = await run_sync(self._told, grant)  # which may have to read much to know it
        await run_sync(self._keep, (*_intended(spec, grant), *told), grant.mark)
        return await self._kept(spec, grant, await self.inner.run(grant))

    def _told(self, grant: Grant) -> tuple[Made, ...]:
        """What the tool set says it is about to make: its mark is kept before it is there, whatever happens then."""
        return self.inner.will_make(grant) if isinstance(self.inner, Foretelling) else ()

    @override
    async def find_done(self, grant: Grant) -> ToolResult | None:
        found = await self.inner.find_done(grant)
        return None if found is None else await self._kept(self._spec(grant.tool), grant, found)

    @override
    async def aclose(self) -> None:
        await self.inner.aclose()

    def _spec(self, tool: str) -> ToolSpec:
        """Looked up anew: the tools of a server may change.

        Raises:
            ToolError: there is no such tool any more.
        """
        for spec in self.inner.specs:
            if spec.name == tool:
                return spec
        raise ToolError(f"There is no tool {tool} any more.")

    async def _kept(self, spec: ToolSpec, grant: Grant, result: ToolResult) -> ToolResult:
        """The result, after what was made is remembered, and with what was remembered of what it found."""
        made = result.made
        if spec.makes is not None and not result.failed and not made:
            made = (Made(spec.makes, ANY),)
        await run_sync(self._keep, made, grant.mark)
        if result.image is not None:
            result = replace(result, image=await run_sync(self._seen, result.image))
        if not result.items:
            return result
        return replace(result, items=await run_sync(self._recalled, result.items))

    def _seen(self, image: Image) -> Image:
        """A picture with the marks of whatever was made here: it may show any of it."""
        anything = [Made(kind, ANY) for kind in {spec.makes for spec in self.inner.specs} if kind is not None]
        found = self._marks.recall_all(self._account, anything)
        return replace(image, mark=_joined(image.mark, (mark for mark in found if mark is not None)))

    def _keep(self, made: Sequence[Made], mark: Mark) -> None:
        for one in made:
            self._marks.keep(self._account, one, mark if one.content_sha256 is None else self._joined_before(one, mark))

    def _joined_before(self, made: Made, mark: Mark) -> Mark:
        """Its new content bears what it bore before: a change of a thing leaves the rest of it as it was."""
        before = self._marks.recall(self._account, Made(made.kind, made.id)) if made.id else None
        return mark if before is None else mark.joined(before)

    def _recalled(self, items: tuple[Item, ...]) -> tuple[Item, ...]:
        """Things with the marks that they bear because they were made here. One question to the store for all."""
        names = [(at, made) for at, item in enumerate(flat(items)) for made in _known_as(item)]
        found = self._marks.recall_all(self._account, [made for _, made in names])
        known: dict[int, list[Mark]] = {}
        for (at, _), mark in zip(names, found, strict=True):
            if mark is not None:
                known.setdefault(at, []).append(mark)
        return _marked(items, known, count()) if known else items


def _marked(items: tuple[Item, ...], known: Mapping[int, Sequence[Mark]], numbers: Iterator[int]) -> tuple[Item, ...]:
    """Things with more marks, by their number in the order of `flat`."""
    marked = []
    for item in items:
        more = known.get(next(numbers), ())
        fields = {name: replace(field, mark=_joined(field.mark, more)) for name, field in item.fields.items()}
        marked.append(replace(item, fields=fields, items=_marked(item.items, known, numbers)))
    return tuple(marked)


def _joined(mark: Mark, others: Iterable[Mark]) -> Mark:
    for other in others:
        mark = mark.joined(other)
    return mark


def _intended(spec: ToolSpec, grant: Grant) -> Iterator[Made]:
    """What is about to be made or changed, as far as it is known beforehand."""
    kind = spec.makes
    if kind is None:
        return
    for parameter in spec.parameters:
        argument = grant.arguments.get(parameter.name)
        if argument is None:
            continue
        values = argument.value if parameter.many else [argument.value]
        if parameter.kind == kind and parameter.role in ("object", "destination"):
            yield from (Made(kind, str(value)) for value in values)
        elif kind == "file" and parameter.role == "content":
            yield from (Made(kind, "", sha256(value)) for value in values if isinstance(value, str))


def _known_as(item: Item) -> Iterator[Made]:
    """The names under which a thing may be remembered."""
    yield Made(item.kind, ANY)
    content = item.content_sha256
    if content is None and item.kind == "file":
        texts = (item.fields[name].value for name in _CONTENTS if name in item.fields)
        content = next((sha256(text) for text in texts if isinstance(text, str)), None)
    yield Made(item.kind, item.id, content)


def sha256(text: str) -> str:
    """The hash of a text, as it lies in a file."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
