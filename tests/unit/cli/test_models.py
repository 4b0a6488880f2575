import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from isthmus.catalog.open_models import open_models
from isthmus.cli.models import app
from isthmus.domain.errors import ConfigError

GGUF = b"GGUF" + bytes(100)
SHA256 = hashlib.sha256(GGUF).hexdigest()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "160")
    folder = tmp_path / "isthmus" / "weights"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def kept(cache: Path) -> Path:
    path = cache / "owner--name--file.gguf"
    path.write_bytes(GGUF)
    record = {"ref": "hf:owner/name/file.gguf", "sha256": "of another time", "bytes": 0, "changed_ns": 0}
    path.with_suffix(".json").write_text(json.dumps(record))
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def test_weights_in_the_cache_are_listed(kept: Path) -> None:
    (row,) = json.loads(run("list", "--json").stdout)
    assert (row["name"], row["sha256"], row["bytes"]) == ("owner--name--file", SHA256, len(GGUF))
    assert SHA256[:12] in run("list").stdout


def test_an_empty_cache_says_how_to_fill_it(cache: Path) -> None:
    assert json.loads(run("list", "--json").stdout) == []
    assert "isthmus models pull" in run("list").stdout


def test_weights_that_are_there_are_pulled_without_a_download(kept: Path) -> None:
    pulled = json.loads(run("pull", "hf:owner/name/file.gguf", "--json").stdout)
    assert pulled["already_there"]
    assert pulled["path"] == str(kept)
    assert 'weights = "hf:owner/name/file.gguf"' in pulled["settings"]
    assert f'sha256 = "{SHA256}"' in pulled["settings"]


def test_a_file_of_ones_own_is_told_how_to_use(cache: Path, tmp_path: Path) -> None:
    own = tmp_path / "Own.gguf"
    own.write_bytes(GGUF)
    shown = run("pull", str(own)).stdout
    assert "[offers.own]" in shown
    assert f'weights = "{own}"' in shown


def test_a_name_that_is_none_is_told_those_that_are(cache: Path) -> None:
    with pytest.raises(ConfigError, match="no model that isthmus knows") as caught:
        run("pull", "nope")
    assert open_models()[0].name in (caught.value.hint or "")
    with pytest.raises(ConfigError) as caught:
        run("pull", "qwen3-4")
    assert "qwen3-4b" in (caught.value.hint or "")


def test_suggestions_fit_a_narrow_window(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = run("suggest", "--all").stdout.splitlines()
    for model in open_models():
        row = next(line for line in lines if line.startswith(f"{model.name} "))
        assert len(row) <= 80
        assert any(size in row for size in ("MB", "GB"))


def test_weights_are_removed_by_name(kept: Path) -> None:
    assert json.loads(run("rm", "owner--name--file", "--json").stdout)["path"] == str(kept)
    assert not kept.exists()
    with pytest.raises(ConfigError, match="no weights"):
        run("rm", "owner--name--file")


def test_suggestions_say_what_fits_how_fast_and_how_to_get_it(cache: Path) -> None:
    told = json.loads(run("suggest", "--all", "--json").stdout)
    assert [row["name"] for row in told["models"]] == [model.name for model in open_models()]
    for row in told["models"]:
        assert row["fit"] in {"fits", "tight", "too big"}
        assert row["tokens_per_second"] > 0
        assert row["command"] == f"isthmus models pull {row['name']}"
        assert row["ref"] in row["settings"]
    shown = run("suggest", "--all").stdout
    assert "Apache-2.0" in shown
    assert "700 million monthly users" in shown


def test_more_context_needs_more_memory(cache: Path) -> None:
    def needed(*arguments: str) -> int:
        rows = json.loads(run("suggest", "--all", "--json", *arguments).stdout)["models"]
        return int(rows[0]["memory_bytes"])

    assert needed("--context", "512") < needed("--context", "4096") < needed("--context", "4096", "--parallel", "8")
