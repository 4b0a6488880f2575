"""What whole answers and streamed ones have in common: reasons to finish, log probabilities, foreign fields."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from isthmus.dialects.openai_chat.name import NAME
from isthmus.domain.message import Extra, FinishReason, Json, TokenLogprob

_DECODED: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "function_call": "tool_calls",
    "eos": "stop",  # Together
    "model_length": "length",  # Mistral
}

_ENCODED: Mapping[FinishReason, str] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",  # the provider stopped the answer; a refusal in the model's own words ends with `stop`
    "pause": "length",  # the answer goes on when asked: it is not whole
    "other": "stop",
}


class TopLogprob(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None

    def to_domain(self) -> TokenLogprob:
        return TokenLogprob(
            token=self.token, logprob=self.logprob, bytes=None if self.bytes is None else tuple(self.bytes)
        )


class WireLogprob(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] = []

    def to_domain(self) -> TokenLogprob:
        return TokenLogprob(
            token=self.token,
            logprob=self.logprob,
            bytes=None if self.bytes is None else tuple(self.bytes),
            top=tuple(top.to_domain() for top in self.top_logprobs),
        )


class Logprobs(msgspec.Struct):
    content: list[WireLogprob] | None = None

    def to_domain(self) -> tuple[TokenLogprob, ...] | None:
        return None if self.content is None else tuple(token.to_domain() for token in self.content)


def encode_logprobs(tokens: tuple[TokenLogprob, ...] | None) -> Json:
    if tokens is None:
        return None
    return {
        "content": [_token(token) | {"top_logprobs": [_token(top) for top in token.top]} for token in tokens],
        "refusal": None,
    }


def _token(token: TokenLogprob) -> dict[str, Json]:
    return {"token": token.token, "logprob": token.logprob, "bytes": token.bytes}


def decode_finish(reason: str | None, stop_sequence: str | None) -> FinishReason | None:
    if reason is None:
        return None
    if reason == "stop" and stop_sequence is not None:
        return "stop_sequence"
    return _DECODED.get(reason, "other")


def encode_finish(reason: FinishReason | None) -> str:
    """One of the few that the official clients know; an answer that tells none is taken to have stopped."""
    return "stop" if reason is None else _ENCODED[reason]


def unknown_finish(reason: str | None) -> dict[str, Json]:
    """The reason itself, to be kept among the extra fields where it is not one of ours."""
    return {} if reason is None or reason in _DECODED else {"finish_reason": reason}


def carried(extra: Extra | None) -> dict[str, Json]:
    """Fields of an answer beyond the domain's.

    What another dialect's answer told and this one has no field for is carried in `extra_content`, by the name of its
    dialect: clients that do not know it ignore it.
    """
    if extra is None or not extra.fields:
        return {}
    return dict(extra.fields) if extra.dialect == NAME else {"extra_content": {extra.dialect: dict(extra.fields)}}
