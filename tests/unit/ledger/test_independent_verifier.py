"""The verifier printed in the docs works, alone, on a ledger as it is and on one that was tampered with."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.ledger.test_verify import COUNT, fill, tamper

from isthmus.ledger import journal
from isthmus.ledger.chain import place
from isthmus.ledger.signing import ensure_signing_key, key_file
from isthmus.ledger.store import Store
from isthmus.ledger.verify import latest_checkpoint

PAGE = Path(__file__).parents[3] / "docs/reference/ledger.md"


@pytest.fixture
def whole(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(journal, "CHECKPOINT_RECORDS", 10)
    fill(store, "one")
    fill(store, "two")
    return store


def run(store: Store, folder: Path, *more: str) -> tuple[int, str]:
    (code,) = re.findall(r"```python\n(import hashlib.*?)```", PAGE.read_text(), re.S)
    script, pem = folder / "verify.py", folder / "ledger.pem"
    script.write_text(code)
    pem.write_text(ensure_signing_key(key_file(store.path)).public.pem)
    done = subprocess.run(
        [sys.executable, "-I", str(script), str(store.path), str(pem), *more],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.strip()


def test_it_is_about_fifty_lines_and_knows_nothing_of_isthmus() -> None:
    (code,) = re.findall(r"```python\n(import hashlib.*?)```", PAGE.read_text(), re.S)
    assert len(code.splitlines()) < 65
    imports = re.findall(r"^(?:from|import) (.*)", code, re.M)
    assert [line.split()[0].split(".")[0] for line in imports] == ["hashlib,", "cryptography", "cryptography"]


def test_what_was_written_is_intact(whole: Store, tmp_path: Path) -> None:
    assert run(whole, tmp_path) == (0, "intact")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (f"UPDATE records SET document = replace(document, '0.00', '0.01') WHERE place = {place(1, 7)}", "number 7"),
        (f"UPDATE records SET request = 'x' WHERE place = {place(1, 7)}", "columns of number 7"),
        (f"DELETE FROM records WHERE place = {place(1, 7)}", "numbers 7 to 7 are missing"),
        (f"DELETE FROM records WHERE place BETWEEN {place(2, 30)} AND {place(3, 0)}", f"number {COUNT} was signed"),
        (f"DELETE FROM records WHERE place < {place(2, 0)}", "writer 1: the end is missing"),
        ("DELETE FROM checkpoints WHERE number = 3", "checkpoint 4 does not follow"),
        ("UPDATE checkpoints SET signature = zeroblob(64) WHERE number = 3", "checkpoint 3 is not signed"),
    ],
)
def test_what_was_tampered_with_is_found(whole: Store, tmp_path: Path, change: str, told: str) -> None:
    tamper(whole, change)
    code, output = run(whole, tmp_path)
    assert code == 1
    assert told in output


def test_a_ledger_cut_off_is_found_by_a_checkpoint_kept_elsewhere(whole: Store, tmp_path: Path) -> None:
    checkpoint = latest_checkpoint(whole)
    assert checkpoint is not None
    kept = tmp_path / "checkpoint.json"
    import msgspec

    kept.write_bytes(msgspec.json.encode(checkpoint))
    assert run(whole, tmp_path, str(kept)) == (0, "intact")
    tamper(
        whole,
        f"DELETE FROM records WHERE place > {place(2, 0)}",
        "DELETE FROM checkpoints WHERE number > (SELECT min(number) FROM checkpoints"
        " WHERE json_extract(document, '$.writer') = 2)",
    )
    assert run(whole, tmp_path) == (0, "intact"), "the file alone cannot tell"
    code, output = run(whole, tmp_path, str(kept))
    assert code == 1
    assert "was signed and is not in the store" in output
