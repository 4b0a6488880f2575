"""Make the extract: `python -m isthmus.doctor.advisories --from osv=PyPI.zip --from osv=Go.zip [--to FILE]`."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from isthmus.doctor.advisories.making import extract_of
from isthmus.doctor.advisories.page import page
from isthmus.doctor.advisories.record import Extract, load_extract

HERE = Path(__file__).parent


def text_of(extract: Extract) -> bytes:
    """The file, one advisory a line, so that a new extract is a diff that can be read."""
    lines = b",\n".join(b"    " + msgspec.json.encode(advisory) for advisory in extract.advisories)
    head = msgspec.json.format(msgspec.json.encode({"made_on": extract.made_on, "sources": extract.sources}), indent=2)
    return head[:-2] + b',\n  "advisories": [\n' + lines + b"\n  ]\n}\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m isthmus.doctor.advisories", description=__doc__)
    parser.add_argument(
        "--from",
        dest="inputs",
        action="append",
        default=[],
        metavar="SOURCE=PATH",
        help="key of a source in by_hand.yaml, and a zip, folder or file of OSV records; may be given several times",
    )
    parser.add_argument("--by-hand", type=Path, default=HERE / "by_hand.yaml", help="records kept by hand")
    parser.add_argument("--to", type=Path, default=HERE / "extract.json", help="the file to be written")
    parser.add_argument(
        "--page", type=Path, help="write the reference page of the extract that is there, and no extract"
    )
    given = parser.parse_args()
    if given.page is not None:
        given.page.write_text(page(load_extract()))
        return
    inputs = [(key, Path(path)) for key, _, path in (text.partition("=") for text in given.inputs)]
    extract = extract_of(inputs, given.by_hand, today=datetime.now(UTC).date())
    given.to.write_bytes(text_of(extract))
    sys.stdout.write(f"{given.to}: {len(extract.advisories)} advisories, {given.to.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
