"""What comes out when a model file was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from isthmus.doctor.check import Severity

Format = Literal[
    "safetensors",
    "gguf",
    "pickle",
    "torch-zip",
    "zip",
    "tar",
    "npy",
    "npz",
    "keras",
    "hdf5",
    "template",
    "json",
    "other",
]

FaultCode = Literal[
    "unsafe-import",
    "unknown-import",
    "untold-import",
    "computed-call",
    "changed-import",
    "code-in-layer",
    "unknown-layer",
    "template-access",
    "odd-archive",
    "two-formats",
    "malformed",
    "not-judged",
]
"""unsafe-import: something that runs commands, code or reads files; unknown-import: not on the list of what is needed
to build tensors; untold-import: computed, so that it cannot be told what it is; computed-call: calls what a call gave;
changed-import: alters a thing that it imported; code-in-layer, unknown-layer: Keras; template-access: a chat template
reaches for what is inside objects; odd-archive, two-formats: made so that two programmes read it differently;
malformed: not as its format says; not-judged: beyond a bound, or in a way that we do not read."""

EXECUTES: frozenset[FaultCode] = frozenset({"unsafe-import", "computed-call", "changed-import", "code-in-layer"})
"""Faults that have no harmless reading."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a file."""

    code: FaultCode
    says: str
    """In a sentence, with the names found and the place inside the file. What is quoted is shortened and printable."""
    severity: Severity


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a file is, and what is wrong with it."""

    format: Format
    faults: tuple[Fault, ...] = ()
    pickled: bool = False
    """Whether loading it unpickles something, harmless or not."""

    @property
    def harmless(self) -> bool:
        """Whether nothing was found, to the end of the file."""
        return not self.faults


def quoted(text: str, limit: int = 80) -> str:
    """Foreign text as part of a sentence: printable, in one line, not long."""
    shown = "".join(char if char.isprintable() else "\ufffd" for char in text[: limit + 1])
    return f"`{shown[:limit]}…`" if len(shown) > limit else f"`{shown}`"
