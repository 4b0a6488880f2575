"""`isthmus models lock`: write down which weights there are, after looking into them, for somebody to approve."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer
from rich.console import Console

from isthmus.catalog.open_models import open_model, open_models
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import print_json
from isthmus.doctor.modelfiles.comparing import facts_at, licence_at, licence_digest, place_of
from isthmus.doctor.modelfiles.observing import Observed, observe
from isthmus.domain.errors import ConfigError
from isthmus.domain.offer import Weights
from isthmus.providers.embedded.lock import (
    NAME,
    Lock,
    LockedLicence,
    LockedModel,
    locked_sha256,
    read_lock,
    revision_of,
    write_lock,
)
from isthmus.providers.embedded.weights import WeightsCache, weights_cache
from isthmus.settings import Settings, load

LockOption = Annotated[
    Path | None, typer.Option("--lock", help=f"The lock; else [catalog] lock of the settings, else ./{NAME}.")
]

Change = Literal["new", "changed", "unchanged"]


class _Locked(msgspec.Struct, frozen=True, kw_only=True):
    """What was locked, as JSON tells it."""

    name: str
    change: Change
    ref: str
    revision: str
    files: int
    bytes: int
    licence: str
    findings: tuple[str, ...]
    approved_by: str


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Weights to be locked."""

    name: str
    ref: str
    place: Path
    sha256: str | None
    """What the settings pin them to."""


def command(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            help="Offers, paths of files or folders, or names as `isthmus models list` shows them; none: every "
            "embedded offer of the settings."
        ),
    ] = None,
    lock: LockOption = None,
    approve: Annotated[str, typer.Option(help="Name of who looked at it and answers for it.")] = "",
    licence: Annotated[str, typer.Option(help="Id of the licence of the weights, such as Apache-2.0.")] = "",
    licence_file: Annotated[Path | None, typer.Option(help="Its text, where it lies apart from the weights.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pin weights: size and hash of every file, the licence, and what is found in them, for version control."""
    settings = None if lock is not None and what and all(Path(name).exists() for name in what) else load(config)
    file = lock_file(lock, settings)
    before = read_lock(file)
    after = before
    shown: list[_Locked] = []
    refused: list[str] = []
    for wanted in _wanted(what or [], settings, weights_cache(os.environ), before):
        observed = observe(wanted.place)
        if approve:
            refused += (f"{wanted.name}: {found.file}: {found.says}" for found in observed if found.barred)
        model = _locked(wanted, before, observed, licence=_licence(wanted, licence, licence_file), approve=approve)
        after = after.with_model(wanted.name, model)
        shown.append(_as_plain(wanted.name, model, before.models.get(wanted.name)))
    if refused:
        raise ConfigError(
            "Nothing was locked: what runs code, or is a pickle that is not needed, is not approved.",
            hint="Delete these files or take others of the model; or lock it without --approve.",
            problems=tuple(refused),
        )
    write_lock(file, after)
    if as_json:
        print_json({"lock": str(file), "models": shown})
    else:
        _print(file, shown)


def lock_file(given: Path | None, settings: Settings | None) -> Path:
    """The file of the lock, by the option, by the settings, or in this folder."""
    if given is not None:
        return given.absolute()
    return Path(NAME).absolute() if settings is None else settings.catalog.lock


def _wanted(names: list[str], settings: Settings | None, cache: WeightsCache, lock: Lock) -> list[_Wanted]:
    """What names stand for.

    Raises:
        ConfigError: one stands for nothing, or for weights that are not on this machine.
    """
    offers = {} if settings is None else settings.offers
    embedded = {name: offer.engine.weights for name, offer in offers.items() if offer.engine is not None}
    if not names and not embedded:
        raise ConfigError("There is nothing to lock: no offer is embedded.", hint="Name a file or a folder.")
    wanted: list[_Wanted] = []
    for name in names or embedded:
        weights = embedded.get(name) or Weights(ref=_ref_of(name, cache))
        ref = weights.ref
        place = place_of(ref, cache.folder)
        if not place.exists():
            raise ConfigError(f"The weights {ref} are not on this machine.", hint=f"Run `isthmus models pull {ref}`.")
        short = name if name in embedded else _short(name)
        # The settings take hashes from the lock, too; what the lock itself says is about to be replaced.
        own = None if weights.sha256 == locked_sha256(lock, weights) else weights.sha256
        wanted.append(_Wanted(name=short, ref=ref, place=place, sha256=own))
    return wanted


def _ref_of(name: str, cache: WeightsCache) -> str:
    kept = next((kept for kept in cache.kept() if name in {kept.name, kept.ref}), None)
    if kept is not None:
        return kept.ref
    known = open_model(name)
    if known is not None:
        return known.ref
    path = Path(name).expanduser().absolute()
    if not path.exists():
        raise ConfigError(
            f"'{name}' is no embedded offer, no weights in the cache and no path.",
            hint="`isthmus models list` and `isthmus offers` show what there is.",
        )
    return str(path)


def _short(name: str) -> str:
    """Name of a model in the lock: that of the folder, or of the file without its suffix."""
    if "/" not in name and not Path(name).exists():
        return name
    path = Path(name).expanduser().absolute()
    return path.name if path.is_dir() else path.stem


def _licence(wanted: _Wanted, given: str, file: Path | None) -> LockedLicence:
    """The licence as it is now.

    Raises:
        ConfigError: the file that was named cannot be read.
    """
    known = next((model.licence for model in open_models() if model.ref == wanted.ref), "")
    text = licence_at(wanted.place) if file is None else str(file.expanduser().absolute())
    found = licence_digest(wanted.place, text) if text else None
    if file is not None and found is None:
        raise ConfigError(f"The licence {file} cannot be read.")
    return LockedLicence(id=given or known, file=text, text_sha256=found or "")


def _locked(
    wanted: _Wanted, lock: Lock, observed: tuple[Observed, ...], *, licence: LockedLicence, approve: str
) -> LockedModel:
    """The model as it is now; what was approved stays so as long as nothing changed.

    Raises:
        ConfigError: the weights are not those that the settings pin.
    """
    facts = facts_at(wanted.place)
    if wanted.sha256 is not None and wanted.sha256.lower() not in {file.sha256 for file in facts.values()}:
        raise ConfigError(
            f"The weights {wanted.ref} at {wanted.place} are not those that the settings pin: sha256 should be "
            f"{wanted.sha256}.",
            hint="Find out what changed them; remove them and run `isthmus models pull` to fetch the right ones.",
        )
    earlier = lock.models.get(wanted.name)
    today = date.today()  # the day where the approver is
    now = LockedModel(
        ref=wanted.ref,
        revision=revision_of(wanted.ref),
        files=facts,
        licence=licence if earlier is None else _as_before(licence, earlier.licence),
        findings=tuple(map(finding, observed)),
        locked_on=today,
    )
    if earlier is not None and _same(earlier, now):
        now = msgspec.structs.replace(
            now, locked_on=earlier.locked_on, approved_by=earlier.approved_by, approved_on=earlier.approved_on
        )
    return msgspec.structs.replace(now, approved_by=approve, approved_on=today) if approve else now


def _as_before(now: LockedLicence, earlier: LockedLicence) -> LockedLicence:
    """The licence with what was said of it before, where nothing new is said."""
    text = now if now.file else earlier
    return LockedLicence(id=now.id or earlier.id, file=text.file, text_sha256=text.text_sha256)


def finding(observed: Observed) -> str:
    """What stands out, as it stands in the lock."""
    return f"{observed.check} {observed.severity}: {observed.file}: {observed.says}"


def _same(one: LockedModel, other: LockedModel) -> bool:
    """Whether an approval of one is an approval of the other."""
    return (one.ref, one.files, one.licence, one.findings) == (other.ref, other.files, other.licence, other.findings)


def _as_plain(name: str, model: LockedModel, earlier: LockedModel | None) -> _Locked:
    change: Change = "new" if earlier is None else "unchanged" if _same(earlier, model) else "changed"
    return _Locked(
        name=name,
        change=change,
        ref=model.ref,
        revision=model.revision,
        files=len(model.files),
        bytes=sum(file.size for file in model.files.values()),
        licence=model.licence.id,
        findings=model.findings,
        approved_by=model.approved_by,
    )


def _print(file: Path, shown: list[_Locked]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for row in shown:
        files = "1 file" if row.files == 1 else f"{row.files} files"
        by = f"approved by {row.approved_by}" if row.approved_by else "approved by nobody yet"
        licence = row.licence or "licence not said"
        console.print(f"{row.name}: {row.change}, {files}, {row.bytes:,} bytes, {licence}, {by}", markup=False)
        for finding in row.findings:
            console.print(f"  {finding}", markup=False)
    console.print(f"Written to {file}. Put it under version control, and have the change reviewed.", markup=False)
