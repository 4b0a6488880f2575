"""`isthmus offers`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isthmus.cli.offers import command

FILE = """
[offers.near]
model = "qwen3-32b"
provider = "vllm"
cleared = ["pii"]
capabilities = { tools = true, json_schema = "emulated", context_tokens = 32768 }

[offers.gpt]
model = "gpt-5.4-mini"
provider = "openai"
key = "env:SOME_KEY"
price = { input = 0.10, output = 0.4 }

[workloads.triage]
offers = ["near", "gpt"]
labels = ["internal"]
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SOME_KEY", "the-secret-itself")
    monkeypatch.setenv("COLUMNS", "200")
    path = tmp_path / "isthmus.toml"
    path.write_text(FILE)
    return path


def test_programmes_get_json_without_secrets(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command(file, as_json=True)
    text = capsys.readouterr().out
    assert "the-secret-itself" not in text
    told = json.loads(text)
    assert told["source"] == str(file)
    assert told["default_workload"] == "triage"
    near, gpt = told["offers"]
    assert (near["name"], near["side"], near["cleared"]) == ("near", "own", ["pii"])
    assert (gpt["key"], gpt["price"]["input"], gpt["price"]["source"]) == ("env:SOME_KEY", "0.10", "settings")
    assert told["workloads"] == [
        {
            "name": "triage",
            "offers": ["near", "gpt"],
            "goal": "order",
            "labels": ["internal"],
            "attempts": 3,
            "uses": ["internal"],
        }
    ]


def test_people_get_tables(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command(file)
    text = capsys.readouterr().out
    assert "tools ~json_schema" in text
    assert "32,768" in text
    assert "unlabelled only" in text
    assert "triage (default)" in text
    assert "isthmus.toml" in text


def test_nothing_is_cut_in_a_narrow_window(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    command(file)
    text = capsys.readouterr().out
    assert "near · own · qwen3-32b at vllm" in text
    assert "cleared for pii" in text
    assert "$0.10 in, $0.4 out" in text
    assert "tools ~json_schema" in text
    assert all(len(line) <= 80 for line in text.splitlines() if str(file) not in line)
