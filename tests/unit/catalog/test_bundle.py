"""Bundles: what is written is read again, and nothing else is."""

from __future__ import annotations

import hashlib
import io
import stat
import zipfile
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.catalog import bundle as module
from isthmus.catalog.bundle import ABOUT, MANIFEST, is_catalog_path, read_bundle, write_bundle
from isthmus.catalog.catalog import manifest_of
from isthmus.domain.errors import ConfigError

DAY = date(2026, 11, 21)
CONTENTS = {"terms/openai/api.yaml": b"id: openai/api\n", "snapshot/listings.json": b"{}"}
ABOUT_TEXT = b'{"form":1,"made_on":"2026-11-21","made_by":"isthmus 0.1.0"}'


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "catalog.zip"


def packed(target: Path, files: Mapping[str, bytes], manifest: bytes | None = None, about: bytes = ABOUT_TEXT) -> Path:
    """A zip file by hand, true unless it is told otherwise."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr(ABOUT, about)
        written.writestr(MANIFEST, manifest_of(files).encode() if manifest is None else manifest)
        for path, text in files.items():
            written.writestr(path, text)
    return target


def test_what_is_written_is_read_again(target: Path) -> None:
    write_bundle(target, CONTENTS, made_on=DAY)
    found = read_bundle(target)
    assert found.contents == CONTENTS
    assert found.about.made_on == DAY
    assert read_bundle(target, sha256=found.sha256.upper()) == found


def test_the_same_contents_make_the_same_file(target: Path, tmp_path: Path) -> None:
    write_bundle(target, CONTENTS, made_on=DAY)
    write_bundle(tmp_path / "again.zip", dict(reversed(CONTENTS.items())), made_on=DAY)
    assert target.read_bytes() == (tmp_path / "again.zip").read_bytes()


def test_another_file_than_the_one_asked_for_is_refused(target: Path) -> None:
    write_bundle(target, CONTENTS, made_on=DAY)
    with pytest.raises(ConfigError, match="not the one that was asked for"):
        read_bundle(target, sha256="0" * 64)


def test_a_changed_file_is_refused(target: Path) -> None:
    packed(target, {**CONTENTS, "terms/openai/api.yaml": b"id: other\n"}, manifest=manifest_of(CONTENTS).encode())
    with pytest.raises(ConfigError, match=r"terms/openai/api.yaml is not the file that the manifest names"):
        read_bundle(target)


@pytest.mark.parametrize(
    ("files", "manifest"),
    [
        ({**CONTENTS, "models/more.yaml": b""}, manifest_of(CONTENTS)),
        ({}, manifest_of(CONTENTS)),
    ],
    ids=["a file more", "files missing"],
)
def test_files_and_manifest_must_be_the_same(target: Path, files: dict[str, bytes], manifest: str) -> None:
    with pytest.raises(ConfigError, match="the manifest and the files that are there differ"):
        read_bundle(packed(target, files, manifest.encode()))


@pytest.mark.parametrize(
    "path",
    [
        "../state/keys",
        "/etc/passwd",
        "models/../../keys.yaml",
        "models/..",
        "models/.hidden.yaml",
        "models/a\\b.yaml",
        "seed/models/x.yaml",
        "applied.json",
        "models/x.json",
        "models//x.yaml",
        "models/x.yaml/",
        "snapshot/../listings.json",
    ],
)
def test_a_path_that_is_no_record_is_refused(target: Path, path: str) -> None:
    assert not is_catalog_path(path)
    with pytest.raises(ConfigError):
        read_bundle(packed(target, {path: b"x"}))


@given(st.text(max_size=40))
@settings(max_examples=300)
def test_no_path_leads_out_of_the_folder(tail: str) -> None:
    path = f"models/{tail}"
    if is_catalog_path(path):
        assert Path("/x", path).resolve().is_relative_to("/x/models")


def test_a_bomb_is_not_unpacked(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_BYTES_MAX", 100_000)
    with pytest.raises(ConfigError, match="too large"):
        read_bundle(packed(target, {"models/bomb.yaml": bytes(10_000_000)}))


def test_many_files_are_held_to_their_sum(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYTES_MAX", 250_000)
    files = {f"models/m{number}.yaml": bytes(100_000) for number in range(5)}
    with pytest.raises(ConfigError, match="too large"):
        read_bundle(packed(target, files))


def test_too_many_files_and_two_of_one_name_are_refused(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(target, "w") as written:
        written.writestr(ABOUT, ABOUT_TEXT)
        written.writestr(MANIFEST, b"")
        with pytest.warns(UserWarning, match="Duplicate"):
            written.writestr(ABOUT, ABOUT_TEXT)
    with pytest.raises(ConfigError, match="two of one name"):
        read_bundle(target)
    monkeypatch.setattr(module, "FILES_MAX", 3)
    with pytest.raises(ConfigError, match="too many files"):
        read_bundle(packed(target, CONTENTS))


def test_a_link_in_a_bundle_is_only_bytes(target: Path, tmp_path: Path) -> None:
    """Nothing is unpacked to a disk, so a link cannot lead anywhere; it is a record that is none."""
    link = zipfile.ZipInfo("models/link.yaml")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(target, "w") as written:
        written.writestr(ABOUT, ABOUT_TEXT)
        written.writestr(MANIFEST, manifest_of({"models/link.yaml": b"/etc/passwd"}))
        written.writestr(link, b"/etc/passwd")
    assert read_bundle(target).contents == {"models/link.yaml": b"/etc/passwd"}
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def encrypted(target: Path) -> None:
    """The flag of encryption set in both headers of an entry."""
    data = bytearray(packed(target, CONTENTS).read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    target.write_bytes(data)


@pytest.mark.parametrize(
    "make",
    [
        lambda target: target.write_bytes(b""),
        lambda target: target.write_bytes(b"PK\x03\x04 and no more"),
        lambda target: target.write_bytes(b"id: x\n"),
        lambda target: packed(target, CONTENTS, about=b"{"),
        lambda target: packed(target, CONTENTS, about=b'{"form":2,"made_on":"2026-11-21","made_by":""}'),
        lambda target: packed(target, CONTENTS, manifest=b"nothing of the sort\n"),
        lambda target: packed(target, CONTENTS, manifest="ü".encode("latin-1")),
        encrypted,
        lambda target: zipfile.ZipFile(target, "w").close(),
    ],
)
def test_what_is_no_bundle_is_refused_with_its_name(target: Path, make: Callable[[Path], object]) -> None:
    make(target)
    with pytest.raises(ConfigError, match=r"catalog\.zip"):
        read_bundle(target)


def test_what_is_not_there_and_what_is_too_large_is_refused(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_bundle(target)
    write_bundle(target, CONTENTS, made_on=DAY)
    monkeypatch.setattr(module, "BYTES_MAX", 10)
    with pytest.raises(ConfigError, match="larger than"):
        read_bundle(target)


def test_the_manifest_is_what_sha256sum_writes(target: Path) -> None:
    write_bundle(target, CONTENTS, made_on=DAY)
    lines = zipfile.ZipFile(io.BytesIO(target.read_bytes())).read(MANIFEST).decode().splitlines()
    assert f"{hashlib.sha256(b'{}').hexdigest()}  snapshot/listings.json" in lines


def test_a_bundle_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        write_bundle(tmp_path / "nowhere" / "catalog.zip", CONTENTS, made_on=DAY)
    assert list(tmp_path.iterdir()) == []
