"""The commands a newcomer types, against the real program."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.fakes.upstream import WORDS, upstream
from tests.system.process import Isthmus, running

SENTENCE = "".join(WORDS)


def settings(url: str, *, cleared: str = "[]") -> str:
    return (
        f'[offers.near]\nprovider = "vllm"\nmodel = "test-model"\nurl = "{url}"\nside = "hosted"\n'
        f"cleared = {cleared}\nprice = {{ input = 1, output = 2 }}\n"
        '[workloads.work]\noffers = ["near"]\n'
    )


@pytest.mark.parametrize("served", [False, True], ids=["in this process", "by the running server"])
def test_a_question_is_answered_recorded_and_accounted_for(tmp_path: Path, served: bool) -> None:
    with upstream() as offer:
        isthmus = Isthmus(tmp_path, settings(offer.url))
        if served:
            isthmus.start()
        try:
            told = json.loads(isthmus.run("ask", "What is an isthmus?", "--json").stdout)
            assert told["answer"] == SENTENCE
            assert told["cost"] == "0.000025"
            assert (told["offer"], told["input_tokens"], told["output_tokens"]) == ("near", 11, 7)
            assert isthmus.entry(told["request"]).outcome == "completed"
            shown = isthmus.run("ledger", "show", told["request"]).stdout
            assert "near" in shown
            assert "0.000025" in shown
            assert "near" in isthmus.run("ledger", "tail").stdout
            (spent,) = json.loads(isthmus.run("ledger", "cost", "--by", "offer", "--json").stdout)["groups"]
            assert spent["cost"] == "0.000025"
        finally:
            isthmus.stop()


def test_what_a_person_is_told_of_an_answer_can_be_copied_in_a_narrow_window(tmp_path: Path) -> None:
    with upstream() as offer:
        isthmus = Isthmus(tmp_path, settings(offer.url), environment={"COLUMNS": "80"})
        with running(isthmus):
            facts, command = isthmus.run("ask", "What is an isthmus?").stderr.splitlines()
        assert facts.startswith("near (hosted) · 11 tokens in, 7 out · $0.000025 · ")
        assert command.startswith("isthmus ledger show ")
        assert isthmus.entry(command.rsplit(" ", 1)[1]).outcome == "completed"


def test_of_a_server_whose_ledger_is_elsewhere_the_cost_is_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "client").mkdir()
    with upstream() as offer, running(Isthmus(tmp_path, settings(offer.url))) as server:
        client = Isthmus(tmp_path / "client", settings(offer.url), port=server.port)
        assert "its cost is in the server's ledger" in client.run("ask", "What is an isthmus?").stderr
        assert json.loads(client.run("ask", "What is an isthmus?", "--json").stdout)["cost"] is None


@pytest.mark.parametrize("command", ["ask", "explain"])
def test_an_empty_question_is_not_asked(tmp_path: Path, command: str) -> None:
    with upstream() as offer:
        done = Isthmus(tmp_path, settings(offer.url)).run(command, stdin=" \n", code=1)
    assert "The question is empty" in done.stderr
    assert offer.requests == []


def test_a_request_in_a_file_is_explained_or_it_is_said_why_not(tmp_path: Path) -> None:
    isthmus = Isthmus(tmp_path, settings("http://127.0.0.1:9/v1"))
    file = tmp_path / "request.json"
    done = isthmus.run("explain", "-f", str(file), code=1)
    assert f"{file} cannot be read: No such file or directory." in done.stderr
    assert "Traceback" not in done.stderr
    file.write_text(json.dumps({"model": "near", "messages": [{"role": "user", "content": "hello"}]}))
    assert json.loads(isthmus.run("explain", "-f", str(file), "--json").stdout)["workload"] == "near"
    assert "either TEXT and --model, or --file" in " ".join(
        isthmus.run("explain", "hello", "-f", str(file), code=2).stderr.replace("│", " ").split()
    )


def test_errors_are_json_too_where_json_is_asked_for(tmp_path: Path) -> None:
    isthmus = Isthmus(tmp_path, settings("http://127.0.0.1:9/v1"))
    done = isthmus.run("explain", "hello", "--model", "nobody", "--json", code=1)
    assert done.stdout == ""
    assert json.loads(done.stderr)["error"]["code"] == "model_not_found"
    done = isthmus.run("explain", "hello", "--lable", "phi", "--json", code=2)
    assert done.stdout == ""
    assert json.loads(done.stderr)["error"]["code"] == "bad_option"
    isthmus.write("[offers.near]\nprovider = 'nobody'\nmodel = 'm'\n")
    error = json.loads(isthmus.run("offers", "--json", code=1).stderr)["error"]
    assert (error["code"], len(error["problems"])) == ("config_error", 1)


def test_one_problem_with_the_settings_is_told_once(tmp_path: Path) -> None:
    isthmus = Isthmus(tmp_path, "[offers.near]\nprovider = 'nobody'\nmodel = 'm'\n")
    assert isthmus.run("offers", code=1).stderr.count("nobody") == 1
    (tmp_path / "isthmus.toml").write_text("[offers")
    assert isthmus.run("offers", code=1).stderr.count("is not TOML") == 1


@pytest.mark.parametrize("content", [None, b"no model at all"], ids=["missing", "wrong"])
def test_weights_that_are_not_what_the_settings_say_stop_the_start(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "model.gguf"
    if content is not None:
        file.write_bytes(content)
    own = f'[offers.home]\nprovider = "embedded"\nmodel = "m"\nweights = "{file}"\n'
    done = Isthmus(tmp_path, own).run("up", code=1)
    assert "Offer 'home' cannot serve" in done.stderr
    assert str(file) in done.stderr
    assert "Serving on" not in done.stderr


def test_a_question_may_come_from_standard_input_and_its_answer_goes_to_standard_output_alone(tmp_path: Path) -> None:
    with upstream() as offer:
        done = Isthmus(tmp_path, settings(offer.url)).run("ask", "-", stdin="What is an isthmus?")
    assert done.stdout == SENTENCE + "\n"
    assert "near (hosted)" in done.stderr


def test_a_decision_is_explained_without_sending_anything(tmp_path: Path) -> None:
    with upstream() as offer:
        isthmus = Isthmus(tmp_path, settings(offer.url))
        plain = isthmus.run("explain", "hello").stdout
        assert "serves" in plain
        held = json.loads(isthmus.run("explain", "hello", "--label", "phi", "--json").stdout)
        assert held["route"] == []
        assert held["rejected"][0]["code"] == "not_cleared"
        assert [found["source"] for found in held["labels"]] == ["command"]
        with running(isthmus):
            assert json.loads(isthmus.run("explain", "hello", "--label", "phi", "--json").stdout) == held
    assert offer.requests == []


def test_settings_are_taken_up_without_a_restart_and_without_dropping_a_stream(tmp_path: Path) -> None:
    with upstream("slow") as offer:
        isthmus = Isthmus(tmp_path, settings(offer.url))
        with running(isthmus):
            streamed: list[str] = []
            asking = threading.Thread(target=lambda: streamed.append(isthmus.run("ask", "hello").stdout))
            asking.start()
            isthmus.write(settings(offer.url) + '[workloads.new]\noffers = ["near"]\n')
            _until(lambda: isthmus.get("/v1/models/new") == 200)
            asking.join(20)
            assert streamed == [SENTENCE + "\n"]

            isthmus.write("[offers.near]\nprovider = 'nobody'\n")
            _until(lambda: "the old ones stay in force" in isthmus.log.read_text())
            assert isthmus.get("/v1/models/new") == 200
            assert isthmus.get("/healthz") == 200


def test_settings_that_cannot_be_used_are_refused_with_file_key_and_fix(tmp_path: Path) -> None:
    isthmus = Isthmus(tmp_path, "[offers.near]\nprovidr = 'vllm'\nmodel = 'm'\n[workloads.w]\noffers = ['far']\n")
    done = isthmus.run("up", code=1)
    assert "Traceback" not in done.stderr
    assert "isthmus.toml" in done.stderr
    assert "providr" in done.stderr
    assert "far" in done.stderr


def test_an_address_that_others_can_reach_is_refused_without_a_key(tmp_path: Path) -> None:
    with upstream() as offer:
        isthmus = Isthmus(tmp_path, settings(offer.url))
        done = isthmus.run("up", "--bind", "0.0.0.0:0", code=1)
    assert "isthmus keys add" in done.stderr
    assert "127.0.0.1" in done.stderr


def test_an_address_in_use_is_told(tmp_path: Path) -> None:
    with upstream() as offer, running(Isthmus(tmp_path, settings(offer.url))) as isthmus:
        done = isthmus.run("up", code=1)
    assert "cannot be bound" in done.stderr


def test_stopping_lets_what_is_under_way_end_and_writes_the_ledger_out(tmp_path: Path) -> None:
    with upstream("slow") as offer:
        isthmus = Isthmus(tmp_path, settings(offer.url), store="group_ms = 1000")
        with running(isthmus):
            answers: list[str] = []
            asking = threading.Thread(target=lambda: answers.append(isthmus.run("ask", "hello").stdout))
            asking.start()
            _until(lambda: bool(offer.requests))
            assert isthmus.process is not None
            isthmus.process.send_signal(signal.SIGTERM)
            asking.join(20)
            assert isthmus.process.wait(20) == 0
        (record,) = isthmus.records(1)
    assert answers == [SENTENCE + "\n"]
    assert record.entry.outcome == "completed"


def test_without_a_settings_file_what_is_there_is_found(tmp_path: Path) -> None:
    home = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    env = home | {"XDG_STATE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "OPENAI_API_KEY": "sk-canary"}
    done = subprocess.run(
        [sys.executable, "-m", "isthmus", "offers", "--json"],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    sides = {offer["provider"]: offer["side"] for offer in json.loads(done.stdout)["offers"]}
    assert sides["embedded"] == "own"
    assert sides["openai"] == "closed"
    assert "sk-canary" not in done.stdout + done.stderr


def _until(condition: object) -> None:
    assert callable(condition)
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
