"""Citations, which stand beside the text of a message as `annotations`, both ways.

Source: https://platform.openai.com/docs/guides/tools-web-search, "Output and citations"; `content`, the words of the
source, is OpenRouter's (https://openrouter.ai/docs, "Web Search").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from isthmus.dialects.fields import Fields, merged
from isthmus.dialects.openai_chat.name import NAME
from isthmus.domain.message import Citation, Extra, Json, Text

_KIND = "url_citation"


def decode_annotations(told: Json, path: str) -> tuple[list[Citation], list[Json]]:
    """The citations, and the annotations of other kinds as they are.

    Raises:
        InvalidRequest: a citation is not as it should be.
    """
    citations: list[Citation] = []
    others: list[Json] = []
    for at, item in enumerate(told if isinstance(told, list) else ()):
        if isinstance(item, dict) and item.get("type") == _KIND and isinstance(item.get(_KIND), dict):
            citations.append(_decode(Fields(item, f"{path}[{at}]")))
        else:
            others.append(item)
    return citations, others


def _decode(fields: Fields) -> Citation:
    inner = fields.required_inner(_KIND)
    fields.text("type")
    url, title, quote = inner.text("url"), inner.text("title"), inner.text("content")
    start, end = inner.integer("start_index"), inner.integer("end_index")
    fields.put_back(_KIND, inner)
    # Whose it is, is told even where no field is left.
    return Citation(url=url, title=title, quote=quote, start=start, end=end, extra=Extra(NAME, fields.rest))


def is_ours(citation: Citation) -> bool:
    return citation.extra is not None and citation.extra.dialect == NAME


def encode_annotation(citation: Citation, *, start: int, end: int) -> dict[str, Json] | None:
    """One citation; None: it has no address, which this dialect demands.

    Args:
        citation: to be said.
        start: first character of the text that rests on it, where the citation does not tell.
        end: the character after the last, likewise.
    """
    if citation.url is None:
        return None
    inner: dict[str, Json] = {
        "start_index": start if citation.start is None else citation.start,
        "end_index": end if citation.end is None else citation.end,
        "title": citation.title or "",
        "url": citation.url,
    }
    if citation.quote is not None:
        inner["content"] = citation.quote
    said: dict[str, Json] = {"type": _KIND, _KIND: inner}
    return merged(said, citation.extra.fields) if citation.extra is not None and is_ours(citation) else said


def placed(texts: Sequence[Text]) -> tuple[Citation, ...]:
    """The citations of several texts, by their places in all of them joined."""
    found: list[Citation] = []
    before = 0
    for text in texts:
        after = before + len(text.text)
        found += (
            replace(
                citation,
                start=before + (citation.start or 0),
                end=after if citation.end is None else before + citation.end,
            )
            for citation in text.citations
        )
        before = after
    return tuple(found)
