"""How well a small own model sorts mail and reads dates: profile privacy-first, with no way out of the machine.

    python -m bench.triage [--model NAME] [--weights FILE] [--count N]

The agent reads 50 mails one by one (`Agent.read_each`, answer `choice` out of five kinds) and 20 sentences such as
"Lunch with Ann next Tuesday at noon" (`date`, and a `choice` out of 31 times of day). Everything between the question
and the weights is what a user has: the real road, the real monitor, a store on disk, the embedded engine. Mails and
sentences, `bench/data/triage_*.jsonl`, were written for this, ten mails of each kind, before any model had seen them;
so were the questions, which are the same for every model.

As root on Linux it runs in a network namespace that has loopback and no route at all, and first proves that no packet
can go elsewhere. Otherwise it says that it did not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import msgspec
from rich.console import Console
from rich.table import Table
from typing_extensions import override

from bench.no_network import reaches_elsewhere, routes
from bench.tool_calls import wilson
from isthmus.agent import Agent
from isthmus.agent.marks import ISTHMUS, ONLY_THE_USER, USERS_WORDS, Mark, Origin, Party
from isthmus.agent.on_the_road import OnTheRoad
from isthmus.agent.tool import Field, Grant, Item, Parameter, ToolResult, Toolset, ToolSpec, Value
from isthmus.app import running
from isthmus.app_agent import rostered, workloads_of
from isthmus.catalog.open_models import open_models
from isthmus.domain.errors import ToolError
from isthmus.ledger.agent import SqlEventLog, SqlMarkStore
from isthmus.ledger.fingerprints import installation_key
from isthmus.ledger.store import open_store
from isthmus.settings import load

ROOT = Path(__file__).parents[1]
DATA = Path(__file__).with_name("data")
MODEL = "smollm2-135m-instruct"

KINDS = ("invoice", "newsletter", "meeting", "personal", "urgent")
WHICH_KIND = (
    "What kind of mail is this? invoice: something to pay, or a receipt. newsletter: sent to many subscribers. "
    "meeting: arranges or confirms a meeting or an appointment. personal: from family or friends about their lives. "
    "urgent: somebody must act at once."
)
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
"""When the sentences are said: a Saturday."""
WHICH_DAY = f"Today is {NOW:%A}, {NOW:%Y-%m-%d}. On which date does this take place?"
WHICH_TIME = "At what time of day does this begin, on the clock of 24 hours?"
TIMES = tuple(f"{half // 2:02}:{half % 2 * 30:02}" for half in range(14, 45))
"""07:00 to 22:00 in half hours."""

SETTINGS = """
[server]
bind = "127.0.0.1:8090"

[store]
url = "sqlite:{folder}/isthmus.db"

[offers.home]
provider = "embedded"
model = "{model}"
{weights}

[workloads.chat]
offers = ["home"]

[agent]
profile = "privacy-first"
"""


class Letter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mail of the set."""

    kind: str
    """What it is, by who wrote it for this."""
    sender: str
    subject: str
    text: str


class Sentence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sentence of the set, said at `NOW`."""

    text: str
    date: str
    time: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came back for one question."""

    wanted: str
    given: str | None
    """None: nothing that could be taken as an answer."""
    seconds: float

    @property
    def right(self) -> bool:
        return self.given == self.wanted


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All answers of one model."""

    mails: list[Answered]
    dates: list[Answered]
    times: list[Answered]
    routes: int
    """Routes to anything but this machine."""
    closed: bool
    """Whether the kernel refused to let a packet go elsewhere."""


# ----------------------------------------------------------------------------------------------------------- the things


def letters() -> list[Letter]:
    return [msgspec.json.decode(line, type=Letter) for line in _lines("triage_mails.jsonl")]


def sentences() -> list[Sentence]:
    return [msgspec.json.decode(line, type=Sentence) for line in _lines("triage_sentences.jsonl")]


def _lines(name: str) -> list[str]:
    return (DATA / name).read_text(encoding="utf-8").splitlines()


_READ = ToolSpec(
    name="mail_read",
    summary="Reads a mail.",
    parameters=(Parameter(name="mail", summary="The mail.", kind="mail", role="object", schema={"type": "string"}),),
    effect="read",
)


class Inbox(Toolset):
    """The mails of the set: of each the head, and the whole of one when it is read."""

    def __init__(self, found: Sequence[Letter]) -> None:
        self._letters = {f"<{at}@inbox.example>": letter for at, letter in enumerate(found, 1)}

    def heads(self) -> list[Item]:
        return [_head(name, letter) for name, letter in self._letters.items()]

    @property
    @override
    def name(self) -> str:
        return "mail"

    @property
    @override
    def specs(self) -> Sequence[ToolSpec]:
        return (_READ,)

    @override
    def parties(self, tool: str, parameter: str, value: Value) -> tuple[Party, ...]:
        raise ToolError("Nothing here sends anything.")

    @override
    async def run(self, grant: Grant) -> ToolResult:
        name = str(grant.plain()["mail"])
        letter = self._letters[name]
        head = _head(name, letter)
        body = Field(value=letter.text, kind="text", mark=_mark(letter))
        return ToolResult(items=(Item(kind="mail", id=name, fields={**head.fields, "body": body}),))

    @override
    async def find_done(self, grant: Grant) -> ToolResult | None:
        return None

    @override
    async def aclose(self) -> None: ...


def _mark(letter: Letter) -> Mark:
    return Mark(readers=ONLY_THE_USER, origins=frozenset({Origin(f"mail:{letter.sender}")}))


def _head(name: str, letter: Letter) -> Item:
    mark = _mark(letter)
    asserted = Mark(readers=ONLY_THE_USER, origins=frozenset({ISTHMUS}))
    fields = {
        "from": Field(value=letter.sender, kind="email", mark=mark),
        "subject": Field(value=letter.subject, kind="text", mark=mark),
        "received": Field(value=NOW, kind="time", mark=asserted),
    }
    return Item(kind="mail", id=name, fields=fields)


def _note(at: int, sentence: Sentence) -> Item:
    return Item(kind="note", id=str(at), fields={"text": Field(value=sentence.text, kind="text", mark=USERS_WORDS)})


# ----------------------------------------------------------------------------------------------------------- the asking


async def measure(file: Path, folder: Path, count: int | None, *, tell: bool) -> Report:
    """Have everything read, by settings that lie in a file."""
    settings = await asyncio.to_thread(load, file)
    mails, notes = letters()[:count], sentences()[:count]
    inbox = Inbox(mails)
    began = time.monotonic()
    store = await asyncio.to_thread(open_store, settings.store.url)
    try:
        async with running(settings) as app:
            app.road.roster = rostered(app.road.roster, settings.agent)
            key = await asyncio.to_thread(installation_key, folder / "installation.key")
            agent = Agent(
                reasoner=OnTheRoad(app.road),
                toolsets=[inbox],
                log=SqlEventLog(store, key),
                marks=SqlMarkStore(store, key),
                workloads=workloads_of(settings.agent, None),
                clock=lambda: NOW + timedelta(seconds=time.monotonic() - began),
            )

            async def ask(thing: Item, question: str, name: str, wanted: str, choices: Sequence[str]) -> Answered:
                start = time.perf_counter()
                [found] = await agent.read_each(
                    [thing],
                    question,
                    answer="choice" if choices else "date",
                    choices=choices,
                    found_by=inbox.name,
                    conversation=f"{name} {thing.id}",
                )
                given = None if found is None else str(found.value)
                answered = Answered(wanted=wanted, given=given, seconds=time.perf_counter() - start)
                if tell:
                    print(json.dumps([name, answered.right, wanted, given]), file=sys.stderr, flush=True)
                return answered

            heads = inbox.heads()
            await ask(heads[0], WHICH_KIND, "warming up", mails[0].kind, KINDS)
            return Report(
                mails=[
                    await ask(head, WHICH_KIND, "kind", mail.kind, KINDS)
                    for head, mail in zip(heads, mails, strict=True)
                ],
                dates=[await ask(_note(at, one), WHICH_DAY, "day", one.date, ()) for at, one in enumerate(notes)],
                times=[await ask(_note(at, one), WHICH_TIME, "time", one.time, TIMES) for at, one in enumerate(notes)],
                routes=routes(),
                closed=not reaches_elsewhere(),
            )
    finally:
        store.dispose()


def apart(model: str, weights: Path | None, count: int | None, *, tell: bool) -> Report:
    """Measure in a process of its own: as root in a network namespace that has no way out."""
    with tempfile.TemporaryDirectory(prefix="isthmus-triage-") as name:
        folder = Path(name)
        told = "" if weights is None else f'weights = "{weights.absolute()}"'
        known = next((one for one in open_models() if one.name == model), None)
        if known is not None and known.sha256 is not None:
            told += f'\nsha256 = "{known.sha256}"'
            if weights is None:
                told += f'\nweights = "{known.ref}"'
        file = folder / "isthmus.toml"
        file.write_text(SETTINGS.format(folder=folder, model=model, weights=told))
        inside = [sys.executable, "-m", "bench.triage", "--within", name]
        inside += [*([] if count is None else ["--count", str(count)]), *(["--answers"] if tell else [])]
        command = ["unshare", "--net", *inside] if os.geteuid() == 0 else inside
        kept = {key: value for key, value in os.environ.items() if not key.endswith("_API_KEY")}
        environment = {**kept, "XDG_STATE_HOME": str(folder / "state")}
        ran = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
        return msgspec.json.decode(ran.stdout.splitlines()[-1], type=Report)


# ---------------------------------------------------------------------------------------------------------- the figures


def both(dates: Sequence[Answered], times: Sequence[Answered]) -> list[Answered]:
    """Day and time of day together, as one answer."""
    return [
        Answered(
            wanted=f"{day.wanted} {hour.wanted}",
            given=None if day.given is None or hour.given is None else f"{day.given} {hour.given}",
            seconds=day.seconds + hour.seconds,
        )
        for day, hour in zip(dates, times, strict=True)
    ]


def confusion(answers: Sequence[Answered]) -> Mapping[tuple[str, str | None], int]:
    """How often what was wanted got which answer."""
    return Counter((one.wanted, one.given) for one in answers)


def constant(answers: Sequence[Answered]) -> int:
    """How many are right of somebody who always gives the answer that is wanted most often."""
    return Counter(one.wanted for one in answers).most_common(1)[0][1]


def bits(answers: Sequence[Answered]) -> float:
    """What an answer tells of what is wanted: mutual information, in bits. 0: nothing, as where all are the same.

    A few answers out of many that are possible seem to tell something by chance: with 50 answers about five kinds,
    answers that have nothing to do with the mails come to 0.23 bits, about (5 - 1)² / (2 · 50 · ln 2) (Miller 1955).
    """
    pairs, number = confusion(answers), len(answers)
    wanted, given = Counter(one.wanted for one in answers), Counter(one.given for one in answers)
    return sum(
        many / number * math.log2(many * number / (wanted[left] * given[right]))
        for (left, right), many in pairs.items()
    )


def shown(report: Report, model: str) -> tuple[Table, Table]:
    """The figures, and which kind was taken for which."""
    figures = Table("", "right", "95 % interval", "best constant answer", "different answers", "none", "seconds each")
    figures.title = model
    rows: Sequence[tuple[str, Callable[[], Sequence[Answered]]]] = (
        ("kind of mail", lambda: report.mails),
        ("day", lambda: report.dates),
        ("time of day", lambda: report.times),
        ("day and time", lambda: both(report.dates, report.times)),
    )
    for title, of in rows:
        answers = of()
        right, number = sum(one.right for one in answers), len(answers)
        low, high = wilson(right, number)
        figures.add_row(
            title,
            f"{right} of {number}",
            f"{low:.0%} to {high:.0%}",
            f"{constant(answers)} of {number}",
            str(len({one.given for one in answers} - {None})),
            str(sum(one.given is None for one in answers)),
            f"{median(one.seconds for one in answers):.2f}",
        )
    taken = Table("is, taken for", *KINDS, "no answer", title=f"{model}: an answer tells {bits(report.mails):.2f} bits")
    counts = confusion(report.mails)
    for kind in KINDS:
        taken.add_row(kind, *(str(counts.get((kind, given), 0)) for given in (*KINDS, None)))
    return figures, taken


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default=MODEL, help="a name that `isthmus models suggest` knows, or of your own")
    parser.add_argument("--weights", type=Path, help="its GGUF file, where it is on this machine already")
    parser.add_argument("--count", type=int, help="mails, and sentences, to read at most; all when not said")
    parser.add_argument("--answers", action="store_true", help="print every answer as it comes")
    parser.add_argument("--within", type=Path, metavar="FOLDER", help="for its own use")
    asked = parser.parse_args()
    if asked.within:
        if os.geteuid() == 0:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        report = asyncio.run(measure(asked.within / "isthmus.toml", asked.within, asked.count, tell=asked.answers))
        print(msgspec.json.encode(report).decode())
        return 0
    if asked.weights is None:  # while there is a network
        pull = [sys.executable, "-m", "isthmus", "models", "pull", asked.model]
        subprocess.run(pull, check=True, stdout=subprocess.DEVNULL)
    report = apart(asked.model, asked.weights, asked.count, tell=asked.answers)
    console = Console(width=120)
    for table in shown(report, asked.model):
        console.print(table)
    closed = report.closed and not report.routes
    console.print("No packet could leave." if closed else "There was a network: run it as root on Linux to be sure.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
