"""What a suite is: whose tests they are, which of them, and which are skipped, and why."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.environments import Environment
from conformance.sources import Source


@dataclass(frozen=True, slots=True)
class Skip:
    """Tests that are not run."""

    pattern: str
    """Of names of tests, as the shell matches: `*test_models.py*delete*`."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Tests that run together, in one environment, against one isthmus."""

    name: str
    title: str
    """What judges, and what of."""
    environment: Environment
    packages: tuple[str, ...]
    """Packages whose versions matter."""
    tests: tuple[str, ...]
    """Paths, below the source or below `conformance/clients`."""
    source: Source | None = None
    """Whose own tests are run; None: those in `conformance/clients`."""
    options: tuple[str, ...] = ()
    """More arguments of pytest."""
    below: str = "/v1"
    """Path of the address that the client is given."""
    made_first: bool = False
    """Whether what the tests name is made before they ask for it."""
    form_only: bool = False
    """Whether the stand-ins look at the form of requests alone, and not at what goes together."""
    skips: tuple[Skip, ...] = ()
