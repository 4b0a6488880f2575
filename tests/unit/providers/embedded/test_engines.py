import asyncio
import json
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from isthmus.domain.errors import ConfigError, UpstreamUnreachable
from isthmus.domain.offer import Engine, Offer, Weights
from isthmus.providers.embedded import endpoint
from isthmus.providers.embedded.engine import Pace
from isthmus.providers.embedded.engines import EmbeddedEngines

pytestmark = pytest.mark.anyio

FAKE_CHILD = (sys.executable, str(Path(__file__).with_name("fake_child.py")))
PACE = Pace(
    start_within=5.0,
    wait_for_start=5.0,
    first_pause=0.02,
    longest_pause=0.05,
    quick_deaths=3,
    retry_failed=0.3,
    retry_missing=0.05,
    check_every=0.1,
    check_within=0.5,
    checks_missed=2,
    finish_within=2.0,
    look_again=0.05,
)


@pytest.fixture
async def engines(tmp_path: Path) -> AsyncIterator[EmbeddedEngines]:
    found = EmbeddedEngines(tmp_path / "cache", pace=PACE, command=FAKE_CHILD)
    yield found
    await found.aclose()


def weights(folder: Path, **manners: object) -> Path:
    path = folder / "weights.gguf"
    path.write_bytes(b"GGUF" + json.dumps(manners).encode())
    return path


def offer(path: Path, name: str = "home", **engine: Any) -> Offer:
    return Offer(
        name=name,
        model="small",
        provider="embedded",
        dialect="openai-chat",
        base_url="",
        side="own",
        engine=Engine(weights=Weights(ref=str(path)), **engine),
    )


def starts(path: Path) -> list[int]:
    file = Path(f"{path}.starts")
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def launched(path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(Path(f"{path}.launch").read_text())
    return found


def seen_from_outside(pid: int | None) -> bytes:
    return b"".join(Path(f"/proc/{pid}/{place}").read_bytes() for place in ("cmdline", "environ"))


def tell(path: Path, word: str, text: str = "") -> None:
    """Have the fake engine on these weights be busy, or unwell."""
    Path(f"{path}.{word}").write_text(text)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until(condition: Callable[[], bool], within: float = 5.0) -> None:
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.01)


async def test_an_address_is_given_once_the_engine_serves(engines: EmbeddedEngines, tmp_path: Path) -> None:
    home = offer(weights(tmp_path), context_tokens=2048, threads=1, parallel=3)
    await engines.start([home])
    base_url, key = await engines.address(home)
    status = engines.status("home")
    assert status is not None
    assert status.state == "ready"
    assert base_url == f"http://127.0.0.1:{status.port}/v1"
    assert status.port is not None
    assert await endpoint.is_well(status.port, api_key=key)
    assert not await endpoint.is_well(status.port, api_key="another")
    told = launched(tmp_path / "weights.gguf")
    assert (told["context_tokens"], told["threads"], told["parallel"]) == (2048, 1, 3)
    assert told["model"] == "small"


async def test_the_key_is_not_to_be_seen_from_outside(engines: EmbeddedEngines, tmp_path: Path) -> None:
    home = offer(weights(tmp_path))
    await engines.start([home])
    _, key = await engines.address(home)
    status = engines.status("home")
    assert status is not None
    assert key.encode() not in seen_from_outside(status.pid)


async def test_offers_of_other_providers_get_no_engine(engines: EmbeddedEngines) -> None:
    other = Offer(name="gpt", model="m", provider="openai", dialect="openai-chat", base_url="http://x", side="closed")
    await engines.start([other])
    assert engines.status("gpt") is None
    with pytest.raises(UpstreamUnreachable, match="No engine"):
        await engines.address(other)


async def test_an_engine_that_is_killed_is_back_at_once_and_the_key_stays(
    engines: EmbeddedEngines, tmp_path: Path
) -> None:
    home = offer(weights(tmp_path))
    await engines.start([home])
    _, key = await engines.address(home)
    first = engines.status("home")
    assert first is not None
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    await until(lambda: engines.status("home") != first)
    began = time.monotonic()
    _, key_again = await engines.address(home)
    assert time.monotonic() - began < 2.0
    assert key_again == key
    second = engines.status("home")
    assert second is not None
    assert second.pid != first.pid
    assert second.restarts == 1


async def test_an_engine_that_dies_again_and_again_is_given_up_and_tried_later(
    engines: EmbeddedEngines, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    path = weights(tmp_path, aborts=True, says="llama.cpp: GGML_ASSERT(n_batch > 1) failed")
    home = offer(path)
    await engines.start([home])
    with pytest.raises(UpstreamUnreachable, match=r"ended by SIGABRT.*GGML_ASSERT\(n_batch > 1\)"):
        await engines.address(home)
    assert len(starts(path)) == PACE.quick_deaths
    began = time.monotonic()
    with pytest.raises(UpstreamUnreachable):
        await engines.address(home)
    assert time.monotonic() - began < 0.1
    weights(tmp_path)
    await until(lambda: (status := engines.status("home")) is not None and status.state == "ready")
    assert (await engines.address(home))[0].startswith("http://127.0.0.1:")


async def test_the_reason_of_a_failed_start_is_told(engines: EmbeddedEngines, tmp_path: Path) -> None:
    home = offer(weights(tmp_path, fails="RuntimeError: unknown architecture 'x'"))
    await engines.start([home])
    with pytest.raises(UpstreamUnreachable, match="unknown architecture 'x'"):
        await engines.address(home)


async def test_what_an_engine_prints_is_not_repeated_unless_it_tells_of_its_end(
    engines: EmbeddedEngines, tmp_path: Path
) -> None:
    home = offer(weights(tmp_path, aborts=True, says="prompt: my secret"))
    await engines.start([home])
    with pytest.raises(UpstreamUnreachable) as caught:
        await engines.address(home)
    assert "secret" not in caught.value.message


async def test_an_engine_that_does_not_come_up_in_time_is_ended(tmp_path: Path) -> None:
    pace = Pace(start_within=0.5, wait_for_start=0.2, quick_deaths=1)
    engines = EmbeddedEngines(tmp_path / "cache", pace=pace, command=FAKE_CHILD)
    path = weights(tmp_path, hangs=True)
    home = offer(path)
    await engines.start([home])
    with pytest.raises(UpstreamUnreachable, match="still starting"):
        await engines.address(home)
    await until(lambda: (status := engines.status("home")) is not None and status.state == "failed")
    with pytest.raises(UpstreamUnreachable, match="not ready within"):
        await engines.address(home)
    await engines.aclose()
    assert not any(alive(pid) for pid in starts(path))


async def test_an_engine_that_misses_its_health_checks_is_started_anew(
    engines: EmbeddedEngines, tmp_path: Path
) -> None:
    path = weights(tmp_path)
    home = offer(path)
    await engines.start([home])
    await engines.address(home)
    tell(path, "unwell", "yes")
    await until(lambda: len(starts(path)) >= 2)
    tell(path, "unwell")
    await engines.address(home)
    assert not alive(starts(path)[0])


def as_if_fetched(folder: Path) -> None:
    folder.mkdir(parents=True)
    path = folder / "owner--name--file.gguf"
    path.write_bytes(b"GGUF{}")
    record = {"ref": "hf:owner/name/file.gguf", "sha256": "0", "bytes": 0, "changed_ns": 0}
    path.with_suffix(".json").write_text(json.dumps(record))


async def test_missing_weights_are_told_with_the_command_that_fetches_them_and_found_when_they_come(
    engines: EmbeddedEngines, tmp_path: Path
) -> None:
    home = Offer(
        name="home",
        model="small",
        provider="embedded",
        dialect="openai-chat",
        base_url="",
        side="own",
        engine=Engine(weights=Weights(ref="hf:owner/name/file.gguf")),
    )
    await engines.start([home])
    with pytest.raises(UpstreamUnreachable, match=r"`isthmus models pull hf:owner/name/file\.gguf`"):
        await engines.address(home)
    status = engines.status("home")
    assert status is not None
    assert status.state == "missing"

    as_if_fetched(tmp_path / "cache" / "weights")
    await until(lambda: (status := engines.status("home")) is not None and status.state == "ready")


async def test_parameters_no_engine_can_run_with_are_refused_and_nothing_changes(
    engines: EmbeddedEngines, tmp_path: Path
) -> None:
    home = offer(weights(tmp_path))
    await engines.start([home])
    before = await engines.address(home)
    with pytest.raises(ConfigError, match="parallel = 0"):
        await engines.reconcile([offer(tmp_path / "weights.gguf", parallel=0)])
    assert await engines.address(home) == before


async def test_a_reload_leaves_an_unchanged_engine_alone_and_stops_a_removed_one(
    engines: EmbeddedEngines, tmp_path: Path
) -> None:
    (tmp_path / "b").mkdir()
    one, two = offer(weights(tmp_path)), offer(weights(tmp_path / "b"), name="second")
    await engines.start([one, two])
    before = await engines.address(one)
    await engines.address(two)
    (gone,) = starts(tmp_path / "b" / "weights.gguf")
    await engines.reconcile([one])
    assert engines.status("second") is None
    assert await engines.address(one) == before
    await until(lambda: not alive(gone))


async def test_a_changed_engine_is_replaced_and_the_old_one_finishes_its_work(
    engines: EmbeddedEngines, tmp_path: Path
) -> None:
    path = weights(tmp_path)
    await engines.start([offer(path)])
    before = await engines.address(offer(path))
    tell(path, "busy", "1")
    changed = offer(path, parallel=4)
    await engines.reconcile([changed])
    after = await engines.address(changed)
    assert after != before
    old, _new = starts(path)
    await asyncio.sleep(PACE.look_again * 4)
    assert alive(old)
    tell(path, "busy", "0")
    await until(lambda: not alive(old))
    assert await engines.address(changed) == after


async def test_closing_leaves_no_process_behind(engines: EmbeddedEngines, tmp_path: Path) -> None:
    path = weights(tmp_path)
    home = offer(path)
    await engines.start([home])
    await engines.address(home)
    tell(path, "busy", "1")
    await engines.reconcile([offer(path, parallel=4)])
    await until(lambda: len(starts(path)) == 2)
    await engines.aclose()
    assert not any(alive(pid) for pid in starts(path))
    with pytest.raises(UpstreamUnreachable):
        await engines.address(home)


async def test_a_waiting_request_that_is_given_up_leaves_the_engine_alone(
    engines: EmbeddedEngines, tmp_path: Path
) -> None:
    home = offer(weights(tmp_path))
    await engines.start([home])
    waiting = asyncio.create_task(engines.address(home))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    await engines.address(home)


def test_pauses_between_restarts_grow_and_end_in_giving_up() -> None:
    pace = Pace()
    pauses = [pace.pause(deaths) for deaths in range(1, 7)]
    assert pauses == [0.0, 0.1, 0.2, 0.4, pace.retry_failed, pace.retry_failed]
