"""What the doctor looks at: the settings, the files, the catalog, the addresses it may ask. Handed to every check."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from threading import Lock
from typing import TypeVar, cast

from isthmus.catalog.catalog import Catalog
from isthmus.domain.errors import ConfigError
from isthmus.settings import Settings

T = TypeVar("T")


class Once:
    """What one check found out and others need, too: it is looked at, or asked for, only once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._locks: dict[Hashable, Lock] = {}
        self._known: dict[Hashable, object] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made at the first call for a key; others wait for it meanwhile."""
        with self._lock:
            lock = self._locks.setdefault(key, Lock())
        with lock:
            if key not in self._known:
                self._known[key] = make()
            return cast("T", self._known[key])


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that a check may look at. Nothing else: tests plant faults by it."""

    today: date
    environ: Mapping[str, str]
    config_file: Path | None
    settings: Settings | None
    """None: the file cannot be used; then `problem` says why, and checks that need settings find nothing."""
    problem: ConfigError | None
    catalog: Catalog
    state_dir: Path
    cache_dir: Path
    addresses: tuple[str, ...]
    """Hosts of one's own that may be asked: `127.0.0.1`, and what the operator listed."""
    ports: Mapping[str, int]
    """Name of a service, and the port it is looked for on at every address."""
    site_packages: tuple[Path, ...]
    """Folders with the Python packages of this installation."""
    folders: tuple[Path, ...]
    """Folders with weights and models, besides those that the settings name."""
    online: bool = False
    """Whether a database on the internet may be asked."""
    interfaces: tuple[str, ...] = ()
    """This machine's own addresses besides loopback: what listens there is reached from elsewhere."""
    proc: Path = Path("/proc")
    """Where the system tells of its processes and listeners, as Linux does; nothing there: it tells nothing."""
    openclaw: bool = False
    """Whether OpenClaw's own audit may be run."""
    once: Once = field(default_factory=Once, repr=False, compare=False)
