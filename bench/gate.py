"""What the semantic gate catches, what it flags for nothing, and what it costs.

    ISTHMUS_DATA=/path/to/data python -m bench.gate [--prompts 1000] [--weights FILE]

Reads `sensitive-text/cases.jsonl.gz` and `routing-open-closed/outcomes.jsonl.gz` below `ISTHMUS_DATA`, and the cases
of `bench/data/gate_fresh.jsonl`. Nothing of them was fitted on. Of the fresh cases those of round 1 were written before
the last fit, and examples like the ones it had missed were added for that fit; those of round 2 were written after it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from isthmus.detectors.semantic.embedding import Embedder
from isthmus.detectors.semantic.gate import SemanticGate
from isthmus.detectors.semantic.weights import SHIPPED, load

_FRESH = Path(__file__).with_name("data") / "gate_fresh.jsonl"
_AT_ONCE = 20
_AROUND = (
    "The harbour was rebuilt after the storm of 1953 and is now twice as deep as before.",
    "Ships from the north bring timber and paper, those from the south mostly fruit and machines.",
    "In summer a small ferry takes visitors to the lighthouse, where there is a cafe with a view.",
    "Tickets are sold on board; the trip takes about forty minutes in each direction.",
    "The museum next to the pier shows models of sailing boats and old maps of the coast.",
    "On Saturdays there is a market with bread, cheese, flowers and second-hand books.",
    "The road to the station is steep, so most people take the bus that leaves every quarter of an hour.",
    "From the hill one can see the islands on clear days, and in autumn the geese on their way south.",
    "A new bridge for cyclists is planned and should be open before the end of next year.",
)
"""Nothing in these is sensitive: what the fresh cases are put among."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--prompts", type=int, default=1000, help="ordinary prompts to look at")
    parser.add_argument("--weights", type=Path, default=SHIPPED)
    parser.add_argument("--show", action="store_true", help="print the texts that were judged wrongly")
    chosen = parser.parse_args()
    gate = SemanticGate(Embedder(), load(chosen.weights), seconds_max=math.inf)
    if "ISTHMUS_DATA" in os.environ:
        data = Path(os.environ["ISTHMUS_DATA"])
        cases = list(_rows(data / "sensitive-text" / "cases.jsonl.gz"))
        for domain in sorted({case["domain"] for case in cases}):
            of_it = [case for case in cases if case["domain"] == domain]
            _tell(f"case: {domain}", gate, [c["text"] for c in of_it], [c["sensitive"] for c in of_it], chosen.show)
        _tell("cases: all sensitive", gate, [c["text"] for c in cases if c["sensitive"]], None, False)
        _tell("cases: all others", gate, [c["text"] for c in cases if not c["sensitive"]], None, False)
        prompts = sorted(_rows(data / "routing-open-closed" / "outcomes.jsonl.gz"), key=lambda row: row["key"])
        texts = [row["prompt"] for row in prompts[: chosen.prompts]]
        _tell("ordinary prompts", gate, texts, [False] * len(texts), chosen.show)
    else:
        print("ISTHMUS_DATA is not set: only the fresh cases are measured.")
    fresh = [json.loads(line) for line in _FRESH.read_text().splitlines()]
    for number in (1, 2):
        for sort, wanted in (("sensitive", True), ("look-alike", False)):
            texts = [case["text"] for case in fresh if case["round"] == number and case["sensitive"] is wanted]
            _tell(f"fresh {number}: {sort}", gate, texts, [wanted] * len(texts), chosen.show)
    for name, gap in (("a paragraph", "\n\n"), ("a sentence", " ")):
        texts = [gap.join([*_AROUND[:4], case["text"], *_AROUND[4:]]) for case in fresh if case["sensitive"]]
        _tell(f"fresh as {name} of ten", gate, texts, [True] * len(texts), False)
    _tell("the nine others alone", gate, [" ".join(_AROUND), "\n\n".join(_AROUND)], [False, False], chosen.show)


def _tell(name: str, gate: SemanticGate, texts: Sequence[str], wanted: Sequence[bool] | None, show: bool) -> None:
    flagged: list[set[str]] = []
    start, cpu = time.perf_counter(), time.process_time()
    for first in range(0, len(texts), _AT_ONCE):
        flagged += [{f.kind for f in found} for found in gate.find(texts[first : first + _AT_ONCE])]
    wall, busy = time.perf_counter() - start, time.process_time() - cpu
    size = sum(len(text.encode()) for text in texts) / 1000
    hit = sum(map(bool, flagged))
    rate = (
        f"{wall / size * 1000:5.0f} ms/kB, {busy / size * 1000:5.0f} CPU ms/kB" if wanted is not None and size else ""
    )
    print(f"{name:<24} flagged {hit:>4} of {len(texts):<5} {hit / max(1, len(texts)):6.1%}   {rate}", flush=True)
    for text, kinds, want in zip(texts, flagged, wanted or (), strict=False):
        if show and bool(kinds) != want:
            print(f"    {'missed' if want else ', '.join(sorted(kinds))}: {text[:160]!r}")


def _rows(path: Path) -> Iterable[dict[str, Any]]:
    with gzip.open(path, "rt") as lines:
        yield from map(json.loads, lines)


if __name__ == "__main__":
    main()
