"""Whole answers, both ways."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from isthmus.dialects.complaint import UNREADABLE
from isthmus.dialects.fields import Fields, left_over, merged
from isthmus.dialects.openai_chat.annotations import placed
from isthmus.dialects.openai_chat.answers import (
    Logprobs,
    carried,
    decode_finish,
    encode_finish,
    encode_logprobs,
    unknown_finish,
)
from isthmus.dialects.openai_chat.conversation import decode_assistant, encode_assistant
from isthmus.dialects.openai_chat.faults import refusal
from isthmus.dialects.openai_chat.name import NAME
from isthmus.dialects.openai_chat.usage import WireUsage, from_domain
from isthmus.dialects.untold import UNKNOWN, untold_citation, untold_medium
from isthmus.domain.errors import RequestError, UpstreamMalformed
from isthmus.domain.message import Audio, Choice, Completion, Document, Json, Part, Refusal, Text, ToolResult
from isthmus.domain.usage import Usage

# --------------------------------------------------------------------------------------------------- decoding


def decode(body: bytes) -> Completion:
    """Decode a whole answer.

    Raises:
        UpstreamMalformed: not an answer of this dialect.
        UpstreamRefused: an error, told with a status that says otherwise.
    """
    try:
        content: Json = msgspec.json.decode(body)
        fields = Fields(content, "the answer")
        if fields.rest.get("error") and not fields.rest.get("choices"):
            raise refusal(content)
        return _decode(fields)
    except UNREADABLE as exc:
        raise UpstreamMalformed("The upstream's answer is not valid JSON.") from exc
    except RequestError as exc:  # the fields are taken apart by the code that reads requests
        raise UpstreamMalformed(f"The upstream's answer is no chat completion: {exc.message}") from exc


def _decode(fields: Fields) -> Completion:
    items = fields.items("choices")
    if not items:
        raise fields.wrong("choices", "must be a list with at least one choice")
    fields.rest.pop("object", None)
    choices = tuple(_decode_choice(Fields(item, f"choices[{at}]"), default_index=at) for at, item in enumerate(items))
    identity, model = fields.text("id") or "", fields.text("model") or ""
    created = fields.integer("created")
    usage = _decode_usage(fields)
    return Completion(
        id=identity, model=model, choices=choices, created=created, usage=usage, extra=fields.unknown(NAME)
    )


def _decode_choice(fields: Fields, *, default_index: int) -> Choice:
    blocked = fields.rest.get("finish_reason") == "content_filter"  # then Azure sends no message at all
    message = (fields.inner("message") if blocked else fields.required_inner("message")) or Fields({})
    message.rest.pop("role", None)
    parts = tuple(decode_assistant(message, from_offer=True))
    fields.put_back("message", message)
    stop_sequence = None
    # vLLM tells which stop text was met, or the id of the token that was (docs.vllm.ai, OpenAI-compatible server).
    if isinstance(fields.rest.get("stop_reason"), str):
        stop_sequence = fields.text("stop_reason")
    reason = fields.text("finish_reason")
    logprobs = _decode_logprobs(fields)
    index = fields.integer("index")
    fields.rest |= unknown_finish(reason)
    return Choice(
        index=default_index if index is None else index,
        parts=parts,
        finish=decode_finish(reason, stop_sequence),
        stop_sequence=stop_sequence,
        logprobs=None if logprobs is None else logprobs.to_domain(),
        extra=fields.unknown(NAME),
    )


def _decode_logprobs(fields: Fields) -> Logprobs | None:
    inner = fields.inner("logprobs")
    if inner is None:
        return None
    found = msgspec.convert(inner.rest, Logprobs)
    if not inner.rest.get("refusal"):
        inner.rest.pop("refusal", None)
    del inner.rest["content"]
    fields.put_back("logprobs", inner)
    return found


def _decode_usage(fields: Fields) -> Usage | None:
    """Usage; details that are not the domain's stay among the extra fields."""
    inner = fields.inner("usage")
    if inner is None:
        return None
    usage = msgspec.convert(inner.rest, WireUsage).to_domain()
    if rest := left_over(inner.rest, msgspec.to_builtins(from_domain(usage))):
        fields.rest["usage"] = rest
    return usage


# --------------------------------------------------------------------------------------------------- encoding


def encode(completion: Completion) -> bytes:
    """The body for a client of this dialect."""
    said: dict[str, Json] = {
        "id": completion.id,
        "object": "chat.completion",
        "created": int(time.time()) if completion.created is None else completion.created,
        "model": completion.model,
        "choices": [_encode_choice(choice) for choice in completion.choices],
    }
    if completion.usage is not None:
        said["usage"] = msgspec.to_builtins(from_domain(completion.usage))
    return msgspec.json.encode(merged(said, carried(completion.extra)))


def _encode_choice(choice: Choice) -> dict[str, Json]:
    parts, foreign = _without_foreign(choice.parts)
    said: dict[str, Json] = {
        "index": choice.index,
        "message": {"role": "assistant", "refusal": None} | encode_assistant(_joined(parts), "choices"),
        "logprobs": encode_logprobs(choice.logprobs),
        "finish_reason": encode_finish(choice.finish),
    }
    if choice.stop_sequence is not None:
        said["stop_reason"] = choice.stop_sequence
    extra = carried(choice.extra)
    if (reason := extra.pop("finish_reason", None)) is not None and choice.finish == "other":
        said["finish_reason"] = reason
    for dialect, fields in foreign.items():
        extra = merged(extra, {"extra_content": {dialect: {"parts": fields}}})
    return merged(said, extra)


def _joined(parts: Sequence[Part]) -> list[Part]:
    """Answers of this dialect have one text: those of other dialects may come in several blocks."""
    texts = [part for part in parts if isinstance(part, Text)]
    if len(texts) < 2:
        return list(parts)
    last = next((text for text in reversed(texts) if text.signature is not None), texts[0])
    whole = Text(
        text="".join(text.text for text in texts),
        signature=last.signature,
        minted_by=last.minted_by,
        citations=placed(texts),
    )
    at = parts.index(texts[0])
    return [*parts[:at], whole, *(part for part in parts[at:] if not isinstance(part, Text))]


def _without_foreign(parts: Sequence[Part]) -> tuple[list[Part], dict[str, list[Json]]]:
    """The parts that can be said, without other dialects' fields; the rest by dialect, each with the part's number."""
    kept: list[Part] = []
    foreign: dict[str, list[Json]] = {}
    for at, part in enumerate(parts):
        if isinstance(part, Audio | Document):
            foreign.setdefault(UNKNOWN, []).append({"part": at} | untold_medium(part))
            continue
        for citation in part.citations if isinstance(part, Text) else ():
            if citation.url is None:
                dialect, fields = untold_citation(citation)
                foreign.setdefault(dialect, []).append({"part": at, "citation": fields})
        if isinstance(part, Refusal | ToolResult) or part.extra is None or part.extra.dialect == NAME:
            kept.append(part)
            continue
        foreign.setdefault(part.extra.dialect, []).append({"part": at} | dict(part.extra.fields))
        kept.append(replace(part, extra=None))
    return kept, foreign
