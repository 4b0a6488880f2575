"""What the doctor looks at: the settings, the files, the catalog, the addresses it may ask. Handed to every check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from isthmus.catalog.catalog import Catalog
from isthmus.domain.errors import ConfigError
from isthmus.settings import Settings


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
