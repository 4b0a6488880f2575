"""Of which parts a mail is made, as the server took it apart (BODYSTRUCTURE: RFC 3501, section 7.4.2).

So no mail, however large, has to be fetched in whole to be listed or read. Reads anything, raises nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from urllib.parse import unquote_to_bytes

from isthmus.connectors.mail.responses import Node
from isthmus.connectors.mail.words import decoded, in_charset, one_line

_MAX_PARTS = 200
_MAX_DEPTH = 20
_CONTINUED = re.compile(r"(.+?)\*(\d{1,3})(\*?)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a mail that holds content."""

    section: str
    """`1`, `2.1`: by which the server finds it."""
    media_type: str
    """`text/plain`: what whoever wrote the mail says it is."""
    charset: str | None = None
    encoding: str = "7bit"
    size: int = 0
    """Bytes as encoded."""
    name: str = ""
    """Of the file, where it is one."""
    attached: bool = False
    alternatives: str = ""
    """Of which multipart/alternative it is a version. Empty: of none."""
    inner: tuple[Part, ...] = ()
    """Of a mail that is attached: its parts."""

    @property
    def is_text(self) -> bool:
        """Whether it is part of what a mail programme shows as the mail."""
        return self.media_type in {"text/plain", "text/html"} and not self.attached


def parts(node: Node, *, within: str = "", depth: int = 0) -> tuple[Part, ...]:
    """The parts of a mail, in their order.

    Args:
        node: what the server says of its structure.
        within: where the mail lies in another one, the section it is there and a dot.
        depth: how many parts are around it.
    """
    return tuple(islice(_parts(node, within, "", depth, root=True), _MAX_PARTS))


def _parts(node: Node, prefix: str, alternatives: str, depth: int, *, root: bool = False) -> Iterator[Part]:
    if not isinstance(node, list) or not node or depth > _MAX_DEPTH:
        return
    if isinstance(node[0], list):
        children = [child for child in node if isinstance(child, list)]
        # After the children comes the subtype; the lists behind it are parameters.
        children = children[: next((at for at, child in enumerate(node) if not isinstance(child, list)), len(node))]
        subtype = _lower(node, len(children))
        # Whatever is an alternative's child is one version of it, with all that it holds.
        for number, child in enumerate(children, start=1):
            section = f"{prefix}{number}"
            within = alternatives or (f"{prefix}0" if subtype == "alternative" else "")
            yield from _parts(child, f"{section}.", within, depth + 1)
        return
    # The one part of a mail in a mail is that mail's part 1, of one in a multipart it is the part itself.
    yield _single(node, f"{prefix}1" if root else prefix.removesuffix("."), alternatives, depth)


def _single(node: list[Node], section: str, alternatives: str, depth: int) -> Part:
    media_type = f"{_lower(node, 0) or 'application'}/{_lower(node, 1) or 'octet-stream'}"
    parameters = _parameters(_at(node, 2))
    is_mail = media_type == "message/rfc822" and isinstance(_at(node, 8), list)
    # Behind what all parts have stand lines of a text; envelope, structure and lines of a mail; then the same again.
    disposition = _at(node, 9 if media_type.startswith("text/") else 11 if is_mail else 8)
    kind, of_disposition = "", dict[str, str]()
    if isinstance(disposition, list):
        kind, of_disposition = _lower(disposition, 0), _parameters(_at(disposition, 1))
    name = of_disposition.get("filename") or parameters.get("name") or ""
    text = media_type in {"text/plain", "text/html"}
    return Part(
        section=section,
        media_type=media_type[:100],
        charset=parameters.get("charset"),
        encoding=_lower(node, 5),
        size=_number(_at(node, 6)),
        name=one_line(name).strip()[:200],
        attached=kind == "attachment" or bool(name) or not text,
        alternatives=alternatives,
        inner=parts(_at(node, 8), within=f"{section}.", depth=depth + 1) if is_mail else (),
    )


def _parameters(node: Node) -> dict[str, str]:
    """Parameters by name in lower case, long and foreign ones put together (RFC 2231)."""
    found: dict[str, str] = {}
    continued: dict[str, list[tuple[int, bytes, bool]]] = {}
    if not isinstance(node, list):
        return found
    for key, value in zip(node[::2], node[1::2], strict=False):
        if not isinstance(key, bytes) or not isinstance(value, bytes):
            continue
        name = key.decode("ascii", "replace").lower()
        if (piece := _CONTINUED.match(name)) is not None:
            continued.setdefault(piece[1], []).append((int(piece[2]), value, bool(piece[3])))
        elif name.endswith("*"):
            continued.setdefault(name[:-1], []).append((0, value, True))
        else:
            found.setdefault(name, decoded(in_charset(value, None)))
    for name, pieces in continued.items():
        found[name] = _put_together(pieces)
    return found


def _put_together(pieces: list[tuple[int, bytes, bool]]) -> str:
    charset, data = None, b""
    for number, value, encoded in sorted(pieces, key=lambda piece: piece[0]):
        text = value
        if encoded:
            if number == 0 and text.count(b"'") >= 2:
                language_of = text.split(b"'", 2)
                charset, text = language_of[0].decode("ascii", "replace") or None, language_of[2]
            text = unquote_to_bytes(text)
        data += text
    return in_charset(data, charset)


def _at(node: list[Node], index: int) -> Node:
    return node[index] if index < len(node) else None


def _lower(node: list[Node], index: int) -> str:
    value = _at(node, index)
    return value.decode("ascii", "replace").lower() if isinstance(value, bytes) else ""


def _number(node: Node) -> int:
    return int(node) if isinstance(node, bytes) and node.isdigit() and len(node) < 16 else 0
