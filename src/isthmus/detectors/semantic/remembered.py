"""What was thought of a window before, without keeping the window."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict

from isthmus.detectors.semantic.weights import Judgement


class Remembered:
    """Judgements by content, the least recently asked for forgotten first. Safe to use from several threads.

    Content is kept as a hash under a key that dies with the process: the memory says nothing about texts, not even to
    who can guess them.
    """

    def __init__(self, entries: int) -> None:
        """Keep at most `entries`, about 400 bytes each."""
        self._entries = entries
        self._key = secrets.token_bytes(32)
        self._judgements: OrderedDict[bytes, Judgement] = OrderedDict()
        self._turn = threading.Lock()

    def __len__(self) -> int:
        return len(self._judgements)

    def get(self, content: str) -> Judgement | None:
        """The judgement on this content, or None where it is not remembered."""
        name = self._name(content)
        with self._turn:
            judgement = self._judgements.get(name)
            if judgement is not None:
                self._judgements.move_to_end(name)
            return judgement

    def put(self, content: str, judgement: Judgement) -> None:
        name = self._name(content)
        with self._turn:
            self._judgements[name] = judgement
            self._judgements.move_to_end(name)
            while len(self._judgements) > self._entries:
                self._judgements.popitem(last=False)

    def _name(self, content: str) -> bytes:
        return hashlib.blake2b(content.encode(), key=self._key, digest_size=16).digest()
