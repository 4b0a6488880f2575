"""A process that records as fast as it is let and waits to be killed. Arguments: path of the store, of its own notes.

Each note is a line `opened|settled ID TIME`, written to the file before the next call; what a process wrote survives
its kill, so the notes say what it had handed over and when (seconds of the monotonic clock).
"""

import os
import sys
import time

from tests.unit.ledger.samples import entry, opened

from isthmus.ledger.store import Store
from isthmus.ledger.writer import LedgerWriter


def main(path: str, notes: str) -> None:
    file = os.open(notes, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def note(event: str, request: str) -> None:
        os.write(file, f"{event} {request} {time.monotonic()}\n".encode())

    with LedgerWriter(Store(f"sqlite:///{path}")) as writer:
        # A quarter of the requests lasts over several groups, one in a hundred to the end.
        running: list[str] = []
        for number in range(1_000_000):
            request = f"r-{number:07}"
            writer.opened(opened(request))
            note("opened", request)
            if number % 100 != 0:
                running.append(request)
            if len(running) > (300 if number % 4 == 0 else 150):
                first = running.pop(0)
                writer.settled(entry(first))
                note("settled", first)
            time.sleep(0.0005)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
