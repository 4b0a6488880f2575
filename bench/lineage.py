"""What lineage costs and how well it holds: `python bench/lineage.py [--pages 100000]`.

Prints storage, the time of a lookup, matches without reason, recall and over-tainting. Harmless text comes from the
folder that ISTHMUS_DATA names (every `prompt` and `text` in the `.jsonl.gz` files below it), else it is generated.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import os
import random
import sqlite3
import statistics
import string
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from typing_extensions import override

from isthmus.domain.label import Label
from isthmus.ledger.fingerprints import FingerprintFile
from isthmus.perimeter.lineage import Lineage, Seen
from isthmus.perimeter.winnow import GUARANTEE, NOISE, fingerprints, normalise

PAGE = 3_000
"""Characters of a page."""
PAGES_PER_DOCUMENT = 10
PHI = Label("phi")
KEY = bytes(range(32))

numbers = random.Random(20)
WORDS = ["".join(numbers.choices(string.ascii_lowercase, k=numbers.randint(2, 9))) for _ in range(20_000)]
COMMON = WORDS[:300]


def prose(characters: int) -> str:
    """Made-up words, half of them from a small vocabulary."""
    words = (numbers.choice(COMMON if numbers.random() < 0.5 else WORDS) for _ in range(characters // 4))
    return " ".join(words)[:characters]


def harmless_texts() -> tuple[str, list[str]]:
    """Where the harmless texts are from, and they."""
    folder = os.environ.get("ISTHMUS_DATA")
    if folder:
        texts = sorted({text for path in sorted(Path(folder).rglob("*.jsonl.gz")) for text in _texts_in(path)})
        numbers.shuffle(texts)
        return f"{len(texts):,} prompts and texts of {folder}", texts
    return "generated", [prose(2_000) for _ in range(4_000)]


def _texts_in(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            yield from (record[name] for name in ("prompt", "text") if isinstance(record.get(name), str))


def opened(folder: Path) -> tuple[FingerprintFile, Lineage]:
    store = FingerprintFile(folder / "lineage.db")
    return store, Lineage(store, KEY, clock=time.time)


def storage_and_registering(pages: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store, lineage = opened(Path(folder))
        documents = [prose(PAGE * PAGES_PER_DOCUMENT) for _ in range(pages // PAGES_PER_DOCUMENT)]
        began = time.perf_counter()
        count = sum(
            lineage.register("default", PHI, f"document {number}", [text]).fingerprints
            for number, text in enumerate(documents)
        )
        seconds = time.perf_counter() - began
        with sqlite3.connect(store.path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        grown = store.path.stat().st_size
        began = time.perf_counter()
        lineage.forget("default", "document 0")
        forgetting = time.perf_counter() - began
        print(f"storage: {count / pages:.0f} fingerprints a page of {PAGE:,} characters, "
              f"{grown / pages * 1000 / 1e6:.2f} MB for 1,000 pages as they were registered, "
              f"{store.path.stat().st_size / pages * 1000 / 1e6:.2f} MB after a document was forgotten")  # fmt: skip
        print(f"registering: {seconds / pages * 1e3:.2f} ms a page; forgetting one of these: {forgetting:.2f} s")
        store.close()


def lookup(pages: int, fingerprints_per_page: int = 144) -> None:
    """Fingerprints are indistinguishable from random numbers: random numbers stand for those of the other pages."""
    with tempfile.TemporaryDirectory() as folder:
        store, lineage = opened(Path(folder))
        mine = prose(100_000)
        lineage.register("default", PHI, "mine", [mine])
        rows = pages * fingerprints_per_page
        began = time.perf_counter()
        _fill(store.path, rows)
        print(f"lookup: {rows / 1e6:.1f} million fingerprints ({pages:,} pages), "
              f"{store.path.stat().st_size / 1e6:.0f} MB, filled in {time.perf_counter() - began:.0f} s")  # fmt: skip
        for what, texts in (
            ("nothing of it known", [prose(10_000) for _ in range(100)]),
            ("1 KB of it known", [prose(9_000) + mine[at : at + 1_000] for at in range(0, 100_000, 1_000)]),
        ):
            first, again = Times(), Times()
            for text in texts:
                for times in (first, again):
                    with times.one():
                        found = lineage.recall("default", [text])
                    assert bool(found[0]) == (what != "nothing of it known")
            print(f"  10 KB, {what}: {first}; the same text again: {again}")
        made, noted, kept = Times(), Times(), Times()
        for number in range(100):
            plain, labelled = prose(10_000), prose(10_000)
            with made.one():
                fingerprints(plain, KEY)
            lineage.recall("default", [plain, labelled])
            with noted.one():
                lineage.remember("default", str(number), [Seen(text=plain, labels={})])
            with kept.one():
                lineage.remember("default", "", [Seen(text=labelled, labels={PHI: 3600.0}, origin="request req_1")])
        print(f"  of that, making the fingerprints: {made}")
        print(f"  10 KB that passed, without a label: {noted}; remembering it under a label: {kept}")
        documents = [prose(PAGE * PAGES_PER_DOCUMENT) for _ in range(20)]
        began = time.perf_counter()
        for number, text in enumerate(documents):
            lineage.register("default", PHI, f"more {number}", [text])
        each = (time.perf_counter() - began) / len(documents)
        print(f"  registering one more document of {PAGES_PER_DOCUMENT} pages: {each * 1e3:.0f} ms")
        began = time.perf_counter()
        lineage.forget("default", "more 0")
        print(f"  forgetting it: {time.perf_counter() - began:.1f} s")
        store.close()


def _fill(path: Path, rows: int) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -200000")
    step = (1 << 64) / rows
    connection.execute("BEGIN")
    for begin in range(0, rows, 1_000_000):
        some = range(begin, min(begin + 1_000_000, rows))
        connection.executemany(
            "INSERT INTO prints VALUES (?, 1)",
            ((int((place + numbers.random()) * step) - (1 << 63),) for place in some),
        )
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()


class Times:
    """Times of something done again and again: by the clock, and of this thread's CPU."""

    def __init__(self) -> None:
        self._wall: list[float] = []
        self._cpu: list[float] = []

    @contextmanager
    def one(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.thread_time()
        yield
        self._wall.append(time.perf_counter() - wall)
        self._cpu.append(time.thread_time() - cpu)

    @override
    def __str__(self) -> str:
        most = sorted(self._wall)[int(len(self._wall) * 0.95)]
        wall, cpu = statistics.median(self._wall) * 1e3, statistics.median(self._cpu) * 1e3
        return f"{wall:.2f} ms (CPU {cpu:.2f}; 95% within {most * 1e3:.2f})"


def false_matches(texts: Sequence[str]) -> None:
    """Half of the texts are registered, the other half is looked up; each match is checked against the text itself."""
    known, asked = texts[: len(texts) // 2], texts[len(texts) // 2 :]
    runs: dict[int, str] = {}
    true_runs: set[str] = set()
    for text in known:
        normal = normalise(text).text
        true_runs.update(normal[at : at + NOISE] for at in range(len(normal) - NOISE + 1))
        runs.update((mark.hash, "") for mark in fingerprints(text, KEY))
    windows = matches = false = 0
    touched = 0
    for text in asked:
        windows += max(0, len(normalise(text).units) - NOISE + 1)
        hits = [mark for mark in fingerprints(text, KEY) if mark.hash in runs]
        matches += len(hits)
        touched += bool(hits)
        false += sum(normalise(text[mark.start : mark.end]).text not in true_runs for mark in hits)
    print(f"false matches: {false} in {windows / 1e6:.2f} million harmless windows against {len(runs):,} fingerprints "
          f"({matches:,} matches in {touched:,} of {len(asked):,} texts are stretches both really have)")  # fmt: skip


def recall(trials: int) -> None:
    """Stretches of 64 normal characters and more, cut out anywhere, disguised and put into other text."""
    disguises = (
        str.upper,
        lambda text: text.replace(" ", "\n> "),
        lambda text: json.dumps(json.dumps(text.replace(" ", "\n"))),
        lambda text: f"<p>{text.replace(' ', '</b> <i>')}</p>",
        lambda text: "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text),
        lambda text: text.replace("e", "e\u200b"),
    )
    with tempfile.TemporaryDirectory() as folder:
        store, lineage = opened(Path(folder))
        records = [prose(3_000) for _ in range(200)]
        for number, record in enumerate(records):
            seen = [Seen(text=record, labels={PHI: 3600.0}, origin=f"request req_{number}")]
            lineage.remember("default", str(number), seen)
        missed = 0
        for _ in range(trials):
            record = numbers.choice(records)
            at = numbers.randrange(len(record) - 200)
            end = at + GUARANTEE
            while len(normalise(record[at:end]).units) < GUARANTEE:
                end += 1
            shown = numbers.choice(disguises)(record[at:end])
            text = f"{prose(numbers.randrange(400))}\n{shown}\n{prose(numbers.randrange(400))}"
            missed += not lineage.recall("default", [text])[0]
        print(f"recall: {trials - missed:,} of {trials:,} disguised stretches of {GUARANTEE} normal characters found")
        store.close()


def over_tainting(requests: int, *, labelled_share: float, before: int, harmless: bool) -> None:
    """Requests of one application: the same system prompt and tools, and examples in one message with a record."""
    system, tools, examples = prose(3_000), prose(4_000), prose(2_500)
    with tempfile.TemporaryDirectory() as folder:
        store, lineage = opened(Path(folder))
        if harmless:
            lineage.register("default", None, "examples", [examples])
        tainted = ordinary = leaked = 0
        records: list[str] = []
        for number in range(requests):
            body = prose(600)
            labelled = number >= before and (number == before or numbers.random() < labelled_share)
            message = f"{examples}\n\nPatient: {body}"
            recalled = lineage.recall("default", [system, tools, message])
            if not labelled:
                ordinary += 1
                tainted += any(recalled)
            labels = {PHI: 30 * 86_400.0} if labelled or any(recalled) else {}
            seen = [
                Seen(text=system, labels={}, boilerplate=True),
                Seen(text=tools, labels={}, boilerplate=True),
                Seen(text=message, labels=labels, origin=f"request req_{number}"),
            ]
            lineage.remember("default", f"conversation {number}", seen)
            if labelled:
                records.append(body)
        for body in records:
            leaked += not lineage.recall("default", [f"{prose(300)} {body} {prose(300)}"])[0]
        how = f"{before} ordinary ones first" if before else "a labelled one first"
        how += ", examples registered as harmless" if harmless else ""
        print(f"over-tainting ({how}): {tainted:,} of {ordinary:,} ordinary requests tainted; "
              f"{len(records) - leaked} of {len(records)} records of labelled ones recognised")  # fmt: skip
        store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=100_000, help="registered pages to look up against")
    parser.add_argument("--requests", type=int, default=10_000, help="requests of the measure of over-tainting")
    chosen = parser.parse_args()
    where, texts = harmless_texts()
    print(f"harmless texts: {where}")
    storage_and_registering(1_000)
    false_matches(texts)
    recall(20_000)
    for before, harmless in itertools.product((5, 0), (False, True)):
        if before == 0 or not harmless:
            over_tainting(chosen.requests, labelled_share=0.02, before=before, harmless=harmless)
    lookup(chosen.pages)


if __name__ == "__main__":
    main()
