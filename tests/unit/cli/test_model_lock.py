"""`isthmus models lock` and `verify`, as they are typed."""

import json
import os
from pathlib import Path

import pytest
from bench.model_file_set import STATE_DICT, SYSTEM, gguf, safetensors, torch_zip
from typer.testing import CliRunner, Result

from isthmus.cli.models import app
from isthmus.domain.errors import ConfigError
from isthmus.providers.embedded.lock import file_facts, read_lock


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, settings that have an embedded offer, and nothing locked yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "160")
    for name in [name for name in os.environ if name.endswith("_API_KEY") or name.startswith("ISTHMUS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(safetensors("{}", b""))
    (folder / "LICENSE").write_text("Do as you like.")
    (tmp_path / "own.gguf").write_bytes(gguf())
    (tmp_path / "isthmus.toml").write_text(
        '[offers.home]\nmodel = "own"\nprovider = "embedded"\nweights = "own.gguf"\n'
    )
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def verified(*arguments: str) -> tuple[int, list[tuple[str, str]]]:
    """Status, and every difference by kind and file."""
    result = run("verify", "--json", *arguments)
    rows = json.loads(result.stdout)["models"]
    return result.exit_code, [(one["kind"], one["file"]) for row in rows for one in row["differences"]]


def test_a_folder_is_locked_file_by_file_and_verified(home: Path) -> None:
    told = json.loads(run("lock", "tiny", "--lock", "models.lock", "--json").stdout)["models"]
    assert [(row["name"], row["change"], row["files"]) for row in told] == [("tiny", "new", 2)]
    model = read_lock(home / "models.lock").models["tiny"]
    assert model.files["model.safetensors"] == file_facts(home / "tiny" / "model.safetensors")
    assert model.licence.file == "LICENSE"
    assert model.licence.text_sha256
    assert not model.approved
    assert verified("--lock", "models.lock") == (0, [])


def test_embedded_offers_are_locked_into_the_lock_of_the_settings(home: Path) -> None:
    assert "home: new, 1 file" in run("lock").stdout
    model = read_lock(home / "models.lock").models["home"]
    assert model.ref == str(home / "own.gguf")
    assert json.loads((home / "models.lock").read_text())["models"]["home"]["ref"] == "own.gguf"
    assert verified() == (0, [])


def test_whatever_changes_is_told_and_ends_with_1(home: Path) -> None:
    run("lock", "tiny", "--lock", "models.lock")
    (home / "tiny" / "model.safetensors").write_bytes(safetensors("{} ", b""))
    (home / "tiny" / "LICENSE").write_text("Do not.")
    (home / "tiny" / "pytorch_model.bin").write_bytes(torch_zip(SYSTEM))
    status, differences = verified("--lock", "models.lock")
    assert status == 1
    assert differences == [
        ("changed", "LICENSE"),
        ("changed", "model.safetensors"),
        ("extra", "pytorch_model.bin"),
        ("licence", "LICENSE"),
        ("finding", "pytorch_model.bin"),
        ("finding", "pytorch_model.bin"),
    ]
    shown = run("verify", "--lock", "models.lock").stdout
    assert "tiny: 6 not as locked" in shown
    (home / "tiny" / "model.safetensors").unlink()
    assert ("missing", "model.safetensors") in verified("--lock", "models.lock")[1]


def test_an_approval_lasts_until_something_changes(home: Path) -> None:
    run("lock", "tiny", "--lock", "models.lock", "--approve", "A. Person")
    again = json.loads(run("lock", "tiny", "--lock", "models.lock", "--json").stdout)["models"][0]
    assert (again["change"], again["approved_by"]) == ("unchanged", "A. Person")
    (home / "tiny" / "more.safetensors").write_bytes(safetensors("{}", b""))
    after = json.loads(run("lock", "tiny", "--lock", "models.lock", "--json").stdout)["models"][0]
    assert (after["change"], after["approved_by"]) == ("changed", "")


def test_what_was_said_of_the_licence_stays_where_nothing_new_is_said(home: Path) -> None:
    run("lock", "tiny", "--lock", "models.lock", "--licence", "Apache-2.0")
    run("lock", "tiny", "--lock", "models.lock", "--approve", "A. Person")
    licence = read_lock(home / "models.lock").models["tiny"].licence
    assert (licence.id, licence.file) == ("Apache-2.0", "LICENSE")


def test_what_runs_code_is_not_approved(home: Path) -> None:
    (home / "tiny" / "x.pkl").write_bytes(SYSTEM)
    with pytest.raises(ConfigError, match="is not approved") as caught:
        run("lock", "tiny", "--lock", "models.lock", "--approve", "A. Person")
    assert "posix.system" in "".join(caught.value.problems)
    assert not (home / "models.lock").exists()


def test_a_pickle_beside_safetensors_is_not_approved_however_harmless(home: Path) -> None:
    (home / "tiny" / "pytorch_model.bin").write_bytes(torch_zip(STATE_DICT))
    with pytest.raises(ConfigError, match="is not approved") as caught:
        run("lock", "tiny", "--lock", "models.lock", "--approve", "A. Person")
    assert "so it is not needed" in caught.value.problems[0]


def test_what_was_found_stands_in_the_lock_and_is_no_difference_later(home: Path) -> None:
    (home / "tiny" / "model.safetensors").unlink()
    (home / "tiny" / "state.pt").write_bytes(torch_zip(STATE_DICT))
    run("lock", "tiny", "--lock", "models.lock", "--approve", "A. Person")
    assert "unpickles" in read_lock(home / "models.lock").models["tiny"].findings[0]
    assert verified("--lock", "models.lock") == (0, [])


def test_a_licence_of_its_own_is_kept_by_its_path(home: Path) -> None:
    (home / "terms.txt").write_text("Some terms.")
    run("lock", "home", "--licence", "LicenseRef-x", "--licence-file", "terms.txt")
    assert read_lock(home / "models.lock").models["home"].licence.id == "LicenseRef-x"
    (home / "terms.txt").write_text("Other terms.")
    assert verified() == (1, [("licence", str(home / "terms.txt"))])


def test_weights_of_an_offer_that_changed_are_locked_anew(home: Path) -> None:
    run("lock")
    (home / "own.gguf").write_bytes(gguf(data=bytes(31) + b"x"))
    told = json.loads(run("lock", "--json").stdout)["models"]
    assert [(row["name"], row["change"]) for row in told] == [("home", "changed")]
    assert verified() == (0, [])


def test_weights_that_the_settings_pin_to_something_else_are_not_locked(home: Path) -> None:
    with (home / "isthmus.toml").open("a") as file:
        file.write(f'sha256 = "{"0" * 64}"\n')
    with pytest.raises(ConfigError, match="not those that the settings pin"):
        run("lock")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lock", "nothing-of-that-name"), "is no embedded offer"),
        (("verify",), "Nothing is locked"),
        (("lock", "tiny", "--lock", "models.lock", "--licence-file", "gone"), "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said(home: Path, arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        run(*arguments)
