"""What isthmus makes of recorded exchanges with real vendors: how much of them it understands, and what it loses.

    python -m bench.recordings PLACE...             folders, or bare git repositories; a table, and what was lost
    python -m bench.recordings PLACE... --json FILE

Recordings are read where they lie and nothing of them is kept: what is printed are shapes (names of fields of the
dialects), counts and names of files, never a value.

For every exchange whose address is that of a form that isthmus speaks:

    request   facts read, decoded, encoded in the same form, and every field looked for in that (`bench.accounts`);
              decoded and encoded once more it stays the same; encoded in every other dialect, or refused with the
              field that is to blame
    answer    decoded and encoded in the same form, every field looked for; the usage is what the body says; text and
              calls reach a client of every other dialect
    stream    cut at random places it says the same as whole; encoded again it says the same; the usage that is read
              off the passing bytes is what the stream says
    fault     the message of an error is found

It ends with 1 where something is none of: understood, or refused with the field that is to blame.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import msgspec
from rich.console import Console
from rich.progress import track

from bench.accounts import Account, account
from bench.cassettes import Exchange, Unread, commit_of, read_place
from bench.table import markdown
from isthmus.dialects.adapted import Adapted
from isthmus.dialects.dialect import Dialect
from isthmus.dialects.gather import gather
from isthmus.dialects.registry import NAMES, dialect_of, form_of, whole_form_of
from isthmus.domain.errors import (
    InvalidRequest,
    IsthmusError,
    RequestError,
    StreamInterrupted,
    Unsupported,
    UpstreamMalformed,
    UpstreamRefused,
)
from isthmus.domain.message import Completion, CompletionRequest, Event, Refusal, Text, ToolCall
from isthmus.domain.request import RequestFacts
from isthmus.domain.usage import Usage

Json = Any
SEED = 20261121
CUTS = 60
"""Places at which a stream is cut."""

ANY = CompletionRequest(model="any", messages=())
"""A request that says nothing, for answers that are read without theirs."""

Kind = Literal["request", "answer", "stream", "fault"]


@dataclass(slots=True)
class Tally:
    """What became of one kind of body of one form."""

    seen: int = 0
    understood: int = 0
    fields: int = 0
    same: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    added: Counter[str] = field(default_factory=Counter)
    by: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    """By the field that is to blame."""
    rightly: int = 0
    """Refused as the vendor itself refused them."""
    elsewhere: dict[str, Counter[str]] = field(default_factory=dict)
    """Of requests, by the other dialect: `ok`, or the field it was refused for."""

    def take(self, found: Account) -> None:
        self.fields += found.fields
        self.same += found.same
        self.lost.update(found.lost)
        self.added.update(found.added)
        self.by.update(found.by)

    @property
    def otherwise(self) -> int:
        return max(0, self.fields - self.same - self.lost.total())


@dataclass(slots=True)
class Findings:
    """What became of all that was read."""

    tallies: dict[str, dict[Kind, Tally]] = field(default_factory=dict)
    hosts: dict[str, Counter[str]] = field(default_factory=dict)
    unread: Counter[str] = field(default_factory=Counter)
    bugs: dict[str, list[str]] = field(default_factory=dict)
    """What should not be, with the exchanges that show it."""

    def tally(self, form: str, kind: Kind) -> Tally:
        return self.tallies.setdefault(form, {}).setdefault(kind, Tally())

    def bug(self, exchange: Exchange, what: str) -> None:
        self.bugs.setdefault(f"{exchange.target.form}: {what}", []).append(f"{exchange.file}#{exchange.number}")


# -------------------------------------------------------------------------------------------------------------- judging


def judge(exchange: Exchange, findings: Findings) -> None:
    """Put one exchange through the forms."""
    findings.hosts.setdefault(exchange.target.form, Counter())[exchange.host] += 1
    refusing = exchange.status >= 400
    request = _guarded(exchange, findings, "request", lambda: _request(exchange, findings, vendor_refused=refusing))
    if refusing:
        _guarded(exchange, findings, "fault", lambda: _fault(exchange, findings))
        return
    kind: Kind = "stream" if exchange.streamed else "answer"
    findings.tally(exchange.target.form, kind).seen += 1
    read = _whole_answer if exchange.target.form not in NAMES else _stream if exchange.streamed else _answer
    if request is not None:
        _guarded(exchange, findings, kind, lambda: read(exchange, findings, request))
    elif exchange.target.form in NAMES:
        _guarded(exchange, findings, kind, lambda: read(exchange, findings, ANY), alone=True)


def _guarded(
    exchange: Exchange, findings: Findings, kind: Kind, step: Callable[[], Any], *, alone: bool = False
) -> Any:
    """What a step gives; None where it fails, which is a bug. The words of an upstream are not repeated.

    Args:
        exchange: which.
        findings: takes a note.
        kind: of the body.
        step: what is tried.
        alone: whether it is an answer whose request was refused: that it is not of what we know is no wonder.
    """
    try:
        return step()
    except UpstreamRefused as error:  # an error that was told after an answer had begun, or with status 200
        findings.tally(exchange.target.form, "fault").seen += 1
        findings.tally(exchange.target.form, "fault").understood += bool(error.message)
        findings.tally(exchange.target.form, kind).seen -= 1
    except (Unsupported, UpstreamMalformed, StreamInterrupted) as error:
        if alone:
            findings.tally(exchange.target.form, kind).refused["as its request was"] += 1
        else:
            findings.bug(exchange, f"{kind}: {type(error).__name__}: {_shaped(error.message)}")
    except IsthmusError as error:
        findings.bug(exchange, f"{kind}: {type(error).__name__}: {_shaped(error.message)}")
    except Exception as error:  # the boundary of one exchange: whatever happens is told, and the next is read
        last = traceback.extract_tb(error.__traceback__)[-1]
        findings.bug(
            exchange, f"{kind}: {type(error).__name__} in {Path(last.filename).name}:{last.name}:{last.lineno}"
        )
    return None


def _request(exchange: Exchange, findings: Findings, *, vendor_refused: bool) -> Any:
    """The request as it was understood; None where it was refused."""
    name = exchange.target.form
    form: Any = form_of(name)
    tally = findings.tally(name, "request")
    tally.seen += 1
    try:
        form.read_facts(exchange.request)
        request = form.decode_request(exchange.request)
    except Unsupported as error:
        tally.refused[_shaped(error.param or "")] += 1
        return None
    except InvalidRequest as error:
        if not vendor_refused:
            raise
        tally.rightly += 1
        tally.refused[_shaped(error.param or "")] += 1
        return None
    tally.understood += 1
    if name == "openai-moderations":  # never translated
        return request
    request = _in_its_place(request, exchange)
    encoded = form.encode_request(request, model=request.model, adapted=Adapted())
    tally.take(account(msgspec.json.decode(exchange.request), msgspec.json.decode(encoded), f"{name} request"))
    again = _in_its_place(form.decode_request(encoded), exchange)
    if form.encode_request(again, model=request.model, adapted=Adapted()) != encoded:
        findings.bug(exchange, "request: what is encoded of it is understood otherwise")
    if isinstance(request, CompletionRequest):
        for other in NAMES:
            if other != name:
                _said_elsewhere(exchange, findings, request, other, tally)
    return request


def _in_its_place(request: Any, exchange: Exchange) -> Any:
    """The request with what its address tells."""
    target = exchange.target
    if target.model is not None:
        request = replace(request, model=target.model)
    return replace(request, stream=True, stream_usage=True) if target.stream else request


def _said_elsewhere(
    exchange: Exchange, findings: Findings, request: CompletionRequest, other: str, tally: Tally
) -> None:
    dialect = dialect_of(other)
    told = tally.elsewhere.setdefault(other, Counter())
    try:
        body = dialect.encode_request(request, model="any", adapted=Adapted())
    except Unsupported as error:
        told[_shaped(error.param or "")] += 1
        return
    except RequestError as error:
        findings.bug(exchange, f"request to {other}: {type(error).__name__}: {_shaped(error.message)}")
        return
    try:
        dialect.read_facts(body)
        dialect.decode_request(body)
    except RequestError as error:
        findings.bug(exchange, f"request to {other}, which is none there: {_shaped(error.message)}")
    else:
        told["ok"] += 1


def _whole_answer(exchange: Exchange, findings: Findings, request: Any) -> None:
    """Of a form that always answers whole."""
    name = exchange.target.form
    form = whole_form_of(name)
    tally = findings.tally(name, "answer")
    answer = form.decode_answer(exchange.answer, request)
    tally.understood += 1
    told = msgspec.json.decode(exchange.answer)
    tally.take(account(told, msgspec.json.decode(form.encode_answer(answer, request)), f"{name} answer"))
    _check_usage(exchange, findings, form.read_usage(exchange.answer), [told])


def _answer(exchange: Exchange, findings: Findings, request: CompletionRequest) -> None:
    name = exchange.target.form
    dialect = dialect_of(name)
    tally = findings.tally(name, "answer")
    completion = dialect.decode_completion(exchange.answer)
    tally.understood += 1
    told = msgspec.json.decode(exchange.answer)
    encoded = dialect.encode_completion(completion, request)
    tally.take(account(told, msgspec.json.decode(encoded), f"{name} answer"))
    if not _answers_the_same(completion, dialect.decode_completion(encoded)):
        findings.bug(exchange, "answer: what is encoded of it is understood otherwise")
    _check_usage(exchange, findings, completion.usage, [told])
    _check_usage(exchange, findings, dialect.read_usage(exchange.answer), [told])
    for other in NAMES:
        if other != name and not (len(completion.choices) > 1 and other not in ("openai-chat", "gemini-generate")):
            client = dialect_of(other)
            handed = client.decode_completion(client.encode_completion(completion, ANY))
            if _said(completion) != _said(handed):
                findings.bug(exchange, f"answer to {other}: text or calls differ")


def _stream(exchange: Exchange, findings: Findings, request: CompletionRequest) -> None:
    name = exchange.target.form
    dialect = dialect_of(name)
    tally = findings.tally(name, "stream")
    whole = _events(dialect, [exchange.answer])
    tally.understood += 1
    pieces = cut(exchange.answer, random.Random(f"{SEED} {exchange.file} {exchange.number}"))
    if _events(dialect, pieces) != whole:
        findings.bug(exchange, "stream: cut in pieces it says something else")
    completion = gather(whole)
    again = gather(_events(dialect, [_encoded(dialect, whole, request)]))
    tally.take(account(_plain(completion), _plain(again), f"{name} stream"))
    facts = RequestFacts(model="any", stream=True, stream_usage=True)
    watch = dialect.usage_watch(facts)
    passed = b"".join([*map(watch.feed, pieces), watch.close()])
    if passed != exchange.answer:
        findings.bug(exchange, "stream: what passes is not what came")
    if not watch.complete:
        findings.bug(exchange, "stream: its end is not seen in passing")
    told = list(_data(exchange.answer))
    _check_usage(exchange, findings, watch.usage, told)
    _check_usage(exchange, findings, completion.usage, told)
    for other in NAMES:
        if other != name and len(completion.choices) == 1:
            client = dialect_of(other)
            handed = gather(_events(client, [_encoded(client, whole, ANY)]))
            if _said(completion) != _said(handed):
                findings.bug(exchange, f"stream to {other}: text or calls differ")


def _fault(exchange: Exchange, findings: Findings) -> None:
    tally = findings.tally(exchange.target.form, "fault")
    tally.seen += 1
    fault = form_of(exchange.target.form).decode_fault(exchange.status, exchange.headers, exchange.answer)
    told = _longest_message(exchange.answer)
    if told is None or " ".join(told.split())[:400] not in fault.message:
        findings.bug(exchange, "fault: its message is not found")
    else:
        tally.understood += 1


def cut(data: bytes, rng: random.Random, cuts: int = CUTS) -> list[bytes]:
    """The bytes in pieces."""
    places = sorted({0, len(data), *(rng.randrange(len(data) + 1) for _ in range(cuts))})
    return [data[start:end] for start, end in pairwise(places)]


def _events(dialect: Dialect, pieces: Iterable[bytes]) -> list[Event]:
    decoder = dialect.stream_decoder()
    return [*(event for piece in pieces for event in decoder.feed(piece)), *decoder.close()]


def _encoded(dialect: Dialect, events: Sequence[Event], request: CompletionRequest) -> bytes:
    encoder = dialect.stream_encoder(replace(request, stream=True, stream_usage=True))
    return b"".join([*map(encoder.encode, events), encoder.close()])


def _plain(completion: Completion) -> Json:
    """As JSON, in which a field is looked for."""
    return msgspec.json.decode(msgspec.json.encode(completion))


def _answers_the_same(one: Completion, other: Completion) -> bool:
    return _said(one) == _said(other) and one.usage == other.usage


def _said(completion: Completion) -> list[tuple[str, list[tuple[str, Json]]]]:
    """The text and the calls of each choice."""
    return [
        (
            "".join(part.text for part in choice.parts if isinstance(part, Text | Refusal)),
            [(part.name, _arguments(part.arguments)) for part in choice.parts if isinstance(part, ToolCall)],
        )
        for choice in completion.choices
    ]


def _arguments(text: str) -> Json:
    try:
        return msgspec.json.decode(text or "{}")
    except msgspec.DecodeError:
        return text


# ----------------------------------------------------------------------------------- what the bodies say themselves


def _data(stream: bytes) -> Iterator[Json]:
    """The JSON of the events of a stream, read without the code that is being judged."""
    for line in stream.splitlines():
        data = line.removeprefix(b"data:").strip()
        if line.startswith(b"data:") and data != b"[DONE]":
            yield msgspec.json.decode(data)


def _check_usage(exchange: Exchange, findings: Findings, usage: Usage | None, told: Sequence[Json]) -> None:
    """Compare the usage that was read with what the body says in its own words."""
    wanted = told_usage(exchange.target.form, told)
    if wanted is not None and (usage is None or (usage.input, usage.output) not in wanted):
        findings.bug(exchange, "usage: not what the body says")


def told_usage(form: str, bodies: Sequence[Json]) -> list[tuple[int, int]] | None:
    """Input and output tokens that a body or the events of a stream tell; several where it can be read in two ways.

    None: it tells none.
    """
    found: dict[str, Json] = {}
    for body in bodies:
        for place in (body, body.get("message"), body.get("response")):
            if isinstance(place, dict):
                for name in ("usage", "usageMetadata"):
                    found |= {key: value for key, value in (place.get(name) or {}).items() if value is not None}
    if not found or form in ("gemini-count", "anthropic-count", "openai-moderations"):
        return None

    def count(*names: str) -> int:
        return sum(int(found.get(name) or 0) for name in names)

    match form.partition("-")[0]:
        case "anthropic":
            whole = count("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
            return [(whole, count("output_tokens"))]
        case "gemini":
            whole = count("promptTokenCount", "toolUsePromptTokenCount")
            return [(whole, count("candidatesTokenCount", "thoughtsTokenCount"))]
        case _:
            read, written = count("prompt_tokens", "input_tokens"), count("completion_tokens", "output_tokens")
            whole = max(count("total_tokens"), read + written)
            return [(read, whole - read), (whole - written, written)]


def _longest_message(body: bytes) -> str | None:
    """The longest of the texts in `message`, `detail` or `error`; a body that is no JSON is its own message."""
    try:
        content = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body.decode("utf-8", "replace")

    def texts(value: Json, name: str = "") -> Iterator[str]:
        if isinstance(value, dict):
            for key, inner in value.items():
                if key != "metadata":
                    yield from texts(inner, key)
        elif isinstance(value, list):
            for inner in value:
                yield from texts(inner, name)
        elif isinstance(value, str) and name in ("message", "msg", "detail", "error"):
            yield value

    return max(texts(content), key=len, default=None)


def _shaped(text: str) -> str:
    """A path without its numbers."""
    return re.sub(r"\[\d+\]", "[]", text)


# -------------------------------------------------------------------------------------------------------------- telling


def report(findings: Findings, places: Sequence[tuple[str, str]]) -> str:
    """The findings as Markdown."""
    parts = [
        "\n".join(f"{place} {commit}".strip() for place, commit in places),
        ", ".join(f"{count} {why}" for why, count in sorted(findings.unread.items())),
        markdown(
            ("form", "body", "seen", "understood", "refused", "fields", "same", "said otherwise", "lost"),
            [
                _row(form, kind, tally)
                for form, kinds in sorted(findings.tallies.items())
                for kind, tally in kinds.items()
            ],
        ),
    ]
    for form, kinds in sorted(findings.tallies.items()):
        for kind, tally in kinds.items():
            parts.append(_details(form, kind, tally))
    if findings.bugs:
        rows = [
            (what, str(len(where)), where[0])
            for what, where in sorted(findings.bugs.items(), key=lambda item: -len(item[1]))
        ]
        parts.append(markdown(("what should not be", "times", "for example"), rows))
    return "\n\n".join(part for part in parts if part)


def _row(form: str, kind: Kind, tally: Tally) -> tuple[str, ...]:
    if not tally.fields:
        return (form, kind, str(tally.seen), str(tally.understood), str(tally.refused.total()), "", "", "", "")
    numbers = (tally.refused.total(), tally.fields, tally.same, tally.otherwise, tally.lost.total())
    return (form, kind, str(tally.seen), str(tally.understood), *(f"{number:,}" for number in numbers))


def _details(form: str, kind: Kind, tally: Tally) -> str:
    listed = {"lost": tally.lost, "added": tally.added, "refused": tally.refused, "by": tally.by}
    listed |= {f"to {other}": told for other, told in tally.elsewhere.items()}
    lines = [
        f"  {title}: " + ", ".join(f"{shape or '(none)'} {count}" for shape, count in told.most_common())
        for title, told in listed.items()
        if told
    ]
    return "\n".join([f"{form} {kind}", *lines]) if lines else ""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("places", nargs="+", type=Path, help="folders, or bare git repositories")
    parser.add_argument("--json", type=Path, help="write the findings there, too")
    asked = parser.parse_args(arguments)
    findings = Findings()
    for place in asked.places:
        for one in track(read_place(place), place.name, console=Console(stderr=True), transient=True):
            if isinstance(one, Unread):
                findings.unread[one.why] += 1
            else:
                judge(one, findings)
    print(report(findings, [(str(place), commit_of(place)) for place in asked.places]))
    if asked.json:
        asked.json.write_bytes(msgspec.json.format(msgspec.json.encode(findings)))
    return 1 if findings.bugs else 0


if __name__ == "__main__":
    sys.exit(main())
