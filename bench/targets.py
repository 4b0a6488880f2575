"""What is compared: each target is a process on 127.0.0.1 that hands chat completions on to the mock upstream.

In commands, files and environment `{port}`, `{upstream_port}` and `{dir}` stand for the target's own port, the mock's
port and a folder of the target's own.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench import peers
from bench.machine import HERE
from bench.scenarios import MODELS, PLAIN, RENAMED, SCENARIOS, TRANSLATED

KEY = "sk-bench-0123456789abcdef"
"""The key all clients send."""

WITHOUT_RENAMED = frozenset(SCENARIOS) - {"ns16renamed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """How a target is started, asked, and what it does for a request."""

    name: str
    does: str
    """In a few words, for the reader of the table."""
    version: str = ""
    command: tuple[str, ...] = ()
    """Empty: nothing is started, the load goes straight to the mock."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Text by name, written into `{dir}` before the start."""
    environment: Mapping[str, str] = field(default_factory=dict)
    path: str = "/v1/chat/completions"
    model_prefix: str = ""
    port_file: str = ""
    """Where a target that chooses its own port writes it; empty: it is told."""
    scenarios: frozenset[str] = WITHOUT_RENAMED
    ledger: str = ""
    """Name of its SQLite file, for targets whose record of each request is counted afterwards."""


NGINX = """worker_processes 1; daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log;
events { worker_connections 16384; }
http {
  access_log off; client_body_buffer_size 1m; client_max_body_size 64m;
  proxy_temp_path {dir}/p; client_body_temp_path {dir}/c; fastcgi_temp_path {dir}/f;
  uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  upstream mock { server 127.0.0.1:{upstream_port}; keepalive 4096; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:{port} backlog=4096; keepalive_requests 1000000;
    location / {
      proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer sk-upstream"; proxy_buffering off;
    }
  }
}
"""

LITELLM_MODEL = """  - model_name: {model}
    litellm_params: {model: openai/{model}, api_base: 'http://127.0.0.1:{upstream_port}/v1', api_key: sk-upstream}
"""

LITELLM = (
    "model_list:\n"
    + "".join(LITELLM_MODEL.replace("{model}", model) for model in MODELS)
    + f"general_settings: {{master_key: {KEY}}}\nlitellm_settings: {{telemetry: false}}\n"
)

TENSORZERO_MODEL = """[models."{model}"]
routing = ["up"]
[models."{model}".providers.up]
type = "openai"
model_name = "{model}"
api_base = "http://127.0.0.1:{upstream_port}/v1/"
api_key_location = "none"
"""

TENSORZERO = "[gateway]\nobservability.enabled = false\n" + "".join(
    TENSORZERO_MODEL.replace("{model}", model) for model in MODELS
)

ISTHMUS_HEAD = """[server]
bind = "127.0.0.1:{port}"

[store]
url = "sqlite:bench.db"

[keys.bench]
hash = "sha256:{hash}"
"""

ISTHMUS_OFFER = """
[offers."{model}@mock"]
model = "{model}"
provider = "{provider}"
url = "{url}"
key = "env:UPSTREAM_KEY"
price = { input = "0.15", output = "0.60" }
"""

ISTHMUS_WORKLOAD = """
[workloads."{name}"]
offers = ["{model}@mock"]
"""


def isthmus_settings(provider: str, url: str) -> str:
    """An `isthmus.toml` with the whole way of a request switched on: key, choice, price, ledger.

    Clients name workloads. All but one are called as their model is, so that the body can go through as it came.
    """
    workloads = {model: model for model in MODELS} | {RENAMED + PLAIN: PLAIN}
    text = [ISTHMUS_HEAD.replace("{hash}", hashlib.sha256(KEY.encode()).hexdigest())]
    text += (
        ISTHMUS_OFFER.replace("{model}", model).replace("{provider}", provider).replace("{url}", url)
        for model in MODELS
    )
    text += (ISTHMUS_WORKLOAD.replace("{name}", name).replace("{model}", model) for name, model in workloads.items())
    return "".join(text)


def _direct() -> Target:
    return Target(name="direct", does="nothing: the load straight to the mock, the limit of the rig")


def _nginx() -> Target:
    binary = peers.nginx()
    return Target(
        name="nginx",
        does="bare proxy: no key, no choice, no record",
        version=peers.nginx_version(binary),
        command=(binary, "-c", "{dir}/nginx.conf", "-p", "{dir}"),
        files={"nginx.conf": NGINX},
    )


def _lean() -> Target:
    return Target(
        name="lean",
        does="prototype in plain Python: key, route, rewrite, usage to SQLite; no limits, time-outs, retries",
        command=(sys.executable, str(HERE / "proto_lean.py"), "{port}", *MODELS),
        environment={"UP_PORT": "{upstream_port}"},
    )


def _tensorzero() -> Target:
    peers.TENSORZERO.set_up()
    return Target(
        name="tensorzero",
        does="Rust gateway: route, rewrite; observability off, so no record; no key",
        version=peers.TENSORZERO.version,
        command=(
            str(peers.TENSORZERO.program("python")),
            str(HERE / "tensorzero_gateway.py"),
            "{dir}/tensorzero.toml",
            "{dir}/port",
        ),
        files={"tensorzero.toml": TENSORZERO},
        path="/openai/v1/chat/completions",
        model_prefix="tensorzero::model_name::",
        port_file="port",
    )


def _litellm() -> Target:
    peers.LITELLM.set_up()
    arguments = "--config {dir}/litellm.yaml --host 127.0.0.1 --port {port} --num_workers 1"
    return Target(
        name="litellm",
        does="Python gateway, one worker: key, route, rewrite, cost; no database, so no lasting record",
        version=peers.LITELLM.version,
        command=(str(peers.LITELLM.program("litellm")), *arguments.split()),
        files={"litellm.yaml": LITELLM},
        environment={"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "DISABLE_ADMIN_UI": "True"},
    )


def _isthmus(name: str, does: str, settings: str, scenarios: frozenset[str]) -> Target:
    beside_us = Path(sys.executable).with_name("isthmus")
    program = str(beside_us) if beside_us.exists() else shutil.which("isthmus")
    if program is None:
        raise peers.PeerMissing("isthmus is not installed in this environment (make setup).")
    return Target(
        name=name,
        does=does,
        command=(program, "up", "--config", "{dir}/isthmus.toml"),
        files={"isthmus.toml": settings},
        environment={
            "UPSTREAM_KEY": "sk-upstream",
            "XDG_STATE_HOME": "{dir}",
            "XDG_CACHE_HOME": "{dir}/cache",
            "XDG_CONFIG_HOME": "{dir}/config",
        },
        scenarios=scenarios,
        ledger="bench.db",
    )


def _isthmus_passing() -> Target:
    return _isthmus(
        "isthmus",
        "the whole way: key, workload, choice, usage, cost, ledger; bytes passed through",
        isthmus_settings("vllm", "http://127.0.0.1:{upstream_port}/v1"),
        frozenset(SCENARIOS),
    )


def _isthmus_translated() -> Target:
    return _isthmus(
        "isthmus-translated",
        "the same, the model speaking Anthropic Messages: every event decoded and written anew",
        isthmus_settings("anthropic", "http://127.0.0.1:{upstream_port}"),
        TRANSLATED,
    )


def _isthmus_gemini() -> Target:
    return _isthmus(
        "isthmus-gemini",
        "the same, the model speaking Gemini",
        isthmus_settings("gemini", "http://127.0.0.1:{upstream_port}"),
        TRANSLATED,
    )


RULES = """
[labels.pii]
detect = ["pii", "national_id"]
needs = { side = ["own"] }
else = "pseudonymise"

[labels.secret]
detect = ["credentials"]
needs = { side = ["own"] }

[labels.phi]
detect = ["medical"]
needs = { side = ["own"] }

[perimeter]
lineage = LINEAGE
"""
"""Nothing of the load bears a label, so all of it is looked at and passed through."""


def _isthmus_rules() -> Target:
    return _isthmus(
        "isthmus-rules",
        "the same, to a model elsewhere, with three labels: every text searched, and looked at again as it leaves",
        _elsewhere("false"),
        frozenset(SCENARIOS),
    )


def _isthmus_perimeter() -> Target:
    return _isthmus(
        "isthmus-perimeter",
        "the same with lineage: every text looked up among fingerprints (which it remembers for texts seen lately)",
        _elsewhere("true"),
        frozenset(SCENARIOS),
    )


def _elsewhere(lineage: str) -> str:
    settings = isthmus_settings("openai-compatible", "http://127.0.0.1:{upstream_port}/v1")
    return settings.replace('provider = "openai-compatible"', 'provider = "openai-compatible"\nside = "hosted"') + (
        RULES.replace("LINEAGE", lineage)
    )


TARGETS: Mapping[str, Callable[[], Target]] = {
    "direct": _direct,
    "nginx": _nginx,
    "lean": _lean,
    "isthmus": _isthmus_passing,
    "isthmus-translated": _isthmus_translated,
    "isthmus-gemini": _isthmus_gemini,
    "isthmus-rules": _isthmus_rules,
    "isthmus-perimeter": _isthmus_perimeter,
    "tensorzero": _tensorzero,
    "litellm": _litellm,
}
"""By name, in the order of the tables. Making one sets it up, or raises `PeerMissing`."""

USUAL = ("direct", "nginx", "lean", "isthmus", "isthmus-translated", "tensorzero", "litellm")
