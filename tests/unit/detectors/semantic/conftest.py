from __future__ import annotations

import pytest

from isthmus.detectors.semantic.embedding import Embedder


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    return Embedder()
