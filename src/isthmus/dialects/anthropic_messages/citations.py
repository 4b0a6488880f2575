"""Citations of a text block, both ways.

Source: https://docs.anthropic.com/en/docs/build-with-claude/citations and the types of the `anthropic` package, 2.11.
"""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.dialects.anthropic_messages.name import NAME
from isthmus.dialects.fields import Fields, merged
from isthmus.domain.message import Citation, Json

_WEB = "web_search_result_location"
_ADDRESSES: Mapping[str, str] = {_WEB: "url", "search_result_location": "source"}
_TITLES: Mapping[str, str] = {_WEB: "title", "search_result_location": "title"}
_TITLE = "document_title"
"""Of the kinds that cite a document of the request."""


def decode_citations(fields: Fields) -> tuple[Citation, ...]:
    """The field `citations` of a text block; answers say null where there are none."""
    items = fields.items("citations") or ()
    return tuple(decode_citation(item, f"{fields.at('citations')}[{at}]") for at, item in enumerate(items))


def decode_citation(told: Json, path: str) -> Citation:
    """One citation. What no other dialect has a word for stays in `extra`, its kind included.

    Raises:
        InvalidRequest: it is none.
    """
    fields = Fields(told, path)
    kind = fields.required_text("type")
    quote, title = fields.text("cited_text"), fields.text(_TITLES.get(kind, _TITLE))
    url = None
    place = _ADDRESSES.get(kind, "")
    if isinstance(source := fields.rest.get(place), str) and source.startswith(("http://", "https://")):
        url = fields.text(place)
    if url is not None and fields.rest.get("encrypted_index") == "":
        return Citation(url=url, title=title, quote=quote)  # one that isthmus made, of another dialect's
    fields.rest["type"] = kind
    return Citation(url=url, title=title, quote=quote, extra=fields.unknown(NAME))


def encode_citation(citation: Citation) -> dict[str, Json] | None:
    """One citation as clients read it; None: this dialect cannot say it.

    A source of another dialect is one of a search, without the provider's index: that is what clients show as a link.
    """
    if (own := own_citation(citation)) is not None:
        return own
    if citation.url is None:
        return None
    return {
        "type": _WEB,
        "url": citation.url,
        "title": citation.title,
        "cited_text": citation.quote or "",
        "encrypted_index": "",
    }


def own_citation(citation: Citation) -> dict[str, Json] | None:
    """One citation as the provider takes it back; None: it is none of this dialect's."""
    extra = citation.extra
    if extra is None or extra.dialect != NAME:
        return None
    kind = extra.fields.get("type", "")
    said: dict[str, Json] = {
        "type": kind,
        _TITLES.get(kind, _TITLE): citation.title,
        "cited_text": citation.quote or "",
    }
    if citation.url is not None:
        said[_ADDRESSES.get(kind, "url")] = citation.url
    return merged(said, extra.fields)
