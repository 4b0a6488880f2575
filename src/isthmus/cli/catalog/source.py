"""The catalog and the organisation that the commands look at: those of the settings in force."""

from __future__ import annotations

from pathlib import Path

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.organisation import Organisation
from isthmus.settings import load


def catalog_in_force(config: Path | None) -> Catalog:
    """The catalog of the settings.

    Raises:
        ConfigError: the settings or a record cannot be used.
    """
    settings = load(config)
    return settings.catalog.load(settings.cache_dir)


def organisation_in_force(config: Path | None) -> Organisation | None:
    """The organisation of the settings; None: they say nothing of one."""
    return load(config).organisation
