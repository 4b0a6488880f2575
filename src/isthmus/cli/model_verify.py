"""`isthmus models verify`: hold the weights on this machine against the lock."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer
from rich.console import Console

from isthmus.cli.model_lock import LockOption, finding, lock_file
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import print_json
from isthmus.doctor.modelfiles.comparing import Kind, differences, place_of
from isthmus.doctor.modelfiles.observing import observe
from isthmus.domain.errors import ConfigError
from isthmus.providers.embedded.lock import Lock, LockedModel, read_lock
from isthmus.providers.embedded.weights import weights_cache
from isthmus.settings import load

DIFFERENT = 1
"""Status where anything is not as it was locked."""


class _Difference(msgspec.Struct, frozen=True, kw_only=True):
    kind: Kind | Literal["finding"]
    """finding: something stands out in the files that did not when they were locked."""
    file: str
    says: str


class _Verified(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    ref: str
    path: str
    approved_by: str
    differences: tuple[_Difference, ...]


def command(
    names: Annotated[list[str] | None, typer.Argument(help="Models of the lock; none: all of them.")] = None,
    lock: LockOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hash the weights and hold them against the lock; ends with 1 where anything is not as it was."""
    file = lock_file(lock, None if lock is not None else load(config))
    verified = [_verified(name, model) for name, model in _chosen(names or [], read_lock(file), file).items()]
    if as_json:
        print_json({"lock": str(file), "models": verified})
    else:
        _print(file, verified)
    if any(row.differences for row in verified):
        raise typer.Exit(DIFFERENT)


def _chosen(names: list[str], lock: Lock, file: Path) -> dict[str, LockedModel]:
    unknown = [name for name in names if name not in lock.models]
    if unknown or not lock.models:
        known = ", ".join(lock.models) or "nothing"
        what = f"'{unknown[0]}' is not locked." if unknown else "Nothing is locked."
        raise ConfigError(f"{what} {file} has {known}.", hint="`isthmus models lock` writes it.")
    return {name: model for name, model in lock.models.items() if not names or name in names}


def _verified(name: str, model: LockedModel) -> _Verified:
    place = place_of(model.ref, weights_cache(os.environ).folder)
    found = [_Difference(kind=one.kind, file=one.file, says=one.says) for one in differences(model, place)]
    found += [
        _Difference(kind="finding", file=one.file, says=f"{one.check}: {one.says}")
        for one in (observe(place) if place.exists() else ())
        if finding(one) not in model.findings
    ]
    return _Verified(name=name, ref=model.ref, path=str(place), approved_by=model.approved_by, differences=tuple(found))


def _print(file: Path, verified: list[_Verified]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for row in verified:
        by = f"approved by {row.approved_by}" if row.approved_by else "approved by nobody"
        state = f"{len(row.differences)} not as locked" if row.differences else "as locked"
        console.print(f"{row.name}: {state}, {by}", style="red" if row.differences else "green", markup=False)
        for one in row.differences:
            console.print(f"  {one.kind}: {one.file}: {one.says}", markup=False)
    console.print(str(file), style="dim", markup=False)
