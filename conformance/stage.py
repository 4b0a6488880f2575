"""An isthmus with the stand-ins for all vendors behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from anthropic.resources.messages import DEPRECATED_MODELS
from tests.fakes import anthropic_server, gemini_server, openai_server
from tests.fakes.stand_in import StandIn, serving
from tests.system.process import Isthmus, running

from conformance.upstream import anthropic, gemini, openai

OFFERED: Mapping[str, tuple[str, ...]] = {
    "openai": ("gpt-6-astra", "text-embedding-3-small", "omni-moderation-2024-09-26"),
    "anthropic": ("claude-opus-5-5", *DEPRECATED_MODELS),
    "gemini": ("gemini-3.8-flash", "gemini-embedding-001"),
}
"""Models that the suites ask for by name, by who offers them. The first of each is also served as `at-VENDOR`."""

_CAPABLE = (
    'capabilities = { completions = "yes", embeddings = "yes", moderation = "yes", tools = "yes", vision = "yes",'
)
_CAPABLE += ' audio = "yes", documents = "yes", json_object = "yes", json_schema = "yes", logprobs = "yes",'
_CAPABLE += ' choices = "yes", reasoning = "yes" }\n'

_TIME = re.compile(r"^\[[\d/]+ [\d:]+\]", re.MULTILINE)
"""Of a line of the log."""


@dataclass(frozen=True, slots=True)
class Stage:
    isthmus: Isthmus
    vendors: Mapping[str, StandIn]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.isthmus.port}"

    def faults(self) -> list[str]:
        """What no client's test would notice: requests that a vendor refuses, and faults that isthmus logs as its own.

        Each is told once.
        """
        refused = [f"{name} refused: {reason}" for name, one in self.vendors.items() for reason in one.rejected]
        logged = _TIME.sub("", self.isthmus.log.read_text()).split(" ERROR ")[1:]
        own = [f"isthmus logged an error: {error.strip()}" for error in logged]
        return list(dict.fromkeys([*refused, *own]))


@contextmanager
def staged(folder: Path, *, form_only: bool) -> Iterator[Stage]:
    """Start all of it, and stop it at the end.

    Args:
        folder: for settings, ledger and log.
        form_only: whether the stand-ins look at the form of requests alone.
    """
    with (
        serving(openai.OpenAIVendor(form_only=form_only)) as gpt,
        serving(anthropic.AnthropicVendor(form_only=form_only)) as claude,
        serving(gemini.GeminiVendor()) as google,
    ):
        vendors: dict[str, StandIn] = {"openai": gpt, "anthropic": claude, "gemini": google}
        urls = {"openai": f"{gpt.url}/v1", "anthropic": claude.url, "gemini": google.url}
        keys = {"OPENAI_KEY": openai_server.KEY, "ANTHROPIC_KEY": anthropic_server.KEY, "GEMINI_KEY": gemini_server.KEY}
        keys["CONTENT_KEY"] = token_hex(32)
        store = 'content_key = "env:CONTENT_KEY"'
        with running(Isthmus(folder, settings(urls), store=store, environment=keys)) as isthmus:
            yield Stage(isthmus, vendors)


def settings(urls: Mapping[str, str]) -> str:
    """The settings, without where isthmus itself listens.

    Args:
        urls: addresses of the stand-ins, by vendor.
    """
    text = ""
    for vendor, url in urls.items():
        for model in OFFERED[vendor]:
            text += f'[offers."{model}"]\nprovider = "{vendor}"\nmodel = "{model}"\nurl = "{url}"\n'
            text += 'also = ["openai-responses"]\n' if vendor == "openai" else ""
            text += f'key = "env:{vendor.upper()}_KEY"\nprice = {{ input = 1, output = 5 }}\n{_CAPABLE}'
    # The first workload is that of requests that name no model, such as the moderations of OpenAI's own tests.
    workloads = {"default": OFFERED["openai"]} | {f"at-{vendor}": OFFERED[vendor][:1] for vendor in urls}
    for name, models in workloads.items():
        text += f"[workloads.{name}]\noffers = {list(models)}\nattempts = 1\nkeep_days = 1\n"
    return text
