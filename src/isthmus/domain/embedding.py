"""Texts turned into vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from isthmus.domain.message import Extra
from isthmus.domain.usage import Usage

EmbeddingTask = Literal[
    "retrieval_query",
    "retrieval_document",
    "semantic_similarity",
    "classification",
    "clustering",
    "question_answering",
    "fact_verification",
    "code_retrieval_query",
]
"""What the vectors are for, where the model has a way of its own for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRequest:
    """One request for the vectors of some texts."""

    model: str
    inputs: tuple[str | tuple[int, ...], ...]
    """Texts, or texts as the numbers of their tokens, which one tokenizer alone understands."""
    dimensions: int | None = None
    """Length of the vectors; None: the model's own."""
    base64: bool = False
    """Whether the client wants each vector as base64 of little-endian 32-bit floats."""
    task: EmbeddingTask | None = None
    title: str | None = None
    """Of the document, where the task is to store it."""
    user: str | None = None
    extra: Extra | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Embeddings:
    """One vector for each input, in their order."""

    model: str
    vectors: tuple[tuple[float, ...], ...]
    usage: Usage | None = None
