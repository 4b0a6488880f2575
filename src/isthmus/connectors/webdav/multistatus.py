"""Answers about many resources at once (RFC 4918, section 13), read from bytes that a server made of anything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

# The dangers of ElementTree are entities; a document that could declare any is refused before it is parsed.
from xml.etree import ElementTree

DAV = "{DAV:}"
CALDAV = "{urn:ietf:params:xml:ns:caldav}"
CARDDAV = "{urn:ietf:params:xml:ns:carddav}"

_DECLARES = re.compile(r"\ufeff?(?:\s|<\?[^>]*>|<!--(?:[^-]|-(?!-))*-->)*<!", re.DOTALL)
_GOOD = re.compile(r"HTTP/\S+\s+2\d\d")


class Malformed(Exception):
    """It is no such answer."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What is told of one resource."""

    href: str
    """As the server wrote it: an address or a path of one."""
    properties: Mapping[str, ElementTree.Element] = field(default_factory=dict)
    """Those that it has, by name as in `{DAV:}getetag`."""

    def text(self, name: str) -> str:
        """Of a property, without space around it. Empty where there is none."""
        found = self.properties.get(name)
        return "" if found is None else (found.text or "").strip()

    def hrefs(self, name: str) -> list[str]:
        """The addresses in a property."""
        found = self.properties.get(name)
        return [] if found is None else [(one.text or "").strip() for one in found.iter(f"{DAV}href")]

    def has(self, name: str, child: str) -> bool:
        """Whether a property has such an element in it."""
        found = self.properties.get(name)
        return found is not None and next(found.iter(child), None) is not None


def resources(body: bytes) -> list[Resource]:
    """The resources of a multistatus answer.

    Raises:
        Malformed: it is none, or not one to parse.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("it is not UTF-8") from error
    if _DECLARES.match(text):
        raise Malformed("its XML declares a document type")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314  # declares nothing, see above
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise Malformed("its XML is damaged") from error
    if root.tag != f"{DAV}multistatus":
        raise Malformed("it is no multistatus answer")
    return [Resource(href, dict(_properties(one))) for one in root.iter(f"{DAV}response") if (href := _href(one))]


def _href(response: ElementTree.Element) -> str:
    return (response.findtext(f"{DAV}href") or "").strip()


def _properties(response: ElementTree.Element) -> Iterator[tuple[str, ElementTree.Element]]:
    for group in response.iter(f"{DAV}propstat"):
        if _GOOD.match(group.findtext(f"{DAV}status") or ""):
            for found in group.findall(f"{DAV}prop"):
                yield from ((one.tag, one) for one in found)
