"""Download of one file over HTTP that goes on where it was cut off.

Blocking, for a thread: weights are fetched before an engine starts, never on the way of a request.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from typing_extensions import override

from isthmus.domain.errors import ConfigError, UpstreamUnreachable
from isthmus.providers.embedded.wheel import Progress

_CHUNK = 1 << 20
_SILENCE_SECONDS = 30.0
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}
_TRIES = 6
"""In a row without a single new byte; a try that brought some starts the count anew."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a file is downloaded from."""

    url: str
    page: str
    """Where a person reads about it."""
    bearer: str | None = None
    """Access token of the hub; sent to the host of `url` alone."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but neither hands the token to another host nor leaves TLS."""

    @override
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if old.scheme == "https" and new.scheme != "https":
            raise UpstreamUnreachable(f"{old.hostname} redirects to an address without TLS; not followed.")
        redirected = super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]  # typeshed: HTTPMessage
        if redirected is not None and (old.hostname, old.port) != (new.hostname, new.port):
            redirected.remove_header("Authorization")
        return redirected


def download(
    source: Source, part: Path, progress: Progress, *, checked: bool, sleep: Callable[[float], None] = time.sleep
) -> str:
    """Download a file into `part`, going on after what is already there.

    Args:
        source: address, and the token if it takes one.
        part: what an earlier, interrupted download left is continued.
        progress: called after every piece.
        checked: the caller knows the hash. Without, only what certainly is of the same file is continued.
        sleep: waits that many seconds between tries.

    Returns:
        SHA-256 of the whole file, in hex.

    Raises:
        ConfigError: the file does not exist, may not be read, or does not fit on the disk.
        UpstreamUnreachable: the host could not be reached, or kept breaking off.
    """
    opener = urllib.request.build_opener(_Redirects)
    digest = hashlib.sha256()
    tag = _read_tag(part)
    if tag is None and not checked:
        part.unlink(missing_ok=True)
    done = _digest_of(part, digest)
    failed = 0
    while True:
        before = done
        try:
            with opener.open(_request(source, done, tag), timeout=_SILENCE_SECONDS) as answer:
                if done and answer.status != 206:  # no ranges here, or the file changed: from the start
                    digest, done, before = hashlib.sha256(), 0, 0
                tag = _keep_tag(part, answer.headers)
                total = _total(answer.headers, done)
                _require_room(part, total, done)
                with part.open("r+b" if done else "wb") as out:
                    out.seek(done)
                    while block := answer.read(_CHUNK):
                        out.write(block)
                        digest.update(block)
                        done += len(block)
                        progress(done, total)
            if total is None or done >= total:
                _tag_file(part).unlink(missing_ok=True)
                return digest.hexdigest()
            reason = f"it stopped after {done:,} of {total:,} bytes"
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 416 and done:  # there is nothing after what we have: it is complete, or another file
                    if _length_of_416(error.headers) == done:
                        return digest.hexdigest()
                    digest, done, before, tag = hashlib.sha256(), 0, 0, None
                    part.unlink()
                elif error.code < 500 and error.code != 429:
                    raise _refused(source, error.code) from error
                reason = f"it answered {error.code}"
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and error.errno in _DISK:
                raise
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        failed = 1 if done > before else failed + 1
        if failed >= _TRIES:
            raise UpstreamUnreachable(
                f"{urlsplit(source.url).hostname} could not be read: {reason}.",
                hint="What has arrived is kept; the same command continues it.",
            )
        sleep(min(0.5 * 2 ** (failed - 1), 8.0))


def _request(source: Source, done: int, tag: str | None) -> urllib.request.Request:
    headers = {"accept-encoding": "identity"}
    if done:
        headers["range"] = f"bytes={done}-"
        if tag is not None:
            headers["if-range"] = tag  # the rest only if it is still the same file; else all of it
    if source.bearer is not None:
        headers["authorization"] = f"Bearer {source.bearer}"
    return urllib.request.Request(source.url, headers=headers)  # noqa: S310 - a hub's address, https unless set otherwise


def _digest_of(part: Path, digest: hashlib._Hash) -> int:
    """Feed what is already there to `digest`; returns its bytes."""
    done = 0
    if part.exists():
        with part.open("rb") as present:
            while block := present.read(_CHUNK):
                digest.update(block)
                done += len(block)
    return done


def _total(headers: Message, done: int) -> int | None:
    length = headers.get("content-length", "")
    return done + int(length) if length.isdigit() else None


def _length_of_416(headers: Message) -> int | None:
    """Length of the file as `Content-Range: bytes */LENGTH` says it (RFC 9110, section 14.4)."""
    _, _, length = headers.get("content-range", "").partition("*/")
    return int(length) if length.isdigit() else None


def _require_room(part: Path, total: int | None, done: int) -> None:
    free = _free_bytes(part.parent)
    if total is not None and total - done > free:
        raise ConfigError(
            f"{part.parent} has {free:,} bytes left, and {total - done:,} more are needed.",
            hint="Free some space, or set XDG_CACHE_HOME to a folder on another disk.",
        )


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _refused(source: Source, status: int) -> ConfigError:
    host = urlsplit(source.url).hostname
    if status in {401, 403}:
        return ConfigError(
            f"{host} does not let us read {source.url} ({status}).",
            hint=f"Accept the licence at {source.page} and set HF_TOKEN to a token of that account.",
        )
    return ConfigError(f"{host} has no {source.url} ({status}).", hint=f"See {source.page} for the files there are.")


def _tag_file(part: Path) -> Path:
    return part.with_suffix(".tag")


def _read_tag(part: Path) -> str | None:
    try:
        return _tag_file(part).read_text("ascii")
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def _keep_tag(part: Path, headers: Message) -> str | None:
    """Remember which version of the file `part` is the beginning of."""
    tag = headers.get("etag")
    if tag is None or not tag.startswith('"') or not tag.isascii():
        # Weak tags may not be used to continue (RFC 9110, section 13.1.5).
        _tag_file(part).unlink(missing_ok=True)
        return None
    _tag_file(part).write_text(tag, "ascii")
    return tag
