"""`isthmus doctor` against the real programme."""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.system.process import Isthmus, running

SETTINGS = '[offers.near]\nprovider = "vllm"\nmodel = "m"\nurl = "http://127.0.0.1:9/v1"\n'
KEY = "sk-proj-9fK2mQ8vXz4LtR7wPb3NcYd6HjA1sGe5"


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that others may look into: pytest's own is closed to them, and modes would not matter."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


def test_settings_that_cannot_be_used_are_the_first_finding_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    isthmus = Isthmus(tmp_path, "[offers.near]\nprovider = 'nobody'\n")
    told = json.loads(isthmus.run("doctor", "--json", "--only", "files", "--only", "operation", code=1).stdout)
    assert told["findings"][0]["id"] == "OP-5"
    assert "FS-3" in told["passed"]
    isthmus.file.write_text("this is not TOML")
    assert "OP-5" in isthmus.run("doctor", "--only", "operation", code=1).stdout


def test_what_can_be_mended_is_mended_and_shown(shared_folder: Path) -> None:
    isthmus = Isthmus(shared_folder, SETTINGS)
    isthmus.file.chmod(0o666)
    assert "With --fix: chmod 644" in isthmus.run("doctor", "--only", "files", code=1).stdout
    assert isthmus.file.stat().st_mode & 0o777 == 0o666
    told = json.loads(isthmus.run("doctor", "--only", "files", "--fix", "--json").stdout)
    assert told["fixed"] == [f"chmod 644 {isthmus.file}"]
    isthmus.file.chmod(0o660)
    mended = isthmus.run("doctor", "--only", "files", "--fix").stdout
    assert "Done: chmod 640" in mended
    assert mended.endswith("Nothing is left. 1 mended. 3 checks passed.\n")


def test_a_running_isthmus_is_told_with_who_reaches_it(tmp_path: Path) -> None:
    with running(Isthmus(tmp_path, SETTINGS)) as isthmus:
        told = json.loads(isthmus.run("doctor", "--json", "--only", "NET-1").stdout)
    (here,) = (one for one in told["exposure"] if one["engine"] == "isthmus" and one["port"] == isthmus.port)
    assert (here["open"], here["network"], here["web_pages"]) == (True, False, [])


def test_no_secret_is_ever_shown(tmp_path: Path) -> None:
    isthmus = Isthmus(tmp_path, SETTINGS)
    (tmp_path / "compose.yaml").write_text(f"services:\n  a:\n    environment:\n      OPENAI_API_KEY: {KEY}\n")
    done = isthmus.run("doctor", "--only", "FS-2", "--json", code=1)
    assert "api_key in line 4" in done.stdout
    assert KEY not in done.stdout + done.stderr


def test_what_is_no_host_and_no_check_is_refused(tmp_path: Path) -> None:
    isthmus = Isthmus(tmp_path, SETTINGS)
    for options in (("--address", "10.0.0.0/8"), ("--only", "everything")):
        done = isthmus.run("doctor", "--json", *options, code=1)
        assert json.loads(done.stderr)["error"]["code"] == "config_error"
        assert done.stdout == ""
