"""`python -m isthmus.catalog.feeds`: make the snapshot that ships, out of the packages that are installed.

    python -m isthmus.catalog.feeds                    writes snapshot/listings.json, and its MANIFEST
    python -m isthmus.catalog.feeds --out FILE         writes it elsewhere
    python -m isthmus.catalog.feeds --bundle FILE      writes a bundle of the records that came along with it, for
                                                       `isthmus catalog update --from FILE`
    python -m isthmus.catalog.feeds --day 2026-11-21   takes the prices of another day than today

The same packages, records and day make the same file.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from isthmus.catalog.bundle import write_bundle
from isthmus.catalog.catalog import SNAPSHOT, catalog_of, contents_of
from isthmus.catalog.feeds.extract import extract
from isthmus.catalog.feeds.installed import installed
from isthmus.catalog.listing import Snapshot, snapshot_json

SHIPPED = Path(__file__).parents[1] / SNAPSHOT


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the snapshot and say what is in it."""
    parser = argparse.ArgumentParser(prog="python -m isthmus.catalog.feeds", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=SHIPPED, help="file of the snapshot")
    parser.add_argument("--bundle", type=Path, help="file of a bundle to make besides")
    parser.add_argument("--day", type=date.fromisoformat, default=datetime.now(UTC).date(), help="whose prices count")
    asked = parser.parse_args(arguments)
    contents = contents_of()
    records = catalog_of(contents)
    snapshot = extract(installed(asked.day), models=records.models, providers=records.providers, made_on=asked.day)
    text = snapshot_json(snapshot)
    asked.out.write_bytes(text)
    # As `sha256sum --check` reads it, so that whoever ships the file can tell that it is the one that was made.
    asked.out.with_name("MANIFEST").write_text(f"{hashlib.sha256(text).hexdigest()}  {asked.out.name}\n", "ascii")
    sys.stdout.write(f"{asked.out}: {len(text):,} bytes\n{summary(snapshot)}\n")
    if asked.bundle is not None:
        write_bundle(asked.bundle, {**contents, SNAPSHOT: text}, made_on=asked.day)
        sys.stdout.write(f"{asked.bundle}: {asked.bundle.stat().st_size:,} bytes\n")
    return 0


def summary(snapshot: Snapshot) -> str:
    """How many listings there are, and where feeds agree."""
    of_ours = {listing.model for listing in snapshot.listings if listing.model is not None}
    lines = [
        f"{len(snapshot.listings)} listings of {len({one.provider for one in snapshot.listings})} providers; "
        f"{sum(listing.model is not None for listing in snapshot.listings)} are of {len(of_ours)} models with a record"
    ]
    for field in ("price", "context_tokens", "retires_on"):
        counts: Counter[str] = Counter()
        for listing in snapshot.listings:
            claim = getattr(listing, field)
            counts["conflict" if claim.alternatives else claim.evidence if claim.known else "unknown"] += 1
        lines.append(
            f"{field}: {counts['E2']} two feeds agree, {counts['conflict']} disagree, {counts['E1']} one feed alone, "
            f"{counts['unknown']} unknown"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
