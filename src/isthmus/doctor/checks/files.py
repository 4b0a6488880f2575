"""Files of isthmus that others of this machine may read or change, and folders that are copied elsewhere."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from isthmus.doctor.check import Check, Finding
from isthmus.doctor.client_keys import store_file
from isthmus.doctor.modes import OTHERS, WRITING, mode_of, others_may, owner_of, together, without
from isthmus.doctor.scene import Scene
from isthmus.doctor.synced import synced_by

_MOST_FILES = 10_000
_SHOWN = 5


def _modes(scene: Scene) -> Iterator[Finding]:
    state = scene.state_dir
    owner = owner_of(state)
    yield from _for_nobody_else([state], "The state folder", owner)
    yield from _for_nobody_else(_below(state), "Of the state folder,", owner)
    store = store_file(scene)
    if store is not None and state not in store.parents:
        yield from _for_nobody_else(_beside(store), "Of the ledger,", owner_of(store))
    if scene.config_file is not None:
        yield from _settings_file(scene.config_file)
    offers = () if scene.settings is None else tuple(scene.settings.offers.values())
    secrets = {Path(offer.key.name).expanduser() for offer in offers if offer.key and offer.key.scheme == "file"}
    for path in sorted(secrets):
        yield from _for_nobody_else([path], "The file of a key", owner)


def _below(folder: Path) -> Iterator[Path]:
    """The files in the state folder, without links: they may lead anywhere."""
    for count, path in enumerate(sorted(folder.rglob("*")) if folder.is_dir() else ()):
        if count == _MOST_FILES:
            return
        if path.is_file() and not path.is_symlink():
            yield path


def _beside(store: Path) -> Iterator[Path]:
    """The files of a ledger in a folder of the operator's choice, where other things may be, too."""
    if store.parent.is_dir():
        for path in sorted(store.parent.iterdir()):
            ours = path.name.startswith(store.name) or path.name.startswith(("lineage.db", "installation.key"))
            if ours and path.is_file() and not path.is_symlink():
                yield path


def _for_nobody_else(paths: Iterable[Path], what: str, owner: int | None) -> Iterator[Finding]:
    """A finding where others have any right to some of them.

    It can be mended where all belong to the owner, whom isthmus runs as: another user's file it may be reading by the
    very right that would be taken away.
    """
    rights = {path: may for path in paths if (may := others_may(path))}
    if not rights:
        return
    all_of_them = 0
    for may in rights.values():
        all_of_them |= may
    names = ", ".join(path.name for path in list(rights)[:_SHOWN])
    more = f" and {len(rights) - _SHOWN} more" if len(rights) > _SHOWN else ""
    alone = len(rights) == 1
    yield Finding(
        subject=str(next(iter(rights)) if alone else next(iter(rights)).parent),
        found=f"{what} {names}{more} may be {'changed' if all_of_them & WRITING else 'read'} by "
        f"{'everybody on this machine' if all_of_them & stat.S_IRWXO else 'the group'}.",
        severity="critical" if all_of_them & stat.S_IWOTH else None,
        fix=together(without(path, OTHERS) for path in rights) if {*map(owner_of, rights)} == {owner} else None,
    )


def _settings_file(path: Path) -> Iterator[Finding]:
    """Who may write the settings decides where data goes; who may read them sees hashes and names, no secrets."""
    may = others_may(path)
    mode = mode_of(path) or 0
    if may & WRITING:
        everybody = bool(may & stat.S_IWOTH)
        yield Finding(
            subject=str(path),
            found=f"{'Everybody' if everybody else 'Its group'} may change it (mode {mode:03o}), and so decide where "
            "requests go.",
            severity="critical" if everybody else None,
            fix=without(path, WRITING),
        )
    elif may & stat.S_IROTH:
        yield Finding(
            subject=str(path),
            found=f"Everybody may read it (mode {mode:03o}): rules, names of keys, addresses. Secrets are not in it.",
            severity="info",
            remedy=f"Where only its group should: chmod o-rwx {path}, if isthmus runs as its owner or in the group.",
        )
    folder = path.absolute().parent
    if others_may(folder) & stat.S_IWOTH and not (mode_of(folder) or 0) & stat.S_ISVTX:
        yield Finding(
            subject=str(folder),
            found=f"Everybody may put another file in the place of {path.name} (mode {mode_of(folder):03o}).",
            severity="critical",
            fix=without(folder, stat.S_IWOTH),
        )


def _synced(scene: Scene) -> Iterator[Finding]:
    store = store_file(scene)
    for what, path in (("state", scene.state_dir), ("ledger", store), ("settings", scene.config_file)):
        service = None if path is None else synced_by(path.absolute())
        if service is not None:
            yield Finding(
                subject=str(path),
                found=f"The {what} {'are' if what == 'settings' else 'is'} in a folder that {service} copies.",
                severity="warn" if what == "settings" else None,
            )


CHECKS = (
    Check(
        id="FS-1",
        family="files",
        title="Files that others may read or change",
        severity="high",
        why="The state folder holds who asked what and when, the key of pseudonyms and the key that signs the ledger. "
        "Whoever may write the settings decides where data goes.",
        remedy="Take the rights of others away: `isthmus doctor --fix` does.",
        look=_modes,
    ),
    Check(
        id="FS-3",
        family="files",
        title="State in a folder that is copied elsewhere",
        severity="high",
        why="The ledger and its keys go to whoever runs the service, and to every machine that takes part. A database "
        "that is copied while it is written to breaks.",
        remedy="Set XDG_STATE_HOME, or `[store] url`, to a folder that stays here.",
        look=_synced,
    ),
)
