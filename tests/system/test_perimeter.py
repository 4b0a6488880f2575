"""`isthmus perimeter`, as its users run it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.system.process import Isthmus

OFFERS = """
[offers.gpt]
model = "m"
provider = "openai"
key = "env:PROOF_KEY"
region = "US"

[offers.home]
model = "m"
provider = "ollama"
"""

RULES = """
[labels.pii]
detect = ["email"]
needs = { side = ["own"] }
else = "pseudonymise"

[labels.phi]
needs = { side = ["own"] }
"""


@pytest.fixture
def isthmus(tmp_path: Path) -> Isthmus:
    return Isthmus(tmp_path, OFFERS + RULES, environment={"COLUMNS": "80"})


def told(isthmus: Isthmus, *arguments: str, code: int = 0) -> Any:
    return json.loads(isthmus.run(*arguments, "--json", code=code).stdout)


def test_check_holds_the_rules_against_the_offers(isthmus: Isthmus) -> None:
    shown = isthmus.run("perimeter", "check").stdout
    assert "'pii' is taken off by pseudonymise where email is" in shown
    assert "2 rules, 2 offers: 0 errors, 1 loose, 1 note." in shown
    remarks = told(isthmus, "perimeter", "check")["remarks"]
    assert [(remark["level"], remark["code"], remark["subject"]) for remark in remarks] == [
        ("loose", "lowered_by_finding", "pii"),
        ("note", "never_found", "phi"),
    ]


def test_check_ends_with_1_where_rules_cannot_be_enforced(isthmus: Isthmus) -> None:
    isthmus.write(OFFERS + '[labels.legal]\nneeds = { region = ["CH"] }\n')
    codes = {remark["code"] for remark in told(isthmus, "perimeter", "check", code=1)["remarks"]}
    assert codes == {"unknown_fact", "never_found"}  # `home`, on this machine, may see it


def test_check_knows_the_labels_of_keys_in_the_store(isthmus: Isthmus) -> None:
    isthmus.write(OFFERS + '[labels.legal]\nneeds = { side = ["own"] }\n')
    assert {remark["code"] for remark in told(isthmus, "perimeter", "check")["remarks"]} == {"never_found"}
    isthmus.run("keys", "add", "clerk", "--label", "legal")
    assert told(isthmus, "perimeter", "check")["remarks"] == []


def test_test_proves_the_settings_and_writes_the_report(isthmus: Isthmus, tmp_path: Path) -> None:
    out = tmp_path / "proof"
    shown = isthmus.run("perimeter", "test", "--quick", "--out", str(out)).stdout
    assert "Nothing crossed that the rules forbid." in shown
    assert max(map(len, shown.splitlines())) <= 80
    report = json.loads((out / "report.json").read_text())
    assert report["holds"]
    assert {row["label"] for row in report["matrix"]} == {"pii", "phi"}
    assert (out / "report.html").read_text().startswith("<!doctype html>")
    assert not (isthmus.folder / "ledger.db").exists()  # nothing is written to where the user's own things are


def test_explain_shows_where_a_label_was_found_and_what_is_taken_off(isthmus: Isthmus) -> None:
    shown = isthmus.run("perimeter", "explain", "Write to jo@example.org").stdout
    assert "serves, with pii taken off" in shown
    assert "found in messages[0].content, characters 9 to 23 (email)" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert told(isthmus, "perimeter", "explain", "hello") == told(isthmus, "explain", "hello")


def test_detectors_lists_what_can_be_found() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "isthmus", "perimeter", "detectors", "--json"], capture_output=True, check=True
    )
    rows = {row["kind"]: row for row in json.loads(done.stdout)}
    assert rows["iban"] == {"kind": "iban", "detector": "rules", "groups": ["financial", "pii"]}


def test_train_says_what_is_wrong_with_an_example(tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    file.write_text('{"text": "", "kinds": []}\n')
    done = subprocess.run(
        [sys.executable, "-m", "isthmus", "perimeter", "train", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"{file}, line 1" in done.stderr
