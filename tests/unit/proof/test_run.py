"""The proof sees what crosses, and can fail: each enforcement point that is broken shows."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.proof.stages import OFFERS, RULES, WORKLOAD, written

import isthmus.perimeter.inspection
import isthmus.perimeter.perimeter
import isthmus.routing.choose
import isthmus.routing.road
from isthmus.app import App
from isthmus.domain.decision import Decision
from isthmus.domain.label import Label
from isthmus.perimeter.gate import Gate
from isthmus.perimeter.policy import Policy
from isthmus.proof.run import Proof, prove
from isthmus.proof.verdict import Verdict

pytestmark = pytest.mark.anyio

KNOWN_MISSES = {"split-context", "address"}
"""Ways by which the detectors' own misses show."""


def unexpected(proof: Proof) -> list[tuple[str | None, str | None, str, str]]:
    """Violations, without the known misses."""
    return [
        (result.cell.label, result.cell.kind, result.cell.way.name, result.cell.failure)
        for result in proof.violations
        if result.cell.way.name not in KNOWN_MISSES
    ]


def of(proof: Proof, label: str, way: str) -> set[tuple[str, Verdict]]:
    return {
        (offer, verdict)
        for result in proof.results
        if (result.cell.label, result.cell.way.name) == (label, way)
        for offer, verdict in result.verdicts.items()
    }


async def test_a_perimeter_that_stands_holds(tmp_path: Path) -> None:
    proof = await prove(written(tmp_path), quick=True)
    assert unexpected(proof) == []
    assert (proof.traces, proof.strays, proof.blind, proof.faults) == ([], {}, [], [])
    assert {offer for offer, verdict in of(proof, "phi", "message") if verdict == "crossed"} == {"home"}
    assert {offer for offer, verdict in of(proof, "pii", "message") if verdict == "lowered"} == {"gpt", "claude", "gem"}
    assert {offer for offer, verdict in of(proof, "legal", "header") if verdict == "crossed"} == {"gpt", "home"}
    assert {offer for offer, verdict in of(proof, "phi", "quoted") if verdict == "crossed"} == {"home"}
    failures = {result.cell.failure for result in proof.results}
    assert failures == {"none", "refused", "429", "500", "hang", "dies", "gone"}
    assert {result.untried for result in proof.results} == {None}
    assert any(file.endswith("lineage.db") for file in proof.files)


# ---------------------------------------------------------------------------------------------------- it must be able to fail

SMALL = """
[offers.gpt]
model = "m"
provider = "openai"
key = "env:OPENAI_API_KEY"

[offers.home]
model = "m"
provider = "ollama"

[labels.phi]
detect = ["icd10"]
needs = { side = ["own"] }

[labels.pii]
detect = ["email"]
needs = { side = ["own"] }
else = "redact"
"""


def looks_away(app: App) -> None:
    """The last look does nothing."""

    async def check(*_: object) -> None:
        pass

    app.gate.check = check  # type: ignore[method-assign]
    app.gate._clear = lambda *_: None  # type: ignore[method-assign]


def chooses_blindly(patch: pytest.MonkeyPatch) -> None:
    choose = isthmus.routing.road.choose

    def blind(workload: Any, facts: Any, labels: Any, *rest: Any, **named: Any) -> Decision:
        return choose(workload, facts, (), *rest, **(named | {"direct": frozenset(), "lowerable": frozenset()}))

    patch.setattr(isthmus.routing.road, "choose", blind)


async def test_a_perimeter_that_neither_chooses_nor_looks_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chooses_blindly(monkeypatch)
    proof = await prove(written(tmp_path, SMALL), quick=True, tamper=looks_away)
    assert not proof.holds
    assert {label for label, *_ in unexpected(proof)} == {"phi", "pii"}
    ways = {way for _, _, way, _ in unexpected(proof)}
    assert ways >= {"message", "system", "base64", "zero-width", "arguments", "header", "metadata", "answer", "document"}
    assert {failure for *_, failure in unexpected(proof)} >= {"500", "429", "hang", "dies", "gone", "refused"}


async def test_either_of_choosing_and_looking_holds_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = written(tmp_path, SMALL)
    assert unexpected(await prove(settings, quick=True, tamper=looks_away)) == []
    chooses_blindly(monkeypatch)
    assert unexpected(await prove(settings, quick=True)) == []


async def test_lowering_that_takes_nothing_out_is_found_out(tmp_path: Path) -> None:
    def tamper(app: App) -> None:
        looks_away(app)
        perimeter = app.gate.perimeter
        object.__setattr__(perimeter, "__class__", _Unlowering)

    proof = await prove(written(tmp_path, SMALL), quick=True, tamper=tamper)
    assert {label for label, *_ in unexpected(proof)} == {"pii"}
