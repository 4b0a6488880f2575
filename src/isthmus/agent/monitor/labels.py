"""The labels of what is sent to a model, message by message: models are sinks as people are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from isthmus.agent.marks import Mark
from isthmus.domain.label import Label


def labels_for(messages: Sequence[Iterable[Mark]]) -> list[frozenset[Label]]:
    """The labels of each message, from the marks of its parts; what `Question.labels` takes."""
    return [frozenset(label for mark in marks for label in mark.labels) for marks in messages]
