"""What upstreams' error answers say: OpenAI's own form and the many that compatible servers and proxies have."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime

import msgspec

from isthmus.dialects.complaint import UNREADABLE
from isthmus.dialects.dialect import Fault
from isthmus.domain.message import Json

MESSAGE_LIMIT = 500
"""Characters of an upstream's message that are kept."""

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?\Z")
_TAG = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.DOTALL | re.IGNORECASE)


def decode_fault(status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Fault:
    """What an error answer says: OpenAI's own form and the variants of compatible servers. Never raises."""
    told = {name.lower(): value.decode("latin-1").strip() for name, value in headers}
    try:
        content: Json = msgspec.json.decode(body)
    except UNREADABLE:
        message, code, wait = _plain_text(body), None, None
    else:
        message, code, wait = read_error(content)
    retry_after = _retry_after(told)
    return Fault(
        message=shortened(message) or f"The upstream answered with status {status} and no message.",
        code=code,
        retry_after=wait if retry_after is None else retry_after,
    )


def read_error(content: Json) -> tuple[str, str | None, float | None]:
    """Message, code and seconds to wait of an error in any of the forms seen.

    `{"error": {"message", "code", "type"}}` (OpenAI), `{"error": "…"}` (Ollama), `{"message": "…"}` (Mistral, vLLM),
    `{"detail": "…"}` and `{"detail": [{"loc", "msg"}]}` (FastAPI), a list with one of these (Google).
    """
    if isinstance(content, list) and content:
        content = content[0]
    if isinstance(content, str):
        return content, None, None
    if not isinstance(content, dict):
        return "", None, None
    inner = content.get("error", content.get("errors"))
    if isinstance(inner, list) and inner:
        inner = inner[0]
    if isinstance(inner, str):
        return inner, _code(content), None
    source: Mapping[str, Json] = inner if isinstance(inner, dict) else content
    message = source.get("message") or source.get("msg") or source.get("detail") or ""
    if isinstance(message, dict):
        message = message.get("message") or message.get("msg") or message.get("detail") or ""
    if isinstance(message, list):
        message = "; ".join(_complaint(item) for item in message)
    wait = source.get("retry_after")
    return (
        message if isinstance(message, str) else "",
        _code(source),
        float(wait) if isinstance(wait, int | float) and not isinstance(wait, bool) and 0 <= wait < 1e6 else None,
    )


def shortened(message: str) -> str:
    """One line of at most `MESSAGE_LIMIT` characters."""
    line = " ".join(message.split())
    return line if len(line) <= MESSAGE_LIMIT else line[: MESSAGE_LIMIT - 1] + "…"


def _code(source: Mapping[str, Json]) -> str | None:
    for name in ("code", "type", "status"):
        value = source.get(name)
        if isinstance(value, str) and value:
            return value[:100]
    return None


def _complaint(item: Json) -> str:
    """One of FastAPI's complaints. Its `input` is what the client sent: left out."""
    if not isinstance(item, dict):
        return str(item) if isinstance(item, str) else ""
    place = item.get("loc")
    where = ".".join(str(step) for step in place if step != "body") if isinstance(place, list) else ""
    message = item.get("msg", item.get("message", ""))
    return f"{where}: {message}" if where else str(message)


def _plain_text(body: bytes) -> str:
    """A body that is no JSON: proxies answer in HTML or in a line of text."""
    text = body[: 64 * 1024].decode("utf-8", "replace")
    if "<" not in text:
        return text
    title = _TITLE.search(text)
    return title[1] if title and title[1].strip() else _TAG.sub(" ", text)


def _retry_after(headers: Mapping[bytes, str]) -> float | None:
    """Seconds to wait: what is said of waiting first, else when the exhausted rate limit is reset."""
    if (milliseconds := _number(headers.get(b"retry-after-ms"))) is not None:
        return milliseconds / 1000
    if (value := headers.get(b"retry-after")) is not None:
        seconds = _number(value)
        return _until(value) if seconds is None else seconds
    waits = [
        wait
        for what in (b"requests", b"tokens")
        if headers.get(b"x-ratelimit-remaining-" + what) == "0"
        and (wait := _duration(headers.get(b"x-ratelimit-reset-" + what))) is not None
    ]
    return max(waits, default=None)


def _number(value: str | None) -> float | None:
    return float(value) if value is not None and re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?", value) else None


def _duration(value: str | None) -> float | None:
    """Seconds of `6m0s`, `1.5s`, `20ms` or a plain number."""
    if not value:
        return None
    if (seconds := _number(value)) is not None:
        return seconds
    found = _DURATION.match(value)
    if found is None:
        return None
    days, hours, minutes, seconds, milliseconds = (float(group or 0) for group in found.groups())
    return days * 86_400 + hours * 3_600 + minutes * 60 + seconds + milliseconds / 1000


def _until(date: str) -> float | None:
    """Seconds until an HTTP date; 0 if it has passed."""
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
