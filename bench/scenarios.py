"""The loads that every target is put under."""

from __future__ import annotations

from dataclasses import dataclass

PLAIN = "mock-d0-p0-n100"
"""Answers at once; as a stream, 100 events back to back."""
SLOW = "mock-d50-p0-n100"
"""Answers after 50 ms."""
PACED = "mock-d0-p10-n100"
"""A stream of 100 events, 10 ms apart."""
LONG = "mock-d0-p500-n40"
"""A stream of 40 events, 500 ms apart: open for 20 seconds."""

MODELS = (PLAIN, SLOW, PACED, LONG)
"""Names the mock upstream understands: delay and pace in milliseconds, number of events."""

RENAMED = "renamed-"
"""Put before a model's name, it asks for that model under another name: the body must be rewritten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A closed loop: each connection sends its next request when the last answer is complete."""

    name: str
    connections: int
    stream: bool = False
    model: str = PLAIN
    body_bytes: int = 700
    renamed: bool = False
    """The model is asked for under another name than its provider's."""

    @property
    def title(self) -> str:
        streams = "streams" if self.connections > 1 else "stream"
        connections = "connections" if self.connections > 1 else "connection"
        what = f"{self.connections} {streams if self.stream else connections}"
        paced = "events 10 ms apart" if self.model == PACED else "events back to back"
        parts = [what, paced] if self.stream else [what]
        if self.model == SLOW:
            parts.append("the model takes 50 ms")
        if self.body_bytes > 1000:
            parts.append(f"prompt of {self.body_bytes // 1000} kB")
        if self.renamed:
            parts.append("model renamed on the way")
        return ", ".join(parts)


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="ns1", connections=1),
        Scenario(name="ns16", connections=16),
        Scenario(name="ns16renamed", connections=16, renamed=True),
        Scenario(name="ns16big", connections=16, body_bytes=64_000),
        Scenario(name="ns64d50", connections=64, model=SLOW),
        Scenario(name="ns256", connections=256),
        Scenario(name="st1paced", connections=1, stream=True, model=PACED),
        Scenario(name="st16", connections=16, stream=True),
        Scenario(name="st100paced", connections=100, stream=True, model=PACED),
    )
}

TRANSLATED = frozenset({"ns1", "ns16", "ns16big", "st1paced", "st16", "st100paced"})
"""What is asked of a target that translates between dialects: the others would tell nothing more."""
