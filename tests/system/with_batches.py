"""isthmus with its batches, put together as `app.py` does it: `python -m tests.system.with_batches FILE`."""

import asyncio
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from tests.system.process import Isthmus
from typing_extensions import override

from isthmus.app import running, serve
from isthmus.batches.batches import Batches
from isthmus.gateway.keyring import ANYONE
from isthmus.ledger.batches import SqlBatchStore
from isthmus.ledger.fingerprints import installation_key, key_file
from isthmus.ledger.store import open_store
from isthmus.settings import load


class WithBatches(Isthmus):
    """A process of isthmus that works on batches."""

    @override
    def start(self, *, wait: float = 20.0) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.system.with_batches", str(self.file)],
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + wait
        while self.get("/healthz") != 200:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.02)


async def main() -> None:
    settings = load(Path(sys.argv[1]))
    async with running(settings) as app:
        store = SqlBatchStore(open_store(settings.store.url), installation_key(key_file(app.store_file)))
        batches = app.gateway.batches = Batches(
            store, app.road, lambda _: ANYONE, idle=lambda name: app.road.health.of(name).lane.is_idle
        )
        work = asyncio.create_task(batches.run())
        await serve(app)
        app.road.stopping = True
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


if __name__ == "__main__":
    asyncio.run(main())
