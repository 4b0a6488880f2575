"""What an engine is started with, checked before llama.cpp sees it.

llama.cpp answers some parameters with an assertion that ends the process (a batch of one token is such a one). So
nothing reaches it that is not in the ranges below, and it runs in a process of its own all the same.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from isthmus.domain.errors import ConfigError
from isthmus.domain.offer import Offer

CONTEXT_TOKENS = range(256, 1_048_576 + 1)
THREADS = range(1, 512 + 1)
"""512 is GGML_MAX_N_THREADS."""
PARALLEL = range(1, 64 + 1)
BATCH_TOKENS = range(32, 8_192 + 1)
"""Far above the one token at which llama.cpp asserts."""


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of one engine. Refuses to exist where llama.cpp could abort on them.

    Raises:
        ConfigError: names the parameter and its range.
    """

    path: str
    """The GGUF file, absolute."""
    model: str
    """Name the engine answers under, instead of the path."""
    api_key: str
    context_tokens: int
    """For each request worked on at once."""
    threads: int
    parallel: int
    batch_tokens: int = 2_048
    """Prompt tokens worked on in one go."""

    def __post_init__(self) -> None:
        for name, allowed in (
            ("context_tokens", CONTEXT_TOKENS),
            ("threads", THREADS),
            ("parallel", PARALLEL),
            ("batch_tokens", BATCH_TOKENS),
        ):
            value = getattr(self, name)
            if value not in allowed:
                raise ConfigError(
                    f"The engine of '{self.model}' cannot run with {name} = {value}.",
                    hint=f"Between {allowed.start} and {allowed.stop - 1} it can.",
                )
        if not self.api_key:
            raise ConfigError("An engine is not started without a key.")
        if not os.path.isabs(self.path):
            raise ConfigError(f"The path of the weights is not absolute: {self.path}.")


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The engine serves on this port of 127.0.0.1."""

    port: int


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The engine could not be started; `reason` is the library's."""

    reason: str


Report = Ready | Failed


def launch(offer: Offer, path: Path, *, api_key: str) -> Launch:
    """Parameters for the engine of an offer.

    Raises:
        ConfigError: the offer has no engine, or asks for something out of range.
    """
    engine = offer.engine
    if engine is None:
        raise ConfigError(f"Offer '{offer.name}' is embedded but says no weights.", hint="Set `weights`.")
    return Launch(
        path=str(path.absolute()),
        model=offer.model,
        api_key=api_key,
        context_tokens=engine.context_tokens,
        threads=engine.threads or default_threads(),
        parallel=engine.parallel,
    )


def default_threads() -> int:
    """One core is left to the gateway and to everything else.

    The threads of llama.cpp wait for each other at every layer, spinning: one that has to share its core holds all of
    them up. Measured with SmolLM2-135M on two cores, generated tokens per second, with none, one and two other
    processes busy: two threads 72 to 100, 24 to 38 and 1 to 6; one thread 69, 35 to 62 and 36 to 44.
    """
    return max(1, cores() - 1)


def cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0))


_PASSED_ON = {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
_PASSED_ON_PREFIXES = ("CUDA_", "NVIDIA_", "HIP_", "ROCR_", "HSA_", "GGML_", "VK_", "OMP_")


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """The environment of an engine: what finding libraries and devices takes, and none of our credentials."""
    kept = {name: value for name, value in own.items() if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)}
    # On an assertion ggml would attach a debugger, if it finds one, and print memory of the process.
    return {**kept, "GGML_NO_BACKTRACE": "1"}
