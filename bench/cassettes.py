"""Recorded exchanges with real vendors, read where they lie: in a folder, or in a git repository without a work tree.

Reads the YAML (or JSON) files of vcrpy, go-vcr and Ruby's VCR, and pydantic-ai's variant of the first, which keeps JSON
bodies as YAML. Nothing is written, and nothing of what was read is kept.
"""

from __future__ import annotations

import gzip
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec

Json = Any

_RECORDING = re.compile(r"(?:^|/)(?:\w*cassettes|recordings)/.*\.(?:ya?ml|json)\Z")
_JSON_TYPES = (dict, list, str, int, float, bool, type(None))


class Target(NamedTuple):
    """What a request is, by its address."""

    form: str
    """One of `isthmus.dialects.registry.FORMS`."""
    model: str | None = None
    """Where the address names it."""
    stream: bool = False
    """Where the address tells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its answer, as they were on the wire."""

    file: str
    number: int
    """Of the exchanges in its file, from 0."""
    host: str
    target: Target
    request: bytes
    status: int
    headers: Sequence[tuple[bytes, bytes]]
    answer: bytes

    @property
    def streamed(self) -> bool:
        kind = next((value for name, value in self.headers if name == b"content-type"), b"")
        return b"event-stream" in kind or self.answer.lstrip()[:6] in (b"data: ", b"event:")


class Unread(NamedTuple):
    """An exchange, or a whole file, that is none for us."""

    file: str
    why: Literal["other", "no_body", "absent", "not_a_recording"]
    """What it is.

    other            it is to a path of no form that isthmus speaks
    no_body          its request or its answer was not recorded, or is no text
    absent           the repository's copy here lacks the file
    not_a_recording  the file is none
    """
    what: str = ""
    """Host and last part of the path, where that tells something."""


# ------------------------------------------------------------------------------------------------------------ addresses

_GEMINI_FORMS = {
    "generateContent": "gemini-generate",
    "streamGenerateContent": "gemini-generate",
    "countTokens": "gemini-count",
    "embedContent": "gemini-embed",
    "batchEmbedContents": "gemini-batch-embed",
}
_GEMINI = re.compile(rf"/v1[a-z0-9]*/(?:.*/)?models/(?P<model>[^/:]+):(?P<verb>{'|'.join(_GEMINI_FORMS)})\Z")
_BY_END = {
    "/chat/completions": "openai-chat",
    "/responses": "openai-responses",
    "/embeddings": "openai-embeddings",
    "/moderations": "openai-moderations",
    "/v1/messages": "anthropic-messages",
    "/v1/messages/count_tokens": "anthropic-count",
}
_NO_VENDORS = ("demo-endpoints.pydantic.workers.dev", "localhost", "127.0.0.1")
"""Hosts of what only acts as a vendor."""
_OTHER_EMBEDDINGS = ("api.voyageai.com", "api.cohere.com")
"""Hosts whose embeddings have a form of their own at a path like OpenAI's."""


def target_of(method: str, url: str) -> Target | None:
    """What a request asks for; None: it is none of the forms."""
    parts = urlsplit(url)
    if method.upper() != "POST" or parts.hostname in _NO_VENDORS:
        return None
    if (found := _GEMINI.search(parts.path)) is not None and "/publishers/anthropic/" not in parts.path:
        verb = found["verb"]
        return Target(_GEMINI_FORMS[verb], unquote(found["model"]), stream=verb.startswith("stream"))
    for end, form in _BY_END.items():
        if parts.path.endswith(end) and not (form == "openai-embeddings" and parts.hostname in _OTHER_EMBEDDINGS):
            return Target(form)
    return None


# -------------------------------------------------------------------------------------------------------------- reading


def commit_of(place: Path) -> str:
    """The commit that a place holds; empty: it is no git repository."""
    ran = subprocess.run(["git", "-C", str(place), "rev-parse", "HEAD"], capture_output=True, text=True)
    return ran.stdout.strip() if ran.returncode == 0 else ""


def read_place(place: Path) -> Iterator[Exchange | Unread]:
    """The exchanges of every recording below a folder, or in the newest commit of a bare git repository."""
    files = _files_of_repository(place) if (place / "objects").is_dir() else _files_of_folder(place)
    for name, content in files:
        if content is None:
            yield Unread(name, "absent")
        else:
            yield from read_file(name, content)


def _files_of_folder(folder: Path) -> Iterator[tuple[str, bytes | None]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and _RECORDING.search(path.as_posix()):
            yield str(path.relative_to(folder)), path.read_bytes()


def _files_of_repository(repository: Path) -> Iterator[tuple[str, bytes | None]]:
    """The files of the newest commit. What the copy here lacks is not fetched."""
    git = ["git", "-C", str(repository)]
    here_alone = {**os.environ, "GIT_NO_LAZY_FETCH": "1"}
    listed = subprocess.run([*git, "ls-tree", "-rz", "HEAD"], stdout=subprocess.PIPE, check=True).stdout.decode()
    wanted: list[tuple[str, str]] = []
    for line in listed.split("\0"):
        about, _, name = line.partition("\t")
        if _RECORDING.search(name):
            wanted.append((name, about.split()[2]))
    reader = [*git, "cat-file", "--batch"]
    with subprocess.Popen(reader, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=here_alone) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for name, blob in wanted:
            process.stdin.write(f"{blob}\n".encode())
            process.stdin.flush()
            told = process.stdout.readline().split()
            if told[-1] == b"missing":
                yield name, None
            else:
                yield name, process.stdout.read(int(told[2]) + 1)[:-1]
        process.stdin.close()


def read_file(name: str, content: bytes) -> Iterator[Exchange | Unread]:
    """The exchanges of one recording."""
    told = _parsed(name, content)
    interactions = told.get("interactions", told.get("http_interactions")) if isinstance(told, dict) else None
    if not isinstance(interactions, list):
        yield Unread(name, "not_a_recording")
        return
    for number, one in enumerate(interactions):
        yield _exchange(name, number, one)


def _parsed(name: str, content: bytes) -> Json:
    if name.endswith(".json"):
        return msgspec.json.decode(content)
    yaml: Any = import_module("yaml")  # PyYAML: needed here alone, and by no one who runs isthmus
    try:
        return yaml.load(content, _loader(yaml))
    except yaml.YAMLError:
        return None


@cache
def _loader(yaml: Any) -> Any:
    """A loader that knows Ruby's way to say bytes, too."""
    loader: Any = type("Loader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {})
    loader.add_constructor("!binary", loader.construct_yaml_binary)
    return loader


def _exchange(file: str, number: int, told: Mapping[str, Json]) -> Exchange | Unread:
    request, response = told.get("request") or {}, told.get("response") or {}
    url = str(request.get("uri") or request.get("url") or "")
    target = target_of(str(request.get("method", "")), url)
    host = urlsplit(url).hostname or ""
    if target is None:
        return Unread(file, "other", f"{host} {urlsplit(url).path.rpartition('/')[2].rpartition(':')[2]}")
    asked, answered, status = _body(request), _body(response), _status(response)
    if asked is None or answered is None or status is None:
        return Unread(file, "no_body", target.form)
    return Exchange(
        file=file,
        number=number,
        host=host,
        target=target,
        request=asked,
        status=status,
        headers=tuple(_headers(response.get("headers") or {})),
        answer=answered,
    )


def _status(response: Mapping[str, Json]) -> int | None:
    status = response.get("status")
    code = status.get("code") if isinstance(status, dict) else response.get("code")
    return code if isinstance(code, int) else None


def _body(told: Mapping[str, Json]) -> bytes | None:
    if "parsed_body" in told:
        parsed = told["parsed_body"]
        return msgspec.json.encode(parsed) if isinstance(parsed, _JSON_TYPES) else None
    body = told.get("body")
    if isinstance(body, dict):
        body = body.get("string")
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, bytes) or not body:
        return None
    try:
        return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
    except (OSError, EOFError):
        return None


def _headers(told: Mapping[str, Json]) -> Iterator[tuple[bytes, bytes]]:
    for name, values in told.items():
        for value in values if isinstance(values, list) else [values]:
            yield (str(name).lower().encode(), value if isinstance(value, bytes) else str(value).encode())
