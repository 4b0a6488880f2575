"""DOCX: a zip archive of XML parts (ECMA-376), of which those that hold text are read.

Text that was deleted with changes tracked, comments, notes, headers and footers are part of it: they leave with the
file. Nothing is unpacked to disk. What Word never writes and an attacker would is refused: a document type (and with it
entities that expand), nesting without end, parts that unpack to far more than they say or than a document needs.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from xml.parsers import expat

from isthmus.connectors.documents.refusal import MAX_TEXT, Refused, require_bounded

_TEXT_PARTS = re.compile(r"word/(?:document|header\d*|footer\d*|footnotes|endnotes|comments)\.xml\Z")
_MAX_PARTS = 10_000
_MAX_UNPACKED = 4 * MAX_TEXT
"""Bytes of all text parts together: markup takes several times the room of the text."""
_MAX_DEPTH = 512
_PIECE = 1 << 16

_TEXT = frozenset({"t", "delText"})
_BREAKS = {"p": "\n", "br": "\n", "cr": "\n", "tab": "\t", "tc": "\t", "noBreakHyphen": "-"}


def is_zip(data: bytes) -> bool:
    return data.startswith(b"PK\x03\x04")


def docx_texts(data: bytes) -> list[str]:
    """The texts of the parts, the body first.

    Raises:
        Refused: it is no DOCX file, or not one to take apart.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > _MAX_PARTS:
                raise Refused(f"it has {len(entries):,} parts, more than {_MAX_PARTS:,}")
            parts = sorted(
                (entry for entry in entries if _TEXT_PARTS.match(entry.filename)),
                key=lambda entry: (entry.filename != "word/document.xml", entry.filename),
            )
            if not parts or parts[0].filename != "word/document.xml":
                raise Refused("it is a zip archive, but not a DOCX document")
            reading = _Reading()
            return [reading.part(archive, part) for part in parts]
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError) as error:
        # RuntimeError: an encrypted part. NotImplementedError: a way of packing that zipfile does not know.
        raise Refused("it is damaged or encrypted") from error


class _Reading:
    """Reads parts, counting what all of them take together."""

    def __init__(self) -> None:
        self._unpacked = 0
        self._characters = 0

    def part(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> str:
        pieces: list[str] = []
        open_elements: list[str] = []

        def doctype(*_: object) -> None:
            raise Refused("its XML declares a document type, which no word processor writes")

        def start(name: str, _attributes: dict[str, str]) -> None:
            if len(open_elements) >= _MAX_DEPTH:
                raise Refused(f"its XML is nested deeper than {_MAX_DEPTH} elements")
            open_elements.append(name.rpartition(" ")[2])

        def end(_name: str) -> None:
            pieces.append(_BREAKS.get(open_elements.pop(), ""))

        def characters(text: str) -> None:
            if open_elements and open_elements[-1] in _TEXT:
                self._characters += len(text)
                require_bounded(self._characters)
                pieces.append(text)

        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = doctype
        parser.StartElementHandler = start
        parser.EndElementHandler = end
        parser.CharacterDataHandler = characters
        try:
            with archive.open(entry) as stream:
                while piece := stream.read(_PIECE):
                    self._unpacked += len(piece)
                    if self._unpacked > _MAX_UNPACKED:
                        raise Refused(f"it unpacks to more than {_MAX_UNPACKED // 1024**2} MB")
                    parser.Parse(piece, False)
                parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise Refused(f"the XML of {entry.filename} is damaged") from error
        return "".join(pieces)
