"""`isthmus bom`, from settings to a document that keeps to the schema."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.unit.catalog.test_bom import VALIDATOR, facts

from isthmus.cli.bom import command
from isthmus.domain.errors import ConfigError
from isthmus.providers.embedded.lock import Lock, LockedFile, LockedModel, write_lock

FILE = """
[catalog]
lock = "models.lock"

[organisation]
name = "Example"
seat = "DE"

[offers.home]
model = "smollm2-135m-instruct"
provider = "embedded"
weights = "{weights}"

[offers.gpu]
model = "qwen3-32b"
provider = "vllm"
cleared = ["pii"]

[offers.hosted]
model = "deepseek-ai/DeepSeek-R1"
provider = "deepinfra"
key = "env:SOME_KEY"
terms = "deepinfra/api"

[offers.gpt]
model = "gpt-5.4-mini"
provider = "openai"
key = "env:SOME_KEY"
terms = "openai/api"
"""


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One folder for all that is read once: the catalog takes seconds to be read from its files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings with offers of all three sides, and a lock for the own weights."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SOME_KEY", "the-secret-itself")
    weights = tmp_path / "small.gguf"
    weights.write_bytes(b"GGUF, as far as this test goes")
    locked = LockedFile(sha256=hashlib.sha256(weights.read_bytes()).hexdigest(), size=weights.stat().st_size)
    model = LockedModel(ref=str(weights), files={weights.name: locked}, locked_on=date(2026, 11, 21))
    write_lock(tmp_path / "models.lock", Lock(models={"home": model}))
    path = tmp_path / "isthmus.toml"
    path.write_text(FILE.format(weights=weights))
    return path


def checked(text: str) -> dict[str, Any]:
    bill: dict[str, Any] = json.loads(text)
    assert [error.message for error in VALIDATOR.iter_errors(bill)] == []
    return bill


def by_name(entries: list[dict[str, Any]]) -> Mapping[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in entries}


def test_offers_of_all_sides_make_a_document_of_models_and_services(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(file)
    text = capsys.readouterr().out
    bill = checked(text)
    models, services = by_name(bill["components"]), by_name(bill["services"])
    assert models.keys() == {"smollm2-135m", "qwen3-32b", "deepseek-r1"}
    assert services.keys() == {"hosted", "gpt"}
    assert [entry["classification"] for entry in services["gpt"]["data"]] == ["unlabelled"]
    assert services["gpt"]["endpoints"] == ["https://api.openai.com/v1"]
    assert facts(services["gpt"])["openness:headline"] == "0 closed"
    assert facts(services["hosted"])["jurisdiction"] == "US"
    assert facts(models["qwen3-32b"])["offer:gpu:internal"].startswith("allowed")
    assert "the-secret-itself" not in text


def test_weights_have_the_hash_that_the_lock_pins(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command(file)
    model = by_name(checked(capsys.readouterr().out)["components"])["smollm2-135m"]
    expected = hashlib.sha256((file.parent / "small.gguf").read_bytes()).hexdigest()
    assert model["hashes"] == [{"alg": "SHA-256", "content": expected}]


def test_what_is_discovered_makes_a_document_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ISTHMUS_CONFIG", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "the-secret-itself")
    monkeypatch.chdir(tmp_path)
    command()
    text = capsys.readouterr().out
    bill = checked(text)
    assert "smollm2-135m" in by_name(bill["components"])
    assert bill["services"]
    assert "the-secret-itself" not in text


def test_every_document_has_a_number_of_its_own(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command(file)
    first = checked(capsys.readouterr().out)
    command(file)
    assert checked(capsys.readouterr().out)["serialNumber"] != first["serialNumber"]


def test_a_file_is_written_and_said_so_on_the_error_output(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = file.parent / "bom.json"
    command(file, target)
    checked(target.read_text())
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("Wrote 3 models and 2 services to")


def test_a_file_that_cannot_be_written_is_an_error(file: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        command(file, file.parent / "no-such-folder" / "bom.json")
