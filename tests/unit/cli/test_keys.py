import json
import tomllib
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from isthmus.cli.keys import app
from isthmus.domain.errors import InvalidRequest
from isthmus.ledger.keys import KeyStore
from isthmus.ledger.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path}/isthmus.db")


def run(store: Store, *arguments: str) -> str:
    result = CliRunner(env={"COLUMNS": "120"}).invoke(
        app, [*arguments, "--store", f"sqlite:///{store.path}"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


def test_a_key_is_shown_once_and_can_be_kept_in_the_settings_file_instead(store: Store) -> None:
    shown = run(
        store, "add", "front.desk", "--workload", "triage", "--team", "support", "--user", "anna",
        "--label", "phi", "--label", "internal", "--expires", "90d",
    )  # fmt: skip
    plaintext = shown.splitlines()[0]
    assert plaintext.startswith("ik-")
    assert "only time" in shown
    lines = tomllib.loads(shown[shown.index("[keys.") :])["keys"]["front.desk"]
    (key,) = KeyStore(store).load().values()
    assert lines == {
        "hash": f"sha256:{sha256(plaintext.encode()).hexdigest()}",
        "workload": "triage",
        "team": "support",
        "user": "anna",
        "labels": ["internal", "phi"],
        "expires": key.expires and key.expires.replace(microsecond=0),
    }
    assert plaintext not in run(store, "list")
    assert plaintext not in run(store, "list", "--json")


def test_the_lines_for_the_settings_file_are_lines_the_settings_take(store: Store, tmp_path: Path) -> None:
    from isthmus.settings import load

    shown = run(store, "add", "desk", "--team", "support", "--label", "phi", "--expires", "2w")
    config = tmp_path / "isthmus.toml"
    config.write_text(f'[store]\nurl = "sqlite:{store.path}"\n\n{shown[shown.index("[keys.") :]}')
    (read,) = load(config, environ={"HOME": str(tmp_path)}, ports={}).keys.values()
    (kept,) = KeyStore(store).load().values()
    assert (read.hash, read.principal, read.labels) == (kept.hash, kept.principal, kept.labels)


def test_json_has_the_key_and_what_is_kept_of_it(store: Store) -> None:
    made = json.loads(run(store, "add", "desk", "--json"))
    assert made["hash"] == f"sha256:{sha256(made['key'].encode()).hexdigest()}"
    (listed,) = json.loads(run(store, "list", "--json"))
    assert "key" not in listed
    assert (listed["name"], listed["hash"], listed["revoked"]) == ("desk", made["hash"], None)
    assert json.loads(run(store, "revoke", "desk", "--json"))["name"] == "desk"


def test_list_tells_the_state_of_each_key(store: Store) -> None:
    run(store, "add", "desk")
    run(store, "add", "lab")
    assert "revoked" in run(store, "revoke", "desk")
    desk, lab = run(store, "list").splitlines()[1:]
    assert "revoked" in desk
    assert "in force" in lab


def test_a_store_without_keys_says_how_to_make_one(store: Store) -> None:
    store.prepare()
    assert "isthmus keys add" in run(store, "list")


def test_mistakes_are_answered_with_a_sentence(store: Store) -> None:
    run(store, "add", "desk")
    with pytest.raises(InvalidRequest, match="already"):
        run(store, "add", "desk")
    with pytest.raises(InvalidRequest, match="no key called"):
        run(store, "revoke", "nobody")
    result = CliRunner().invoke(app, ["add", "x", "--expires", "soon", "--store", f"sqlite:///{store.path}"])
    assert result.exit_code == 2
    assert "no span of time" in result.output
