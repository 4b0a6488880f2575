"""Where an answer was found: `citationMetadata` and `groundingMetadata`, both ways.

Places are counted in bytes of UTF-8, within one part; the domain counts characters of the answer's whole text. Clients
of this dialect are handed the metadata as they came; the domain's values are for clients of another.

Source: <https://ai.google.dev/api/generate-content#GroundingMetadata> and the types of `google-genai`, 3.4. The API for
developers calls the list `citationSources`, that of the cloud `citations`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from isthmus.dialects.gemini_generate.name import NAME
from isthmus.domain.message import Citation, Extra, Json, Part, Text

OWN = ("citationMetadata", "groundingMetadata")


def decode_citations(candidate: Mapping[str, Json], texts: Sequence[str]) -> list[Citation]:
    """The citations of a candidate. What cannot be read of them stays in the metadata alone.

    Args:
        candidate: with the metadata, if any.
        texts: of its parts, in their order; empty for a part that is no text of the answer.
    """
    answer = _Answer.of(texts)
    found: list[Citation] = []
    match candidate.get("citationMetadata"):
        case {"citationSources": list(sources)} | {"citations": list(sources)}:
            found += [_from_source(one, answer) for one in sources if isinstance(one, dict)]
        case _:
            pass
    match candidate.get("groundingMetadata"):
        case {"groundingChunks": list(chunks), **rest}:
            supports = rest.get("groundingSupports")
            found += _from_grounding(chunks, supports if isinstance(supports, list) else [], answer)
        case _:
            pass
    return found


def cited(parts: Sequence[Part], citations: Iterable[Citation]) -> tuple[Part, ...]:
    """The parts, each citation at the text it ends in; those without a place at the last."""
    ends: list[tuple[int, int]] = []
    length = 0
    for at, part in enumerate(parts):
        if isinstance(part, Text) and part.text:
            length += len(part.text)
            ends.append((at, length))
    found = list(parts)
    for citation in citations if ends else ():
        at = next((at for at, end in ends if citation.end is not None and citation.end <= end), ends[-1][0])
        part = found[at]
        assert isinstance(part, Text)
        found[at] = replace(part, citations=(*part.citations, citation))
    return tuple(found)


def encode_citations(citations: Sequence[Citation], texts: Sequence[str]) -> dict[str, Json]:
    """The field `groundingMetadata` of a candidate; nothing where there is no citation."""
    if not citations:
        return {}
    answer = _Answer.of(texts)
    chunks: list[dict[str, Json]] = []
    supports: list[dict[str, Json]] = []
    for citation in citations:
        chunk = _chunk(citation)
        if chunk not in chunks:
            chunks.append(chunk)
        segment = {} if citation.end is None else answer.segment(citation.start or 0, citation.end)
        supports.append({"segment": segment, "groundingChunkIndices": [chunks.index(chunk)]})
    return {"groundingMetadata": {"groundingChunks": chunks, "groundingSupports": supports}}


def _chunk(citation: Citation) -> dict[str, Json]:
    said = {"uri": citation.url, "title": citation.title, "text": citation.quote}
    kind = "retrievedContext" if citation.quote is not None or citation.url is None else "web"
    return {kind: {name: value for name, value in said.items() if value is not None}}


def _from_source(source: Mapping[str, Json], answer: _Answer) -> Citation:
    place = answer.place(source, 0)
    known = ("startIndex", "endIndex", "uri", "title")
    return Citation(
        url=_text(source.get("uri")),
        title=_text(source.get("title")),
        start=place.start,
        end=place.end,
        extra=_rest({name: value for name, value in source.items() if name not in known}),
    )


def _from_grounding(chunks: Sequence[Json], supports: Sequence[Json], answer: _Answer) -> list[Citation]:
    sources = [_source(chunk) for chunk in chunks]
    found: list[Citation] = []
    used: set[int] = set()
    for support in supports:
        match support:
            case {"groundingChunkIndices": list(indices), **rest}:
                segment = rest.get("segment")
                place = answer.place(segment, None) if isinstance(segment, dict) else _Place(None, None)
                for at in indices:
                    if isinstance(at, int) and 0 <= at < len(sources) and (source := sources[at]) is not None:
                        used.add(at)
                        found.append(replace(source, start=place.start, end=place.end))
            case _:
                pass
    found += [source for at, source in enumerate(sources) if source is not None and at not in used]
    return found


def _source(chunk: Json) -> Citation | None:
    match chunk:
        case {"web": dict(told)} | {"retrievedContext": dict(told)} | {"maps": dict(told)}:
            url, title, quote = (_text(told.get(name)) for name in ("uri", "title", "text"))
            return (
                None
                if url is None and title is None and quote is None
                else Citation(
                    url=url,
                    title=title,
                    quote=quote,
                    extra=_rest({name: value for name, value in told.items() if name not in ("uri", "title", "text")}),
                )
            )
        case _:
            return None


def _text(told: Json) -> str | None:
    return told if isinstance(told, str) and told else None


def _rest(fields: dict[str, Json]) -> Extra | None:
    return Extra(NAME, fields) if fields else None


class _Place(NamedTuple):
    """Characters of the answer's whole text."""

    start: int | None
    end: int | None


class _Answer(NamedTuple):
    """The text of an answer, by its parts."""

    parts: tuple[bytes, ...]
    starts: tuple[int, ...]
    """Of each part, in characters of the whole text."""

    @classmethod
    def of(cls, texts: Sequence[str]) -> _Answer:
        starts = [0]
        for text in texts:
            starts.append(starts[-1] + len(text))
        return cls(tuple(text.encode() for text in texts), tuple(starts))

    def place(self, segment: Mapping[str, Json], part: int | None) -> _Place:
        """Where a segment is. Of `startIndex`, 0 is not said; without an end it has no place."""
        start, end, told = (segment.get(name) for name in ("startIndex", "endIndex", "partIndex"))
        if not isinstance(end, int) or end <= 0:
            return _Place(None, None)
        at = told if isinstance(told, int) else 0
        if part is None and 0 <= at < len(self.parts) and end <= len(self.parts[at]):
            text, base = self.parts[at], self.starts[at]
        else:
            text, base = b"".join(self.parts), 0
        if end > len(text):
            return _Place(None, None)
        first = start if isinstance(start, int) and 0 <= start <= end else 0
        return _Place(base + _characters(text, first), base + _characters(text, end))

    def segment(self, start: int, end: int) -> dict[str, Json]:
        """The segment of characters of the whole text, within the part it ends in; a stream has but one part."""
        at = next((at for at, base in enumerate(self.starts[1:]) if end <= base), None)
        if at is None or end <= 0:
            return {}
        base = self.starts[at]
        text = self.parts[at].decode()
        first, last = max(start - base, 0), end - base
        said: dict[str, Json] = {"endIndex": len(text[:last].encode()), "text": text[first:last]}
        if first:
            said["startIndex"] = len(text[:first].encode())
        return said | ({"partIndex": at} if at else {})


def _characters(text: bytes, count: int) -> int:
    """How many characters so many bytes are; a character that is cut counts."""
    return len(text[:count].decode("utf-8", "replace"))
