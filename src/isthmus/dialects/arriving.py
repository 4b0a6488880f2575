"""What the decoders of all dialects share: server-sent frames in, events out, and what an error among them means."""

from __future__ import annotations

from isthmus.dialects import sse
from isthmus.domain.errors import ProviderError, StreamInterrupted, UpstreamMalformed
from isthmus.domain.message import Event


class FramedDecoder:
    """One upstream stream. A dialect says what a frame holds, and when the answer is whole."""

    __slots__ = ("_done", "_failure", "_frames")

    def __init__(self) -> None:
        self._frames = sse.Frames()
        self._done = False
        """What comes now is no part of the answer any more."""
        self._failure: ProviderError | None = None

    def feed(self, data: bytes) -> list[Event]:
        return self._events(self._frames.feed(data))

    def close(self) -> list[Event]:
        if self._failure is not None:
            raise self._failure
        try:
            events = self._events(self._frames.close())
        except UpstreamMalformed as exc:  # an event that lacks its end
            raise StreamInterrupted("The upstream ended the stream within an event.") from exc
        if self._failure is not None:
            raise self._failure
        if not self._is_whole():
            raise StreamInterrupted("The upstream ended the stream before the end of the answer.")
        return events

    def _events(self, frames: list[sse.Frame]) -> list[Event]:
        """Events before an error are not lost: it is raised with the next call then."""
        if self._failure is not None:
            raise self._failure
        events: list[Event] = []
        try:
            for frame in frames:
                if self._done:
                    break
                self._read(frame.data, events)
        except ProviderError as exc:
            if not events:
                raise
            self._failure = exc
        return events

    def _read(self, data: bytes, events: list[Event]) -> None:
        """Read one frame.

        Args:
            data: of the frame.
            events: takes what it says.

        Raises:
            ProviderError: it is not of the dialect, or tells of an error.
        """
        raise NotImplementedError

    def _is_whole(self) -> bool:
        """Whether nothing is missing, now that the stream has ended."""
        return self._done
