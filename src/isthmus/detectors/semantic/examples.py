"""Texts with the kinds that are in them: what the gate is fitted on.

The shipped ones lie beside this module, one JSON object a line, written for this purpose; all names, numbers and
facts in them are invented.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from isthmus.detectors.semantic.windows import tidy
from isthmus.domain.errors import ConfigError

_SHIPPED = Path(__file__).with_name("examples")

Sort = Literal["sensitive", "lookalike", "ordinary"]
"""lookalike: impersonal text on a sensitive topic. ordinary: any other prompt. Neither has kinds."""


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text and what is in it. Without kinds it is one to be let through."""

    text: str
    kinds: tuple[str, ...] = ()
    lang: str | None = None
    """BCP 47, where known; only reports use it."""
    sort: Sort | None = None
    """None: `sensitive` where there are kinds, else `ordinary`."""

    def __post_init__(self) -> None:
        if not tidy(self.text):
            raise ValueError("`text` is empty")
        if self.sort is not None and (self.sort == "sensitive") != bool(self.kinds):
            raise ValueError("`sort` and `kinds` contradict each other")

    @property
    def is_a(self) -> Sort:
        return self.sort or ("sensitive" if self.kinds else "ordinary")


def shipped() -> list[Example]:
    """The examples that the shipped weights were fitted on."""
    return [example for name in ("sensitive", "lookalike", "ordinary") for example in read(_SHIPPED / f"{name}.jsonl")]


def read(path: Path) -> Iterator[Example]:
    """The examples of a file of JSON lines: `{"text": "…", "kinds": ["health"]}`, `"kinds": []` for harmless ones.

    Raises:
        ConfigError: the file cannot be read, or a line is not an example; names file and line, not the text.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as exc:
        raise ConfigError(f"Examples: {path} cannot be read ({exc.strerror}).") from exc
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield msgspec.json.decode(line, type=Example)
        except msgspec.DecodeError as exc:
            raise ConfigError(
                f"Examples: {path}, line {number}: {exc}.",
                hint='A line is like {"text": "…", "kinds": ["health"]}, with an empty list for harmless text.',
            ) from exc
