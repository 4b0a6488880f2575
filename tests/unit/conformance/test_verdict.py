import json
from pathlib import Path

from conformance.verdict import Verdict, judged


def line(test: str, outcome: str, reason: str = "") -> str:
    return json.dumps({"test": test, "outcome": outcome, "reason": reason})


def verdict(*lines: str, faults: tuple[str, ...] = ()) -> Verdict:
    return judged(lines, faults, suite="any", date="2026-11-21", versions={"any": "1.0"})


def test_tests_are_counted_by_how_they_ended() -> None:
    found = verdict(line("a", "passed"), line("b", "skipped", "for a reason"), line("c", "passed"))
    assert (found.passed, found.failed, found.skipped) == (2, {}, {"b": "for a reason"})
    assert found.good


def test_a_test_that_failed_after_it_had_passed_failed() -> None:
    for lines in (("passed", "failed"), ("failed", "passed")):
        found = verdict(*(line("a", outcome, "it leaks") for outcome in lines))
        assert (found.passed, found.failed) == (0, {"a": "it leaks"})


def test_a_fault_beside_the_tests_is_a_failure() -> None:
    found = verdict(line("a", "passed"), faults=("openai refused: temperature",))
    assert found.failed == {"beside the tests, 1": "openai refused: temperature"}
    assert not found.good


def test_nothing_tried_is_not_good() -> None:
    assert not verdict(line("a", "skipped")).good


def test_a_verdict_is_kept(tmp_path: Path) -> None:
    found = verdict(line("a", "passed"))
    found.save(tmp_path)
    assert Verdict.load(tmp_path / "any.json") == found
