"""A process that sends what it has secured, as fast as it can, and waits to be killed.

Arguments: path of the store, port to send to on loopback, a name for its requests. Each send is one line
`REQUEST DIGEST`; it leaves only when its crossing is on record.
"""

import asyncio
import hashlib
import sys
from datetime import UTC, datetime
from itertools import count

from tests.unit.ledger.samples import entry, opened

from isthmus.domain.entry import CrossingNote
from isthmus.domain.label import label
from isthmus.domain.request import RequestId
from isthmus.ledger.store import Store
from isthmus.ledger.writer import LedgerWriter

TASKS = 8


async def main(path: str, port: int, name: str) -> None:
    _, upstream = await asyncio.open_connection("127.0.0.1", port)
    numbers = count()

    async def work() -> None:
        for number in numbers:
            request = f"{name}-{number}"
            digest = hashlib.sha256(request.encode()).hexdigest()
            writer.opened(opened(request))
            await writer.secure(
                CrossingNote(
                    request=RequestId(request),
                    offer="gpt",
                    labels=(label("phi"),),
                    digest=digest,
                    at=datetime.now(UTC),
                )
            )
            upstream.write(f"{request} {digest}\n".encode())
            await upstream.drain()
            if number % 3:  # the others stay in flight
                writer.settled(entry(request))

    with LedgerWriter(Store(f"sqlite:///{path}")) as writer:
        await asyncio.gather(*(work() for _ in range(TASKS)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
