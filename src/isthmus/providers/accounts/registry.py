"""The probes there are, by name."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module

from isthmus.providers.accounts import probes
from isthmus.providers.accounts.probe import Probe


@cache
def all_probes() -> Mapping[str, Probe]:
    """Every probe, by the name that terms give in `account_check`."""
    found: dict[str, Probe] = {}
    for module in sorted(one.name for one in pkgutil.iter_modules(probes.__path__)):
        probe: Probe = import_module(f"{probes.__name__}.{module}").PROBE
        found[probe.name] = probe
    return found
