"""How well a small own model calls tools through isthmus: real road, real emulation, real engine, plain clients.

    ISTHMUS_DATA=/path/to/data python -m bench.tool_calls [--per-category 50] [--minutes 15] [--max-tokens 160]

Reads `tool-calls/live_prompts.jsonl.gz` below ISTHMUS_DATA: tasks that users wrote (Berkeley Function-Calling
Leaderboard, `live_simple` and `live_irrelevance`), each with tools and the calls that are accepted; where no tool fits,
the right answer is not to call. Without ISTHMUS_DATA nothing is measured, and it says so.

A seeded sample of each category is asked, each case whole and streamed, at temperature 0, through `isthmus up` on the
embedded model, with the official `openai` client. It prints a table and writes bench/out/tool_calls.json.

What is counted of the answers that are tool calls:

    well-formed  a known tool, and arguments that are JSON and valid by the tool's own schema (jsonschema)
    tool         one call, of the tool that is accepted
    right        and its arguments are accepted, by the leaderboard's own rules: strings without regard to case, blanks
                 and ,./-_*^; every required one there; none that is not accepted

An answer that ran into `max_tokens` (finish reason `length`) cannot be well-formed; it is counted by itself. The
quarter of the data that prompts were tuned on (`--split dev`) is no part of what is reported.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import math
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from statistics import median
from typing import Any, Literal

import jsonschema
import openai
from rich.console import Console
from rich.progress import track
from rich.table import Table

OUT = Path(__file__).parent / "out" / "tool_calls.json"
MODEL = "smollm2-135m-instruct"
SEED = 20261121

Split = Literal["dev", "reported"]
Json = Any


@dataclass(frozen=True, slots=True)
class Case:
    """One task of the data."""

    id: str
    category: str
    messages: Sequence[Mapping[str, Json]]
    tools: Sequence[Mapping[str, Json]]
    """As the OpenAI dialect says them."""
    accepted: Mapping[str, Mapping[str, Sequence[Json]]] | None
    """Values accepted for each argument, by tool; `""`: it may be left out. None: nothing is to be called."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, the same for whole and streamed."""

    text: str
    calls: Sequence[tuple[str, str]]
    """Name and arguments of each, as they came."""
    finish: str | None
    output_tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Verdict:
    id: str
    category: str
    streamed: bool
    ended: Literal["call", "reply", "cut", "failed"]
    """cut: it ran into max_tokens; failed: an error, or neither text nor call."""
    well_formed: bool = False
    """All its calls are, or it is a reply in text."""
    tool: bool = False
    right: bool = False
    """Where no tool is to be called: it is a reply."""
    output_tokens: int = 0
    seconds: float = 0.0
    first: bool = True
    """False: its prompt had just been asked the other way, and was in the engine's cache."""
    error: str | None = None


# ------------------------------------------------------------------------------------------------------------- the data

_TYPES = {"dict": "object", "float": "number", "double": "number", "tuple": "array", "list": "array", "bool": "boolean"}
"""Types as the data says them, which are Python's, in JSON Schema's words."""


def schema_of(told: Json) -> Json:
    """A schema of the data as JSON Schema. Its type `any` is no type at all."""
    if not isinstance(told, dict):
        return told
    schema = {key: value for key, value in told.items() if not (key == "type" and value == "any")}
    if isinstance(schema.get("type"), str):
        schema["type"] = _TYPES.get(schema["type"], schema["type"])
    for key in ("items", "additionalProperties"):
        if key in schema:
            schema[key] = schema_of(schema[key])
    if isinstance(schema.get("properties"), dict):
        schema["properties"] = {name: schema_of(one) for name, one in schema["properties"].items()}
    return schema


def _name_of(name: str) -> str:
    """Names have no dots in OpenAI's dialect."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)


def read_cases(folder: Path) -> list[Case]:
    cases: list[Case] = []
    with gzip.open(folder / "tool-calls" / "live_prompts.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if not row["functions"]:  # nothing to call, nothing to measure
                continue
            tools = [
                {
                    "type": "function",
                    "function": {
                        "name": _name_of(tool["name"]),
                        "description": tool["description"],
                        "parameters": schema_of(tool["parameters"]),
                    },
                }
                for tool in row["functions"]
            ]
            truth = row["ground_truth"]
            accepted = None if truth is None else {_name_of(name): told for name, told in truth[0].items()}
            cases.append(Case(row["id"], row["category"], row["messages"], tools, accepted))
    return cases


def split_of(case: Case) -> Split:
    """Which part of the data a case belongs to: the same for ever."""
    return "dev" if hashlib.sha256(case.id.encode()).digest()[0] < 64 else "reported"


def sample(cases: Sequence[Case], split: Split, per_category: int) -> list[Case]:
    """The same cases in every run, categories by turns: so the first of them are a sample too."""
    columns: list[list[Case]] = []
    for category in sorted({case.category for case in cases}):
        of_it = [case for case in cases if case.category == category and split_of(case) == split]
        columns.append(random.Random(SEED).sample(of_it, min(per_category, len(of_it))))
    return [case for row in zip_longest(*columns) for case in row if case is not None]


# ---------------------------------------------------------------------------------------------------------- the judging


def judge(case: Case, answer: Answer, *, streamed: bool) -> Verdict:
    blank = Verdict(case.id, case.category, streamed, "cut", output_tokens=answer.output_tokens, seconds=answer.seconds)
    if answer.finish == "length":
        return blank
    if not answer.calls:
        if answer.finish != "stop":
            return replace(blank, ended="failed", error=f"finish reason {answer.finish} without a call")
        return replace(blank, ended="reply", well_formed=True, right=case.accepted is None)
    schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in case.tools}
    well_formed = answer.finish == "tool_calls" and all(
        name in schemas and valid(arguments, schemas[name]) for name, arguments in answer.calls
    )
    called = replace(blank, ended="call", well_formed=well_formed)
    if case.accepted is None or len(answer.calls) != 1 or not well_formed:
        return called
    [(name, arguments)] = answer.calls
    if name not in case.accepted:
        return called
    return replace(called, tool=True, right=accepts(json.loads(arguments), case.accepted[name], schemas[name]))


def valid(arguments: str, schema: Mapping[str, Json]) -> bool:
    """Whether a call's arguments are JSON and valid by a schema."""
    try:
        said = json.loads(arguments)
    except ValueError:
        return False
    return isinstance(said, dict) and jsonschema.Draft202012Validator(schema).is_valid(said)


def accepts(
    said: Mapping[str, Json], accepted: Mapping[str, Sequence[Json]], schema: Mapping[str, Json] | None = None
) -> bool:
    """Whether arguments are accepted: each of those said, and none left out that must be said."""
    required = (schema or {}).get("required", ())
    if any(name not in said for name in required):
        return False
    if any(name not in accepted or not matches(value, accepted[name]) for name, value in said.items()):
        return False
    return all(name in said or "" in values for name, values in accepted.items())


def matches(value: Json, accepted: Sequence[Json]) -> bool:
    """Whether a value is one of those accepted."""
    return any(_same(value, one) for one in accepted)


def _same(value: Json, wanted: Json) -> bool:
    match value, wanted:
        case bool(), _:
            return isinstance(wanted, bool) and value == wanted
        case _, bool():
            return False
        case str(), str():
            return _plain(value) == _plain(wanted)
        case dict(), dict():
            return accepts(value, wanted)
        case list(), list():
            return len(value) == len(wanted) and all(map(_same, value, wanted))
        case _:
            return bool(value == wanted)


def _plain(text: str) -> str:
    return re.sub(r"[ ,./\-_*^]", "", text).lower().replace("'", '"')


def wilson(successes: int, of: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95% interval of a share (Wilson 1927)."""
    if not of:
        return 0.0, 1.0
    share = successes / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return max(0.0, middle - half), min(1.0, middle + half)


# --------------------------------------------------------------------------------------------------------- the asking

SETTINGS = """
[server]
bind = "127.0.0.1:{port}"

[store]
url = "sqlite:{folder}/ledger.db"

[offers.home]
provider = "embedded"
model = "{model}"
context = 4096

[workloads.chat]
offers = ["home"]
"""


@contextmanager
def isthmus_up() -> Iterator[str]:
    """isthmus on the embedded model, in a process of its own; its base address."""
    with tempfile.TemporaryDirectory(prefix="isthmus-tool-calls-") as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        file = Path(folder, "isthmus.toml")
        file.write_text(SETTINGS.format(port=port, folder=folder, model=MODEL))
        kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
        command = [sys.executable, "-m", "isthmus", "up", "--config", str(file)]
        with Path(folder, "log").open("wb") as log:
            environment = {**kept, "XDG_STATE_HOME": f"{folder}/state", "NO_COLOR": "1"}
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            _wait_until_ready(port, Path(folder, "log"), process)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(port: int, log: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            pass
        time.sleep(0.2)
    raise TimeoutError(f"isthmus did not start: {log.read_text()[-600:]}")


def ask_whole(client: openai.OpenAI, case: Case, max_tokens: int) -> Answer:
    began = time.monotonic()
    told: Any = client.chat.completions.create(**_wanted(case, max_tokens))
    [choice] = told.choices
    calls = [(call.function.name, call.function.arguments) for call in choice.message.tool_calls or ()]
    return Answer(
        choice.message.content or "",
        calls,
        choice.finish_reason,
        told.usage.completion_tokens,
        time.monotonic() - began,
    )


def ask_streamed(client: openai.OpenAI, case: Case, max_tokens: int) -> Answer:
    began = time.monotonic()
    stream: Any = client.chat.completions.create(
        **_wanted(case, max_tokens), stream=True, stream_options={"include_usage": True}
    )
    text, finish, tokens = "", None, 0
    calls: dict[int, list[str]] = {}
    for chunk in stream:
        tokens = chunk.usage.completion_tokens if chunk.usage else tokens
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
            for piece in choice.delta.tool_calls or ():
                call = calls.setdefault(piece.index, ["", ""])
                call[0] += piece.function.name or ""
                call[1] += piece.function.arguments or ""
    said = [(name, arguments) for name, arguments in calls.values()]
    return Answer(text, said, finish, tokens, time.monotonic() - began)


def _wanted(case: Case, max_tokens: int) -> dict[str, Any]:
    return {
        "model": "chat",
        "messages": case.messages,
        "tools": case.tools,
        "temperature": 0,
        "max_tokens": max_tokens,
    }


Ask = Callable[[openai.OpenAI, Case, int], Answer]
ASKS: Mapping[bool, Ask] = {False: ask_whole, True: ask_streamed}
"""By whether it streams."""


def verdict_on(case: Case, client: openai.OpenAI, max_tokens: int, *, streamed: bool) -> Verdict:
    try:
        return judge(case, ASKS[streamed](client, case, max_tokens), streamed=streamed)
    except openai.APIError as error:
        return Verdict(case.id, case.category, streamed, "failed", error=f"{type(error).__name__}: {error}"[:300])


# --------------------------------------------------------------------------------------------------------- the telling


def table_of(verdicts: Sequence[Verdict]) -> Table:
    table = Table(title=f"Tool calls of {MODEL} through isthmus; shares with 95% intervals (Wilson)")
    for column in ("category", "", "asked", "called", "replied", "cut", "failed", "well-formed", "tool", "right"):
        table.add_column(column)
    table.add_column("tokens", justify="right")
    table.add_column("seconds", justify="right")
    for category in sorted({verdict.category for verdict in verdicts}):
        for streamed in (False, True):
            these = [one for one in verdicts if (one.category, one.streamed) == (category, streamed)]
            if not these:
                continue
            ended = [sum(one.ended == end for one in these) for end in ("call", "reply", "cut", "failed")]
            whole = [one for one in these if one.ended != "cut"]
            table.add_row(
                category,
                "streamed" if streamed else "whole",
                str(len(these)),
                *map(str, ended),
                _share([one.well_formed for one in whole]),
                "" if category == "live_irrelevance" else _share([one.tool for one in these]),
                _share([one.right for one in these]),
                f"{median(one.output_tokens for one in these):.0f}",
                f"{median([one.seconds for one in these if one.first] or [math.nan]):.1f}",
            )
    return table


def _share(said: Sequence[bool]) -> str:
    low, high = wilson(sum(said), len(said))
    return f"{sum(said)}/{len(said)} ({low:.0%} to {high:.0%})"


def write(verdicts: Sequence[Verdict], asked: argparse.Namespace) -> None:
    told = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "model": MODEL, "seed": SEED, **vars(asked)}
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({**told, "verdicts": [asdict(verdict) for verdict in verdicts]}, indent=1))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--per-category", type=int, default=50)
    parser.add_argument("--max-tokens", type=int, default=160)
    parser.add_argument("--minutes", type=float, default=15, help="ask no more cases after that")
    parser.add_argument("--split", choices=("dev", "reported"), default="reported")
    asked = parser.parse_args()
    if "ISTHMUS_DATA" not in os.environ:
        print("ISTHMUS_DATA is not set: nothing is measured.")
        return 0
    cases = sample(read_cases(Path(os.environ["ISTHMUS_DATA"])), asked.split, asked.per_category)
    verdicts: list[Verdict] = []
    subprocess.run([sys.executable, "-m", "isthmus", "models", "pull", MODEL], check=True, stdout=subprocess.DEVNULL)
    with isthmus_up() as address:
        client = openai.OpenAI(base_url=address, api_key="none", max_retries=0, timeout=300)
        end = time.monotonic() + asked.minutes * 60
        for at, case in enumerate(track(cases, "asking", console=Console(stderr=True))):
            if time.monotonic() > end:
                print(f"{asked.minutes:g} minutes are over: {len(cases) - at} of {len(cases)} cases are left out.")
                break
            # Whole and streamed by turns first: the second finds the prompt in the engine's cache.
            for first, streamed in ((True, at % 4 >= 2), (False, at % 4 < 2)):
                verdict = verdict_on(case, client, asked.max_tokens, streamed=streamed)
                verdicts.append(replace(verdict, first=first))
            write(verdicts, asked)
    Console(width=170).print(table_of(verdicts))
    return 0 if all(verdict.well_formed for verdict in verdicts if verdict.ended != "cut") else 1


if __name__ == "__main__":
    sys.exit(main())
