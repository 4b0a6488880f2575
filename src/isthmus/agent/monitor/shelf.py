"""The shelf of a branch: what its model was shown, each thing under a short handle by which it can be referred to.

A handle and a field's name make a reference, `mail_3.from`. It stands for exactly that field, with the mark of that
field and of nothing else. A handle is given once and never to another thing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from isthmus.agent.marks import OWN_WORDS, Mark, join
from isthmus.agent.monitor.normal import normal
from isthmus.agent.monitor.words import addresses, links
from isthmus.agent.tool import Field, Item, Kind, Value

_REFERENCE = re.compile(r"@?(?P<handle>[a-z]+_\d+)(?:\.(?P<field>[\w-]+))?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One thing that a model was shown."""

    handle: str
    """`mail_3`."""
    item: Item
    toolset: str
    call: str
    """Id of the call that found or made it."""
    whole: bool = False
    """Whether that call listed all there is: nothing in it narrowed."""
    asked_for: tuple[str, ...] = ()
    """The places that call looked in: a channel, a page, a file. The words of a search are no place: whoever searches
    for a word of the user's finds what anybody wrote it into."""
    made: bool = False
    """Whether that call made or changed it."""
    sources: frozenset[str] = frozenset()
    """Handles of what it was made of, where the agent made it in this branch."""
    extra: Mark | None = None
    """What is known of it beyond the marks of its fields: what went into it, where the agent made it."""
    links: frozenset[str] = frozenset()
    """Links that somebody else could have written, in what the agent made it of; in normal form."""
    closed: bool = False
    """Whether the model was shown no more of it than its handle, and has to open it to see the rest."""

    @property
    def seen(self) -> Mark:
        """The join of what its model was shown of it."""
        return OWN_WORDS if self.closed else self.mark

    @property
    def mark(self) -> Mark:
        """The join of all of it."""
        marks = join(one.mark for one in fields_of(self.item))
        return marks if self.extra is None else marks.joined(self.extra)


def foreign_links(shown: Shown) -> Iterator[str]:
    """Links in a thing that the agent made, which the user did not dictate; in normal form.

    A thing that was not made by the agent goes where the user's words send it, with all that is in it.
    """
    yield from shown.links
    if shown.extra is not None and not shown.made:  # made in an earlier turn: what is shown of it is all that is known
        for one in fields_of(shown.item):
            if one.kind == "text" and isinstance(one.value, str) and not shown.extra.trusted:
                yield from links(one.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Referred:
    """A field on the shelf."""

    shown: Shown
    name: str
    field: Field

    @property
    def reference(self) -> str:
        return f"{self.shown.handle}.{self.name}"

    @property
    def mark(self) -> Mark:
        extra = self.shown.extra
        return self.field.mark if extra is None else self.field.mark.joined(extra)


@dataclass(frozen=True, slots=True)
class Shelf:
    """What was shown, in the order it was."""

    shown: tuple[Shown, ...] = ()
    given: Mapping[str, int] = field(default_factory=dict)
    """How many handles of each kind were given out."""

    def put(
        self,
        items: Iterable[Item],
        *,
        toolset: str,
        call: str,
        whole: bool = False,
        asked_for: tuple[str, ...] = (),
        made: bool = False,
        sources: frozenset[str] = frozenset(),
        extra: Mark | None = None,
        links: frozenset[str] = frozenset(),
        closed: Callable[[Item], bool] = lambda _: False,
    ) -> Shelf:
        """The shelf with more on it; things within things have handles of their own."""
        shown, given = list(self.shown), dict(self.given)
        for item in flat(items):
            given[item.kind] = number = given.get(item.kind, 0) + 1
            shown.append(
                Shown(
                    handle=f"{item.kind}_{number}",
                    item=item,
                    toolset=toolset,
                    call=call,
                    whole=whole,
                    asked_for=asked_for,
                    made=made,
                    sources=sources,
                    extra=extra,
                    links=links,
                    closed=closed(item),
                )
            )
        return Shelf(tuple(shown), given)

    def opened(self, handle: str) -> Shelf:
        """The shelf after the whole of a thing was shown."""
        return replace(
            self, shown=tuple(replace(one, closed=False) if one.handle == handle else one for one in self.shown)
        )

    def at(self, handle: str) -> Shown | None:
        return next((one for one in self.shown if one.handle == handle), None)

    def refer(self, reference: str) -> Referred | Shown | None:
        """What a reference stands for: a field, or a thing where no field is named. None: it is no reference."""
        if (match := _REFERENCE.match(reference)) is None or (shown := self.at(match["handle"])) is None:
            return None
        if (name := match["field"]) is None:
            return shown
        if name == "id":
            return Referred(shown=shown, name="id", field=_id_of(shown))
        found = next((one for one in _named_fields(shown) if one[0] == name), None)
        return None if found is None else Referred(shown=shown, name=found[0], field=found[1])

    def holding(self, kind: Kind, value: Value) -> tuple[Referred, ...]:
        """The fields of that kind that have this value, in its normal form; ids of things among them."""
        wanted = normal(kind, value)
        return tuple(
            referred
            for referred in self.fields()
            if referred.field.kind == kind and normal(kind, referred.field.value) == wanted
        )

    def fields(self) -> Iterator[Referred]:
        for shown in self.shown:
            yield Referred(shown=shown, name="id", field=_id_of(shown))
            for name, one in _named_fields(shown):
                yield Referred(shown=shown, name=name, field=one)

    def links_of(self, shown: Shown) -> Iterator[str]:
        """The addresses of pages in a thing, in normal form."""
        for _, one in _named_fields(shown):
            if one.kind == "url":
                yield normal("url", one.value)


def is_reference(text: str) -> bool:
    """Whether a text has the form of a reference."""
    return _REFERENCE.match(text) is not None


def flat(items: Iterable[Item]) -> Iterator[Item]:
    """Things and the things within them, the outer before the inner."""
    for item in items:
        yield item
        yield from flat(item.items)


def fields_of(item: Item) -> Iterator[Field]:
    """The fields of a thing and of all within it."""
    for one in flat([item]):
        yield from one.fields.values()


def _named_fields(shown: Shown) -> Iterator[tuple[str, Field]]:
    """The fields of a thing, and the addresses within its texts: `body_url1` is the first page that `body` names."""
    for name, one in shown.item.fields.items():
        yield name, one
        if one.kind == "text" and isinstance(one.value, str):
            for suffix, kind, said in _addresses_in(one.value):
                yield f"{name}_{suffix}", Field(value=said, kind=kind, mark=one.mark)


@lru_cache(maxsize=4096)
def _addresses_in(text: str) -> tuple[tuple[str, Kind, str], ...]:
    found: list[tuple[str, Kind, str]] = []
    counts: dict[Kind, int] = {}
    for token in addresses(text):
        counts[token.kind] = number = counts.get(token.kind, 0) + 1
        found.append((f"{token.kind}{number}", token.kind, token.said))
    return tuple(found)


def _id_of(shown: Shown) -> Field:
    """The id of a thing, as a field: the tool set made it, but it stands for the whole thing."""
    return Field(value=shown.item.id, kind=shown.item.kind, mark=shown.mark)
