"""Log probabilities of tokens, both ways."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from isthmus.domain.message import Json, TokenLogprob


class _Top(msgspec.Struct):
    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None


class WireLogprob(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[_Top] | None = None

    def to_domain(self) -> TokenLogprob:
        return TokenLogprob(
            token=self.token,
            logprob=self.logprob,
            bytes=None if self.bytes is None else tuple(self.bytes),
            top=tuple(
                TokenLogprob(
                    token=top.token, logprob=top.logprob, bytes=None if top.bytes is None else tuple(top.bytes)
                )
                for top in self.top_logprobs or ()
            ),
        )


def decode_logprobs(content: Json) -> list[TokenLogprob]:
    """Those of one part of a message; none where it has none.

    Raises:
        msgspec.ValidationError: they are not what the API says.
    """
    told = content.get("logprobs") if isinstance(content, dict) else None
    return [token.to_domain() for token in msgspec.convert(told or [], list[WireLogprob])]


def encode_logprobs(tokens: Sequence[TokenLogprob] | None) -> list[Json]:
    return [_token(token) | {"top_logprobs": [_token(top) for top in token.top]} for token in tokens or ()]


def _token(token: TokenLogprob) -> dict[str, Json]:
    told = list(token.token.encode()) if token.bytes is None else token.bytes  # demanded here
    return {"token": token.token, "logprob": token.logprob, "bytes": told}
