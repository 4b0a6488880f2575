import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from tests.unit.ledger.samples import entry

from isthmus.domain.errors import InvalidRequest, LedgerError
from isthmus.ledger.signing import ensure_signing_key, key_file, read_public_key
from isthmus.ledger.store import Store
from isthmus.ledger.writer import LedgerWriter


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    old = os.umask(0)
    try:
        made = ensure_signing_key(path)
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o600
    assert ensure_signing_key(path).public.name == made.public.name
    assert [file.name for file in tmp_path.iterdir()] == ["key"]


def test_what_one_key_signs_another_does_not_vouch_for(tmp_path: Path) -> None:
    one, other = ensure_signing_key(tmp_path / "one"), ensure_signing_key(tmp_path / "other")
    signature = one.sign(b"so far")
    assert one.public.signed(b"so far", signature)
    assert not one.public.signed(b"so fer", signature)
    assert not other.public.signed(b"so far", signature)


def test_a_public_key_survives_its_file(tmp_path: Path) -> None:
    public = ensure_signing_key(tmp_path / "key").public
    (tmp_path / "pem").write_text(public.pem)
    assert read_public_key(tmp_path / "pem").name == public.name


def test_two_that_make_the_key_at_once_have_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        names = set(threads.map(lambda _: ensure_signing_key(tmp_path / "key").public.name, range(4)))
    assert len(names) == 1


def test_a_key_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "key"
    ensure_signing_key(path)
    path.chmod(0o640)
    with pytest.raises(LedgerError, match="other users") as caught:
        ensure_signing_key(path)
    assert "chmod 600" in caught.value.sentence


@pytest.mark.parametrize("kind", ["nonsense", "another kind"])
def test_what_is_no_key_stops_the_start_and_is_not_written_over(store: Store, kind: str) -> None:
    store.prepare()
    path = key_file(store.path)
    other = generate_private_key(SECP256R1())
    text = {
        "nonsense": b"a letter",
        "another kind": other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    }[kind]
    path.write_bytes(text)
    path.chmod(0o600)
    with pytest.raises(LedgerError, match="no Ed25519 key"):
        LedgerWriter(store).start()
    assert path.read_bytes() == text
    (path.parent / "pem").write_bytes(other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(InvalidRequest, match="another kind"):
        read_public_key(path.parent / "pem")


def test_the_key_lies_where_the_settings_say(store: Store, tmp_path: Path) -> None:
    with LedgerWriter(store, signing_key=tmp_path / "elsewhere") as writer:
        writer.settled(entry("a"))
    assert (tmp_path / "elsewhere").exists()
    assert not key_file(store.path).exists()
