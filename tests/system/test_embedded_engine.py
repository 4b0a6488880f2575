"""The real engine with the real small model: what the rest of isthmus relies on, and the pitfalls it works around."""

import asyncio
import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from isthmus.catalog.open_models import DEFAULT, open_model
from isthmus.domain.offer import Engine, Offer, Weights
from isthmus.providers.embedded.child import parameters
from isthmus.providers.embedded.engine import CHILD_COMMAND
from isthmus.providers.embedded.engines import EmbeddedEngines
from isthmus.providers.embedded.launch import Launch, environment
from isthmus.providers.embedded.weights import WeightsCache, weights_cache

pytestmark = pytest.mark.model

CONTEXT_TOKENS = 4096
KEY = "key-of-the-test"


@dataclass(frozen=True)
class Running:
    pid: int
    port: int

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def ask(
        self,
        path: str,
        body: object | None = None,
        *,
        key: str | None = KEY,
        connection: http.client.HTTPConnection | None = None,
    ) -> tuple[int, bytes]:
        used = connection or self.connect()
        try:
            headers = {"content-type": "application/json"}
            if key is not None:
                headers["authorization"] = f"Bearer {key}"
            used.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body), headers)
            answer = used.getresponse()
            return answer.status, answer.read()
        finally:
            if connection is None:
                used.close()

    def complete(self, prompt: str, **extra: object) -> dict[str, Any]:
        status, answer = self.ask("/v1/chat/completions", chat(prompt, **extra))
        assert status == 200, answer
        found: dict[str, Any] = json.loads(answer)
        return found

    def content(self, prompt: str, schema: object) -> Any:
        form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
        answer = self.complete(prompt, response_format=form, max_tokens=200)
        assert answer["choices"][0]["finish_reason"] == "stop"
        return json.loads(answer["choices"][0]["message"]["content"])

    def metric(self, name: str) -> int:
        _, metrics = self.ask("/metrics")
        return int(re.findall(rf"^llamacpp:{name} (\d+)", metrics.decode(), re.MULTILINE)[0])

    def under_way(self) -> int:
        return self.metric("requests_processing")

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def chat(prompt: str, **extra: object) -> dict[str, object]:
    message = {"role": "user", "content": prompt}
    return {"model": DEFAULT, "messages": [message], "temperature": 0, "max_tokens": 24, **extra}


@pytest.fixture(scope="module")
def weights() -> Weights:
    """The default model's weights; downloaded once into the cache of this user."""
    model = open_model(DEFAULT)
    assert model is not None
    found = Weights(ref=model.ref, sha256=model.sha256)
    weights_cache(os.environ).fetch(found)
    return found


def launch_of(weights: Weights) -> Launch:
    path = weights_cache(os.environ).find(weights)
    assert path is not None
    return Launch(path=str(path), model=DEFAULT, api_key=KEY, context_tokens=CONTEXT_TOKENS, threads=2, parallel=2)


@contextlib.contextmanager
def child(line: bytes) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """The engine's process started with `line`, and what it reported; it ends when its input is closed."""
    process = subprocess.Popen(
        CHILD_COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(os.environ),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        process.stdin.write(line + b"\n")
        process.stdin.flush()
        yield process, json.loads(process.stdout.readline())
    process.wait(timeout=5)


@pytest.fixture(scope="module")
def engine(weights: Weights) -> Iterator[Running]:
    process = subprocess.Popen(
        CHILD_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(os.environ)
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(msgspec.json.encode(launch_of(weights)) + b"\n")
    process.stdin.flush()
    report = json.loads(process.stdout.readline())
    assert report["type"] == "ready", report
    yield Running(process.pid, report["port"])
    process.stdin.close()
    assert process.wait(timeout=5) == 0
    process.stdout.close()


# ---- what the road relies on


def test_an_answer_names_the_model_not_the_path_and_counts_its_tokens(engine: Running) -> None:
    answer = engine.complete("Say hello.")
    assert answer["model"] == DEFAULT
    assert answer["choices"][0]["message"]["content"]
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    _, models = engine.ask("/v1/models")
    assert json.loads(models)["data"][0]["id"] == DEFAULT


def test_nothing_answers_without_the_key_but_the_health_check(engine: Running) -> None:
    for path in ("/v1/models", "/metrics", "/props", "/lora-adapters", "/slots"):
        for key in (None, "wrong"):
            assert engine.ask(path, key=key)[0] == 401, path
    assert engine.ask("/v1/chat/completions", chat("hello"), key="wrong")[0] == 401
    assert engine.ask("/health", key=None)[0] == 200


def test_the_web_page_and_the_view_into_slots_are_off(engine: Running) -> None:
    assert engine.ask("/")[0] == 404
    assert engine.ask("/slots")[0] == 501
    assert engine.ask("/tools")[0] == 403


def test_stop_ends_an_answer(engine: Running) -> None:
    answer = engine.complete("Count: one, two, three, four.", stop=["e"], max_tokens=60)
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert "e" not in answer["choices"][0]["message"]["content"]


def test_the_same_seed_gives_the_same_answer(engine: Running) -> None:
    def answers(seed: int) -> str:
        answer = engine.complete("Tell me a story.", seed=seed, temperature=1.5, cache_prompt=False)
        content = answer["choices"][0]["message"]["content"]
        assert isinstance(content, str)
        return content

    assert answers(1) == answers(1)
    assert len({answers(seed) for seed in range(1, 4)}) > 1


def test_log_probabilities_are_told_for_each_token(engine: Running) -> None:
    answer = engine.complete("Say hello.", logprobs=True, top_logprobs=3, max_tokens=5)
    tokens = answer["choices"][0]["logprobs"]["content"]
    assert len(tokens) == answer["usage"]["completion_tokens"]
    for token in tokens:
        assert token["logprob"] <= 0
        assert len(token["top_logprobs"]) == 3


def test_a_stream_ends_with_its_usage_and_the_end_mark(engine: Running) -> None:
    body = chat("Say hello.", stream=True, stream_options={"include_usage": True})
    _, answer = engine.ask("/v1/chat/completions", body)
    events = [line.removeprefix("data: ") for line in answer.decode().splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    chunks = [json.loads(event) for event in events[:-1]]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] > 0
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks[:-1])
    assert text == engine.complete("Say hello.")["choices"][0]["message"]["content"]


def test_each_request_has_the_context_it_was_promised(engine: Running) -> None:
    _, props = engine.ask("/props")
    assert json.loads(props)["default_generation_settings"]["n_ctx"] == CONTEXT_TOKENS
    status, answer = engine.ask("/v1/chat/completions", chat("word " * (CONTEXT_TOKENS + 100)))
    assert status == 400
    assert json.loads(answer)["error"]["type"] == "exceed_context_size_error"


def test_an_answer_obeys_a_json_schema(engine: Running) -> None:
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 20},
            "age": {"type": "integer", "minimum": 0, "maximum": 150},
        },
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    jsonschema.validate(engine.content("Ada is 36 years old. Name and age?", schema), schema)


def test_an_idle_engine_uses_no_processor(engine: Running) -> None:
    assert engine.under_way() == 0
    before = engine.cpu_seconds()
    time.sleep(1.0)
    assert engine.cpu_seconds() - before <= 0.03


# ---- when the client goes


def begin(engine: Running, *, stream: bool, max_tokens: int) -> http.client.HTTPConnection:
    """A request that is under way, its answer not read."""
    connection = engine.connect()
    body = chat("Tell a long story.", stream=stream, max_tokens=max_tokens, ignore_eos=True)
    headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    began = time.monotonic()
    while not engine.under_way():
        assert time.monotonic() - began < 3.0
        time.sleep(0.02)
    return connection


def test_a_stream_that_is_closed_stops_the_engine_at_once(engine: Running) -> None:
    connection = begin(engine, stream=True, max_tokens=CONTEXT_TOKENS - 100)  # half a minute, if nobody stopped it
    connection.getresponse().read(200)
    assert engine.under_way() == 1
    connection.close()
    closed = time.monotonic()
    while engine.under_way():
        assert time.monotonic() - closed < 2.0
        time.sleep(0.02)


def test_pitfall_6_a_whole_answer_is_worked_out_though_its_client_is_gone(engine: Running) -> None:
    """The engine looks for a closed connection only where it streams. So it is asked for streams wherever one can.

    When this fails, the engine has learned to stop, and that precaution may go.
    """
    before = engine.metric("tokens_predicted_total")
    connection = begin(engine, stream=False, max_tokens=500)
    connection.close()
    while engine.under_way():
        time.sleep(0.05)
    assert engine.metric("tokens_predicted_total") - before == 500


# ---- pitfalls


def test_pitfall_1_no_prompt_is_kept_beyond_its_slot(weights: Weights) -> None:
    """The cache of prompts in memory reuses what was computed under another adapter (ggml-org/llama.cpp#26207).

    Adapters come later; this holds the setting that makes them safe, and that keeps prompts from piling up in memory.
    """
    set_to: Any = parameters(launch_of(weights))
    assert set_to.cache_ram_mib == 0
    assert set_to.cache_idle_slots is False
    assert list(set_to.lora_adapters) == []


def test_pitfall_2_after_a_stream_the_connection_may_be_closed_though_keep_alive_was_promised(engine: Running) -> None:
    """What the client relies on: the next request is answered, or the connection is closed without a byte of answer."""
    outcomes = []
    for _ in range(6):
        connection = engine.connect()
        body = chat("Say hello.", stream=True, max_tokens=3)
        assert engine.ask("/v1/chat/completions", body, connection=connection)[0] == 200
        time.sleep(0.05)
        try:
            status, answer = engine.ask("/v1/chat/completions", chat("Say hello.", max_tokens=3), connection=connection)
        except (http.client.RemoteDisconnected, ConnectionError):
            outcomes.append("closed")
        else:
            assert status == 200
            assert json.loads(answer)["choices"]
            outcomes.append("answered")
        connection.close()
        assert engine.complete("Say hello.", max_tokens=3)["choices"]
    assert set(outcomes) <= {"closed", "answered"}


def test_pitfall_2_a_connection_is_kept_after_whole_answers(engine: Running) -> None:
    connection = engine.connect()
    for _ in range(3):
        assert engine.ask("/v1/chat/completions", chat("Say hello.", max_tokens=2), connection=connection)[0] == 200
    connection.close()


WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 30}, "unit": {"enum": ["celsius", "fahrenheit"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}


def union(*branches: tuple[str, str, object]) -> dict[str, object]:
    return {
        "anyOf": [
            {
                "type": "object",
                "properties": {"tool": {"const": name}, member: schema},
                "required": ["tool", member],
                "additionalProperties": False,
            }
            for name, member, schema in branches
        ]
    }


@pytest.mark.parametrize("prompt", ["What is the weather in Paris?", "Say hello.", "Set a timer of 5 minutes."])
def test_pitfall_3_an_answer_is_one_branch_of_a_union(engine: Running, prompt: str) -> None:
    """`tools` with `tool_choice: required` forces nothing on these models; a union of schemas does."""
    timer = {"type": "object", "properties": {"minutes": {"type": "integer", "maximum": 600}}, "required": ["minutes"]}
    schema = union(
        ("get_weather", "arguments", WEATHER),
        ("set_timer", "arguments", timer),
        ("none", "reply", {"type": "string", "maxLength": 120}),
    )
    jsonschema.validate(engine.content(prompt, schema), schema)


def test_pitfall_3_a_union_without_the_way_out_forces_a_call(engine: Running) -> None:
    answer = engine.content("What is the weather in Paris?", union(("get_weather", "arguments", WEATHER)))
    assert answer["tool"] == "get_weather"
    jsonschema.validate(answer["arguments"], WEATHER)


def test_pitfall_4_a_choice_is_made_in_an_object_not_at_the_top(engine: Running) -> None:
    """At the top level an enumeration is chosen from almost blindly: the first token is a quotation mark."""
    labels = {"enum": ["positive", "negative"]}
    wrapped = {"type": "object", "properties": {"label": labels}, "required": ["label"], "additionalProperties": False}
    texts = {
        "I love it, wonderful, the best!": "positive",
        "Terrible, broken, I hate it.": "negative",
        "Great value, very happy!": "positive",
        "Awful. Never again.": "negative",
    }
    prompt = "Is the sentiment of this review positive or negative? Review: {}"
    at_top = [engine.content(prompt.format(text), labels) for text in texts]
    in_object = [engine.content(prompt.format(text), wrapped)["label"] for text in texts]

    def right(answers: list[str]) -> int:
        return sum(a == b for a, b in zip(answers, texts.values(), strict=True))

    assert set(at_top) <= {"positive", "negative"}
    assert right(in_object) > right(at_top)


def test_pitfall_5_a_parameter_that_aborts_llama_cpp_takes_nobody_along(weights: Weights) -> None:
    """Python cannot catch the assertion; that is why the engine has a process of its own."""
    script = (
        "import sys, msgspec, xllamacpp\n"
        "from isthmus.providers.embedded.child import parameters\n"
        "from isthmus.providers.embedded.launch import Launch\n"
        "params = parameters(msgspec.json.decode(sys.stdin.buffer.read(), type=Launch))\n"
        "params.n_batch = params.n_ubatch = 1\n"
        "try:\n    xllamacpp.Server(params)\nexcept BaseException:\n    sys.exit('it was caught')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=msgspec.json.encode(launch_of(weights)),
        env=environment(os.environ),
        stderr=subprocess.PIPE,
        check=False,
    )
    assert done.returncode == -signal.SIGABRT, done.stderr[-500:]
    assert b"GGML_ASSERT" in done.stderr


def test_pitfall_5_the_child_itself_refuses_such_a_parameter(weights: Weights) -> None:
    asked = {**msgspec.to_builtins(launch_of(weights)), "batch_tokens": 1}
    with child(json.dumps(asked).encode()) as (process, report):
        assert "batch_tokens = 1" in report["reason"]
        assert process.wait(timeout=5) == 1


# ---- under supervision


def offer_of(weights: Weights) -> Offer:
    return Offer(
        name="home",
        model=DEFAULT,
        provider="embedded",
        dialect="openai-chat",
        base_url="",
        side="own",
        engine=Engine(weights=weights, context_tokens=512, parallel=1),
    )


def test_an_engine_that_was_killed_answers_again_within_seconds(weights: Weights, tmp_path: Path) -> None:
    async def run() -> float:
        engines = EmbeddedEngines(tmp_path, weights=weights_cache(os.environ))
        offer = offer_of(weights)
        await engines.start([offer])
        try:
            await engines.address(offer)
            status = engines.status("home")
            assert status is not None
            assert status.pid is not None
            os.kill(status.pid, signal.SIGKILL)
            killed = time.monotonic()
            while engines.status("home") == status:
                await asyncio.sleep(0.01)
            base_url, key = await engines.address(offer)
            port = int(base_url.rpartition(":")[2].removesuffix("/v1"))
            answer = await asyncio.to_thread(Running(0, port).ask, "/v1/models", key=key)
            assert answer[0] == 200
            return time.monotonic() - killed
        finally:
            await engines.aclose()

    assert asyncio.run(run()) < 5.0


def test_a_file_that_is_no_model_is_told_as_the_reason(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    launch = Launch(path=str(broken), model="m", api_key=KEY, context_tokens=512, threads=1, parallel=1)
    with child(msgspec.json.encode(launch)) as (_, report):
        assert report["type"] == "failed"
        assert report["reason"]


def test_an_engine_dies_with_the_process_that_started_it_even_when_that_is_killed(weights: Weights) -> None:
    script = (
        "import asyncio, os, pathlib, sys\n"
        "from isthmus.domain.offer import *\n"
        "from isthmus.providers.embedded.engines import EmbeddedEngines\n"
        "from isthmus.providers.embedded.weights import weights_cache\n"
        "async def main():\n"
        "    offer = Offer(name='home', model='m', provider='embedded', dialect='openai-chat', base_url='',\n"
        "        side='own', engine=Engine(weights=Weights(ref=sys.argv[1], sha256=sys.argv[2])))\n"
        "    engines = EmbeddedEngines(pathlib.Path('/nonexistent'), weights=weights_cache(os.environ))\n"
        "    await engines.start([offer])\n"
        "    await engines.address(offer)\n"
        "    print(engines.status('home').pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", script, weights.ref, weights.sha256 or ""]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert Path(f"/proc/{child}").exists()
        parent.kill()
    gone = time.monotonic()
    while Path(f"/proc/{child}").exists():
        assert time.monotonic() - gone < 3.0
        time.sleep(0.02)


def test_the_default_weights_are_in_the_cache_whole(weights: Weights) -> None:
    cache: WeightsCache = weights_cache(os.environ)
    assert weights.sha256 in {kept.sha256 for kept in cache.kept()}
