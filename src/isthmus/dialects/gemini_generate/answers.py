"""What whole answers and streamed ones have in common: reasons to finish, log probabilities, foreign fields."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from isthmus.dialects.gemini_generate.name import NAME
from isthmus.domain.message import Extra, FinishReason, Json, TokenLogprob

BROKEN_CALL = "MALFORMED_FUNCTION_CALL"
"""The reason to finish where a call's arguments are no JSON object: this dialect cannot hand such a call over."""

_DECODED: Mapping[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "CONTINUATION": "pause",
}
_ENCODED: Mapping[FinishReason, str] = {
    "stop": "STOP",
    "stop_sequence": "STOP",
    "length": "MAX_TOKENS",
    "tool_calls": "STOP",
    "content_filter": "SAFETY",
    "refusal": "SAFETY",
    "pause": "CONTINUATION",
    "other": "OTHER",
}


def decode_finish(reason: str, *, has_calls: bool) -> FinishReason:
    if reason == "STOP" and has_calls:
        return "tool_calls"
    return _DECODED.get(reason, "other")


def untold(reason: str) -> dict[str, Json]:
    """The reason itself, to be kept among the extra fields where ours does not say it all."""
    return {} if _ENCODED[decode_finish(reason, has_calls=False)] == reason else {"finishReason": reason}


def encode_finish(reason: FinishReason, more: Extra | None, *, broken_call: bool = False) -> str:
    if broken_call and reason != "length":
        return BROKEN_CALL
    if more is not None and more.dialect == NAME and isinstance(told := more.fields.get("finishReason"), str):
        return told
    return _ENCODED[reason]


def carried(more: Extra | None) -> Mapping[str, Json]:
    """Fields of an answer beyond the domain's; another dialect's under its name, which clients ignore."""
    if more is None or not more.fields:
        return {}
    return more.fields if more.dialect == NAME else {"extraContent": {more.dialect: dict(more.fields)}}


class _Token(msgspec.Struct, rename="camel"):
    token: str = ""
    log_probability: float = 0.0

    def to_domain(self, top: tuple[TokenLogprob, ...] = ()) -> TokenLogprob:
        return TokenLogprob(token=self.token, logprob=self.log_probability, top=top)


class _Top(msgspec.Struct):
    candidates: list[_Token] = []


class Logprobs(msgspec.Struct, rename="camel"):
    chosen_candidates: list[_Token] = []
    top_candidates: list[_Top] = []

    def to_domain(self) -> tuple[TokenLogprob, ...]:
        tops = [tuple(one.to_domain() for one in top.candidates) for top in self.top_candidates]
        tops += [()] * (len(self.chosen_candidates) - len(tops))
        return tuple(one.to_domain(top) for one, top in zip(self.chosen_candidates, tops, strict=False))


def encode_logprobs(tokens: tuple[TokenLogprob, ...]) -> dict[str, Json]:
    return {
        "chosenCandidates": [_token(one) for one in tokens],
        "topCandidates": [{"candidates": [_token(top) for top in one.top]} for one in tokens],
    }


def _token(one: TokenLogprob) -> dict[str, Json]:
    return {"token": one.token, "logProbability": one.logprob}
