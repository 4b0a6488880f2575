"""Folders that a service copies elsewhere: Dropbox, OneDrive, iCloud, Google Drive, Nextcloud and Syncthing."""

from __future__ import annotations

import re
from pathlib import Path

_NAMES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("Dropbox", re.compile(r"Dropbox(?: \(.*\))?\Z")),
    ("OneDrive", re.compile(r"OneDrive(?:[ -].*)?\Z")),
    ("iCloud", re.compile(r"(?:Mobile Documents|com~apple~CloudDocs|iCloud ?Drive)\Z")),
    ("Google Drive", re.compile(r"Google ?Drive(?:[ -].*)?\Z|DriveFS\Z")),
    ("a cloud service", re.compile(r"CloudStorage\Z")),
    ("Nextcloud", re.compile(r"Nextcloud\Z")),
    ("ownCloud", re.compile(r"ownCloud\Z")),
    ("pCloud", re.compile(r"pCloud ?Drive\Z|pCloud ?Sync\Z")),
)
"""Names that their folders have."""

_MARKS = {
    ".stfolder": "Syncthing",
    ".dropbox": "Dropbox",
    ".dropbox.cache": "Dropbox",
    ".owncloudsync.log": "ownCloud",
    ".nextcloudsync.log": "Nextcloud",
    ".sync": "Resilio Sync",
}
"""What they put into them."""


def synced_by(path: Path) -> str | None:
    """The service that copies the folder a path is in; None: none is known to."""
    for folder in (path, *path.parents):
        for service, form in _NAMES:
            if form.match(folder.name):
                return service
        for mark, service in _MARKS.items():
            # In the home folder `.dropbox` is where its programme keeps its settings, and marks nothing.
            if (folder / mark).exists() and not (mark == ".dropbox" and (folder / mark).is_dir()):
                return service
    return None
