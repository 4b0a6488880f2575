import http.client
import json
import tomllib
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.upstream import upstream
from tests.system.process import Isthmus, running
from typer.testing import CliRunner, Result

from isthmus.cli.keys import app
from isthmus.domain.errors import ConfigError, InvalidRequest
from isthmus.ledger.keys import KeyStore
from isthmus.ledger.store import Store
from isthmus.settings.reading import read


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


def test_what_a_key_may_ask_for_is_given_with_commas_or_one_by_one(store: Store) -> None:
    shown = run(store, "add", "desk", "--workload", "drafts", "--workloads", "triage, drafts", "--workloads", "gpt")
    lines = tomllib.loads(shown[shown.index("[keys.") :])["keys"]["desk"]
    assert (lines["workload"], lines["workloads"]) == ("drafts", ["drafts", "gpt", "triage"])
    (key,) = KeyStore(store).load().values()
    assert key.workloads == frozenset({"drafts", "gpt", "triage"})
    run(store, "add", "free")
    desk, free = run(store, "list").splitlines()[1:]
    assert "drafts, gpt, triage" in desk
    assert "all" in free.split()
    listed = json.loads(run(store, "list", "--json"))
    assert [one["workloads"] for one in listed] == [["drafts", "gpt", "triage"], None]


@pytest.mark.parametrize("given", ["", ",", "triage,", "a b"])
def test_a_slip_in_what_a_key_may_ask_for_makes_no_key(store: Store, given: str) -> None:
    with pytest.raises(InvalidRequest, match="is no name for a workload"):
        run(store, "add", "desk", "--workloads", given)
    assert not store.exists()


OFFER = '[offers.{0}]\nprovider = "vllm"\nmodel = "test-model"\nurl = "{1}"\n'
WORKLOADS = '[workloads.triage]\noffers = ["gpu"]\n[workloads.drafts]\noffers = ["gpu"]\n'


def add_with(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    monkeypatch.setenv("HOME", str(folder))
    config = folder / "isthmus.toml"
    config.write_text(
        f'[store]\nurl = "sqlite:{folder}/isthmus.db"\n{OFFER.format("gpu", "http://127.0.0.1:1/v1")}{WORKLOADS}'
    )
    return CliRunner().invoke(app, ["add", *arguments, "--config", str(config)], catch_exceptions=False)


def test_names_the_settings_do_not_know_are_told_and_the_key_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = add_with(tmp_path, monkeypatch, "desk", "--workload", "tirage", "--workloads", "tirage,gpu,drafts", "--json")
    assert told.stderr.splitlines() == [
        "Note: the settings have no workload or offer 'tirage'. Known: drafts, gpu, triage.",
        "Note: the settings have no workload 'tirage'. Until they have, requests that name none belong to 'triage'.",
    ]
    assert json.loads(told.stdout)["workloads"] == ["drafts", "gpu", "tirage"]


def test_an_offer_may_be_asked_for_but_is_no_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = add_with(tmp_path, monkeypatch, "desk", "--workload", "triage", "--workloads", "triage,gpu")
    assert told.stderr == ""
    told = add_with(tmp_path, monkeypatch, "lab", "--workload", "gpu", "--workloads", "gpu")
    assert "no workload 'gpu'" in told.stderr


def test_settings_refuse_what_is_neither_a_workload_nor_an_offer(store: Store, tmp_path: Path) -> None:
    shown = run(store, "add", "desk", "--workloads", "triage,gpu,tirage")
    config = tmp_path / "isthmus.toml"
    config.write_text(OFFER.format("gpu", "http://127.0.0.1:1/v1") + WORKLOADS + shown[shown.index("[keys.") :])
    with pytest.raises(ConfigError) as caught:
        read(config, environ={"HOME": str(tmp_path)}, ports={})
    (problem,) = caught.value.problems
    assert "keys.desk.workloads 'tirage' is neither a workload nor an offer. Did you mean 'triage'?" in problem


def asked(isthmus: Isthmus, key: str, model: str) -> tuple[int, Any]:
    """Status and error code of a request for a completion."""
    connection = http.client.HTTPConnection("127.0.0.1", isthmus.port, timeout=10)
    with closing(connection):
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": "What is an isthmus?"}]})
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        connection.request("POST", "/v1/chat/completions", body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()).get("error", {}).get("code")


def test_a_server_holds_a_key_to_its_workloads_whether_made_by_command_or_kept_in_the_settings(tmp_path: Path) -> None:
    refused = (403, "workload_not_allowed")
    with upstream() as own:
        settings = OFFER.format("gpu", own.url) + OFFER.format("spare", own.url) + WORKLOADS
        isthmus = Isthmus(tmp_path, settings)
        made = isthmus.run("keys", "add", "desk", "--workload", "drafts", "--workloads", "drafts,gpu")
        free = json.loads(isthmus.run("keys", "add", "free", "--json").stdout)["key"]
        desk = made.stdout.splitlines()[0]
        models = ("drafts", "gpu", "auto", "triage", "spare")
        with running(isthmus):
            assert [asked(isthmus, desk, model) for model in models] == [(200, None)] * 3 + [refused] * 2
            assert [asked(isthmus, free, model) for model in models] == [(200, None)] * 5
        assert len(own.requests) == 8
        isthmus.database.rename(tmp_path / "away.db")
        isthmus.write(settings + made.stdout[made.stdout.index("[keys.") :])
        with running(isthmus):
            assert [asked(isthmus, desk, model) for model in models] == [(200, None)] * 3 + [refused] * 2


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
