"""The proof sees what crosses, and can fail: each enforcement point that is broken shows."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.proof.stages import SMALL, proved, written

import isthmus.routing.road
from isthmus.app import App
from isthmus.domain.decision import Decision
from isthmus.domain.label import Label
from isthmus.perimeter.inspection import Inspection
from isthmus.perimeter.lineage import Lineage
from isthmus.perimeter.perimeter import Lowered, Perimeter
from isthmus.proof.run import Proof
from isthmus.proof.verdict import Verdict
from isthmus.routing.answer import Call
from isthmus.routing.choose import choose
from isthmus.routing.reading import Reading, read

pytestmark = pytest.mark.anyio


def unexpected(proof: Proof) -> list[tuple[str | None, str | None, str, str]]:
    """Violations, in brief."""
    return [
        (result.cell.label, result.cell.kind, result.cell.way.name, result.cell.failure) for result in proof.violations
    ]


def of(proof: Proof, label: str, way: str) -> set[tuple[str, Verdict]]:
    return {
        (offer, verdict)
        for result in proof.results
        if (result.cell.label, result.cell.way.name) == (label, way)
        for offer, verdict in result.verdicts.items()
    }


async def test_a_perimeter_that_stands_holds(tmp_path: Path) -> None:
    proof = await proved(written(tmp_path), failing=True)
    assert unexpected(proof) == []
    assert (proof.traces, proof.strays, proof.blind, proof.faults) == ([], {}, [], [])
    assert {offer for offer, verdict in of(proof, "phi", "message") if verdict == "crossed"} == {"home"}
    assert {offer for offer, verdict in of(proof, "pii", "message") if verdict == "lowered"} == {"gpt", "claude", "gem"}
    assert {offer for offer, verdict in of(proof, "legal", "message") if verdict == "crossed"} == {"gpt", "home"}
    assert of(proof, "phi", "quoted") <= {
        ("home", "crossed"),
        *((name, "held") for name in ("gpt", "claude", "gem", "home")),
    }
    failures = {result.cell.failure for result in proof.results}
    assert failures == {"none", "refused", "429", "500", "hang", "dies", "gone"}
    assert {result.untried for result in proof.results} == {None}
    assert any(file.endswith("lineage.db") for file in proof.files)


# ------------------------------------------------------------------------------------------ it must be able to fail


def looks_away(app: App) -> None:
    """The last look does nothing."""

    async def check(*_: object) -> None:
        pass

    app.gate.check = check  # type: ignore[method-assign, assignment]
    app.gate._clear = lambda *_: None  # type: ignore[method-assign]


def chooses_blindly(patch: pytest.MonkeyPatch) -> None:
    def blind(workload: Any, facts: Any, labels: Any, *rest: Any, **named: Any) -> Decision:
        return choose(workload, facts, (), *rest, **(named | {"direct": frozenset(), "lowerable": frozenset()}))

    patch.setattr(isthmus.routing.road, "choose", blind)


async def test_a_perimeter_that_neither_chooses_nor_looks_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chooses_blindly(monkeypatch)
    proof = await proved(written(tmp_path, SMALL), failing=True, tamper=looks_away)
    assert not proof.holds
    assert {label for label, *_ in unexpected(proof)} == {"phi", "pii", None}  # None: an image that nobody can read
    ways = {way for _, _, way, _ in unexpected(proof)}
    assert ways >= {
        "message",
        "system",
        "base64",
        "zero-width",
        "arguments",
        "header",
        "metadata",
        "answer",
        "document",
    }
    assert {failure for *_, failure in unexpected(proof)} >= {"500", "429", "hang", "dies", "gone", "refused"}


async def test_either_of_choosing_and_looking_holds_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = written(tmp_path, SMALL)
    assert unexpected(await proved(settings, tamper=looks_away)) == []
    chooses_blindly(monkeypatch)
    assert unexpected(await proved(settings)) == []


async def test_lowering_that_takes_nothing_out_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lower(self: Perimeter, inspection: Inspection, labels: frozenset[Label]) -> Lowered:
        return Lowered(body=msgspec.json.encode(inspection.body), pseudonyms=None)

    monkeypatch.setattr(Perimeter, "lower", lower)
    settings = written(tmp_path, SMALL)
    assert unexpected(await proved(settings)) == []  # the last look finds it
    proof = await proved(settings, tamper=looks_away)
    assert {label for label, *_ in unexpected(proof)} == {"pii"}


async def test_a_detector_that_is_not_there_is_found_out(tmp_path: Path) -> None:
    def tamper(app: App) -> None:
        app.gate.perimeter = replace(app.gate.perimeter, detectors=())

    proof = await proved(written(tmp_path, SMALL), tamper=tamper)
    assert {kind for _, kind, *_ in unexpected(proof)} == {"icd10", "email"}


async def test_lineage_that_forgets_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lineage, "recall", lambda _self, _tenant, texts: [()] * len(texts))
    proof = await proved(written(tmp_path, SMALL))
    assert {way for *_, way, _ in unexpected(proof)} == {"answer", "document", "quoted"}


@pytest.mark.parametrize("way", ["header", "metadata"])
async def test_declared_labels_that_are_dropped_are_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    def deaf(call: Call, *rest: Any, **named: Any) -> Reading:
        reading = read(call, *rest, **named)
        return reading._replace(labels=tuple(one for one in reading.labels if one.source != way))

    monkeypatch.setattr(isthmus.routing.road, "read", deaf)
    proof = await proved(written(tmp_path, SMALL))
    assert way in {way for *_, way, _ in unexpected(proof)}


async def test_content_in_the_log_or_in_a_file_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inspect = Perimeter.inspect

    async def talkative(self: Perimeter, body: bytes, **named: Any) -> Inspection:
        logging.getLogger("isthmus").debug("looking at %s", body)
        return await inspect(self, body, **named)

    monkeypatch.setattr(Perimeter, "inspect", talkative)

    def tamper(app: App) -> None:
        (app.settings.state_dir / "careless.txt").write_text("jo said DE89 3704 0044 0532 0130 00")

    proof = await proved(written(tmp_path, SMALL), tamper=tamper)
    assert {trace.where for trace in proof.traces} == {"the log", "state/careless.txt"}
    assert not proof.holds


async def test_a_key_with_labels_brings_them_along(tmp_path: Path) -> None:
    key = f"""
[keys.clerk]
hash = "sha256:{"0" * 64}"
labels = ["phi"]
workload = "default"
workloads = ["default"]
"""
    settings = written(tmp_path, SMALL + key)
    proof = await proved(settings)
    # Where tokens are only estimated nothing crosses to `home` either.
    assert of(proof, "phi", "key") == {("gpt", "held"), ("home", "crossed"), ("home", "held")}
    assert unexpected(proof) == []


async def test_without_rules_it_proves_what_clearances_say(tmp_path: Path) -> None:
    bare = SMALL[: SMALL.index("[labels.phi]")]
    proof = await proved(written(tmp_path, bare))
    assert proof.holds
    assert of(proof, "canary", "header") <= {("gpt", "held"), ("home", "held"), ("home", "crossed")}
    assert "document" not in {result.cell.way.name for result in proof.results}
