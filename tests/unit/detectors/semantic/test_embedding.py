from __future__ import annotations

import os

import numpy as np
import pytest

from isthmus.detectors.semantic.embedding import COLUMNS, Embedder, EmbeddingFailed


def test_rows_come_in_the_order_of_the_texts_and_do_not_depend_on_the_company(embedder: Embedder) -> None:
    texts = ["a ferry", "ein Fahrrad", "三只猫", "a ferry"]
    rows = embedder.vectors(texts)
    assert rows.shape == (4, COLUMNS)
    assert np.array_equal(rows[0], rows[3])
    for text, row in zip(texts, rows, strict=True):
        assert np.array_equal(embedder.vectors([text])[0], row)


def test_a_meaning_is_nearer_to_itself_in_another_language_than_to_another_meaning(embedder: Embedder) -> None:
    english, german, other = embedder.vectors(["He has diabetes.", "Er hat Diabetes.", "The bus is late."])
    assert english @ german > english @ other


def test_no_texts_are_no_rows(embedder: Embedder) -> None:
    assert embedder.vectors([]).shape == (0, COLUMNS)


@pytest.mark.parametrize("before", [None, "7"])
def test_loading_leaves_the_environment_as_it_was(monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if before is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", before)
    Embedder()
    assert os.environ.get("OMP_NUM_THREADS") == before


def test_rows_that_the_engine_never_wrote_are_no_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Embedder()
    monkeypatch.setattr(broken, "_row", lambda _text: np.zeros((1, COLUMNS), dtype=np.float32))
    with pytest.raises(EmbeddingFailed):
        broken.vectors(["a"])
