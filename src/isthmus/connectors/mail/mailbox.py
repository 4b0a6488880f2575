"""One connection to an IMAP server: what is asked of it, command by command. Blocks: it is used in a thread.

Nothing here expunges mail of the user's. `imap_tools` connects, logs in and lists folders; what it does beyond
(its `flag` expunges the folder as well) is done here by the plain commands.
"""

from __future__ import annotations

import contextlib
import imaplib
import re
import socket
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal, NamedTuple

from imap_tools.mailbox import BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted
from imap_tools.utils import encode_folder, quote

from isthmus.connectors.mail.headers import Headers
from isthmus.connectors.mail.identity import MailId
from isthmus.connectors.mail.responses import Node, fetched, nodes
from isthmus.connectors.mail.structure import Part, parts

Tls = Literal["tls", "starttls", "none"]

SECONDS = 30.0
"""For the server to answer, or to go on with an answer."""

_HEADERS = (
    "FROM SENDER TO CC BCC REPLY-TO SUBJECT MESSAGE-ID IN-REPLY-TO REFERENCES AUTHENTICATION-RESULTS RECEIVED "
    "RETURN-PATH DELIVERED-TO X-ORIGINAL-TO X-FORWARDED-MESSAGE-ID RESENT-FROM LIST-ID"
)
_ENVELOPE = f"(UID FLAGS INTERNALDATE RFC822.SIZE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS ({_HEADERS})])"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_MAX_QUERY = 200
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UIDS_AT_ONCE = 100

Use = Literal["drafts", "sent", "trash", "junk", "archive"]
"""What a folder is for (RFC 6154)."""

_NAMES: Mapping[Use, frozenset[str]] = {
    "drafts": frozenset({"drafts", "draft", "entwürfe", "brouillons", "borradores", "bozze"}),
    "sent": frozenset(
        {"sent", "sent items", "sent messages", "sent mail", "gesendet", "gesendete elemente", "envoyés", "enviados"}
    ),
    "trash": frozenset({"trash", "deleted items", "deleted messages", "bin", "papierkorb", "corbeille", "papelera"}),
    "junk": frozenset({"junk", "spam", "junk e-mail", "bulk mail"}),
    "archive": frozenset({"archive", "archives", "archiv"}),
}
"""What such folders are called on servers that do not say."""


class Refused(Exception):
    """The server answered no."""


class WrongPassword(Exception):
    """The server let nobody in by this user and password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where an IMAP or SMTP server is, and how it is spoken to."""

    host: str
    port: int
    tls: Tls
    context: ssl.SSLContext | None = None
    """None: where `tls` is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder of the user's."""

    name: str
    use: Use | None = None
    can_hold: bool = True
    """Whether mails can lie in it; some folders hold folders alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """All that is known of a mail without its body."""

    id: MailId
    headers: Headers
    parts: tuple[Part, ...]
    received: datetime | None
    size: int
    """Bytes."""
    flags: frozenset[str]
    r"""System flags as they are, `\Seen`; keywords in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which mails of a folder are looked for. All that is given has to hold."""

    text: str | None = None
    """In headers or body."""
    sender: str | None = None
    since: date | None = None
    unread: bool = False
    message_id: str | None = None
    above: int | None = None
    """Numbers above this one."""


class Piece(NamedTuple):
    """Some bytes of one section of a mail."""

    section: str
    data: bytes
    whole: bool
    """Whether there are no more."""


class Mailbox:
    """One connection."""

    def __init__(self, server: Server, user: str, password: str, *, seconds: float = SECONDS) -> None:
        """Connect and log in.

        Raises:
            WrongPassword: the server does not let this user in.
            Refused: it speaks another language.
            OSError: it cannot be reached, or its certificate is not to be trusted.
        """
        self._box = _connected(server, seconds)
        try:
            _log_in(self._box, user, password)
            self._capabilities = self._asked_capabilities()
        except BaseException:
            self.cut()
            self.release()
            raise

    # -- connection ---------------------------------------------------------------------------------------------

    def cut(self) -> None:
        """End the connection at once, from any thread: whatever waits for the server stops waiting."""
        with contextlib.suppress(OSError):
            self._box.client.sock.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """Give back what a connection that was cut holds. Waits for the thread that used it."""
        with contextlib.suppress(OSError, ValueError):
            self._box.client.shutdown()

    def close(self) -> None:
        """End the connection politely."""
        try:
            self._box.client.logout()
        except (OSError, imaplib.IMAP4.error):
            self.cut()
            self.release()

    def check(self) -> None:
        """Make sure that the server still answers."""
        self._do("NOOP")

    # -- folders ------------------------------------------------------------------------------------------------

    def folders(self) -> tuple[Folder, ...]:
        """The user's own folders, with what each is for where the server or its name says so.

        Folders of others and shared ones are left out: what is put there, others see.
        """
        pattern = b'"*"'
        if {"SPECIAL-USE", "LIST-EXTENDED"} <= self._capabilities:
            pattern += b" RETURN (SPECIAL-USE)"
        foreign = self._foreign_prefixes()
        found: list[Folder] = []
        taken: set[Use] = set()
        infos = self._box.folder.list("", pattern)  # type: ignore[arg-type]  # bytes go out as they are
        for info in infos:
            if any(info.name.startswith(prefix) for prefix in foreign):
                continue
            flags = {flag.lower() for flag in info.flags}
            use = next((use for use in _NAMES if f"\\{use}" in flags), None)
            found.append(Folder(name=info.name, use=use, can_hold=not flags & {"\\noselect", "\\nonexistent"}))
            taken |= {use} if use else set()
        delimiters = {info.name: info.delim for info in infos}
        for at, folder in enumerate(found):
            last = folder.name.rpartition(delimiters[folder.name] or "\0")[2].lower()
            guess = next((use for use, names in _NAMES.items() if last in names), None)
            if folder.use is None and guess is not None and guess not in taken and folder.can_hold:
                found[at] = Folder(name=folder.name, use=guess)
                taken.add(guess)
        return tuple(found)

    def unread(self, folder: str) -> tuple[int, int]:
        """How many mails there are in a folder, and how many of them are unread."""
        status = self._box.folder.status(folder, ("MESSAGES", "UNSEEN"))
        return status.get("MESSAGES", 0), status.get("UNSEEN", 0)

    def open(self, folder: str, *, to_change: bool = False) -> int:
        """Open a folder, and return its UIDVALIDITY.

        Raises:
            Refused: there is none of this name.
        """
        client = self._box.client
        typ, _ = client.select(_encoded(folder), readonly=not to_change)
        if typ != "OK":
            raise Refused("there is no such folder")
        client.response("EXISTS")  # what there is now is no news
        return _number(client.response("UIDVALIDITY")[1])

    # -- reading ------------------------------------------------------------------------------------------------

    def search(self, folder: str, wanted: Wanted) -> tuple[int, list[int]]:
        """UIDVALIDITY of a folder, and the numbers of the mails in it that are wanted, the newest last."""
        validity = self.open(folder)
        keys: list[bytes] = [b"UNDELETED"]
        foreign: bytes | None = None
        if wanted.unread:
            keys.append(b"UNSEEN")
        if wanted.since is not None:
            day = wanted.since
            keys.append(f"SINCE {day.day}-{_MONTHS[day.month - 1]}-{day.year}".encode())
        if wanted.above is not None:
            keys.append(b"UID %d:*" % (wanted.above + 1))
        if wanted.message_id is not None:
            keys.append(b"HEADER Message-ID " + _quoted(wanted.message_id))
        for key, value in ((b"FROM", wanted.sender), (b"TEXT", wanted.text)):
            if value is None:
                continue
            clean = _CONTROL.sub(" ", value).strip()[:_MAX_QUERY]
            if clean.isascii():
                keys.append(key + b" " + _quoted(clean))
            elif foreign is None:
                # Only a literal may hold what is not ASCII (RFC 3501, section 9), and `imaplib` sends one at the end.
                foreign = clean.encode()
                keys.append(key)
            else:
                keys.insert(0, key + b' "' + clean.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"')
        if foreign is not None:
            literal_key = next(key for key in keys if key in {b"FROM", b"TEXT"})
            keys.remove(literal_key)
            keys.append(literal_key)
            client: Any = self._box.client
            client.literal = foreign  # as `imaplib` itself hands literals over
            answer = self._do("UID", "SEARCH", "CHARSET", "UTF-8", *keys, answer="SEARCH")
        else:
            answer = self._do("UID", "SEARCH", *keys, answer="SEARCH")
        uids = {int(word) for line in answer if isinstance(line, bytes) for word in line.split() if word.isdigit()}
        if wanted.above is not None:
            # `n:*` names the last mail even where its number is below n.
            uids = {uid for uid in uids if uid > wanted.above}
        return validity, sorted(uids)

    def envelopes(self, folder: str, uids: Sequence[int], *, validity: int) -> list[Envelope]:
        """What is known of the mails of these numbers in the folder that is open, in the order of the numbers.

        Mails that are gone are left out.
        """
        found: dict[int, Envelope] = {}
        for some in _chunks(uids):
            for message in fetched(self._fetch(some, _ENVELOPE)):
                envelope = _envelope(folder, validity, message)
                if envelope is not None:
                    found[envelope.id.uid] = envelope
        return [found[uid] for uid in uids if uid in found]

    def envelope(self, mail: MailId, *, to_change: bool = False) -> Envelope | None:
        """What is known of a mail; opens its folder. None: it is not there any more."""
        if self.open(mail.folder, to_change=to_change) != mail.validity:
            return None
        found = self.envelopes(mail.folder, [mail.uid], validity=mail.validity)
        return found[0] if found else None

    def present(self, folder: str, validity: int, uids: Sequence[int], *, to_change: bool = False) -> list[int]:
        """Which of these mails still lie in a folder; opens it."""
        if self.open(folder, to_change=to_change) != validity:
            return []
        found: set[int] = set()
        for some in _chunks(uids):
            for message in fetched(self._fetch(some, "(UID)")):
                found.add(_int(message.get("UID")))
        return [uid for uid in uids if uid in found]

    def sections(self, uids: Sequence[int], section: str, most: int) -> dict[int, Piece]:
        """The first bytes of one section of mails in the folder that is open, by their numbers."""
        found: dict[int, Piece] = {}
        for some in _chunks(uids):
            for message in fetched(self._fetch(some, f"(UID BODY.PEEK[{section}]<0.{most}>)")):
                for name, value in message.items():
                    if name.startswith("BODY[") and isinstance(value, bytes):
                        found[_int(message.get("UID"))] = Piece(section, value[:most], len(value) < most)
        return found

    # -- changing -----------------------------------------------------------------------------------------------

    def append(self, folder: str, message: bytes, flags: Iterable[str]) -> MailId | None:
        """Put a mail into a folder. None: it is there, and the server does not say under which number."""
        client = self._box.client
        typ, _ = client.append(_encoded(folder), f"({' '.join(flags)})", "", message)
        if typ != "OK":
            raise Refused("the server does not take the mail into the folder")
        # RFC 4315: APPENDUID is UIDVALIDITY and UID.
        match _words(client.response("APPENDUID")[1]):
            case [validity, uid]:
                return MailId(folder, int(uid), int(validity))
            case _:
                return None

    def flag(self, uids: Sequence[int], flag: str, *, on: bool) -> None:
        """Set or take away a flag of mails in the folder that is open to be changed."""
        for some in _chunks(uids):
            self._do("UID", "STORE", _set(some), "+FLAGS.SILENT" if on else "-FLAGS.SILENT", f"({flag})")

    def move(self, uids: Sequence[int], folder: str) -> dict[int, MailId]:
        """Move mails from the folder that is open to be changed.

        Returns:
            Their new names by their old numbers, as far as the server tells them.
        """
        moved: dict[int, MailId] = {}
        for some in _chunks(uids):
            if "MOVE" in self._capabilities:
                self._do("UID", "MOVE", _set(some), _encoded(folder))
            else:
                self._do("UID", "COPY", _set(some), _encoded(folder))
            moved |= _copied(folder, self._box.client.response("COPYUID")[1])
            if "MOVE" not in self._capabilities:
                self.remove(some)
        return moved

    def remove(self, uids: Sequence[int]) -> None:
        """Take mails out of the folder that is open, which lie somewhere else as well.

        Exactly these (RFC 4315): a plain EXPUNGE would take all that anybody has marked as deleted.
        """
        self._do("UID", "STORE", _set(uids), "+FLAGS.SILENT", r"(\Deleted)")
        if "UIDPLUS" in self._capabilities:
            self._do("UID", "EXPUNGE", _set(uids))

    # -- waiting ------------------------------------------------------------------------------------------------

    @property
    def can_idle(self) -> bool:
        return "IDLE" in self._capabilities

    def heard(self) -> bool:
        """Whether the server has spoken of new mail in the folder that is open since it was opened."""
        return self._box.client.response("EXISTS")[1] != [None]

    def wait(self, seconds: float) -> bool:
        """Wait until something happens in the folder that is open (RFC 2177).

        Returns:
            Whether something did.

        Raises:
            OSError: the connection is lost.
        """
        with self._box.idle as idle:
            lines = idle.poll(timeout=seconds)
        if not lines:
            self.check()  # the end of the connection looks like silence
        return bool(lines)

    # -- how commands are sent ----------------------------------------------------------------------------------

    def _fetch(self, uids: Sequence[int], what: str) -> list[object]:
        return self._do("UID", "FETCH", _set(uids), what, answer="FETCH")

    def _do(self, command: str, *arguments: str | bytes, answer: str | None = None) -> list[object]:
        client: Any = self._box.client
        client.untagged_responses.pop("COPYUID", None)
        if answer is not None:
            client.untagged_responses.pop(answer, None)
        typ, data = client._simple_command(command, *arguments)
        if typ != "OK":
            raise Refused(f"the server refuses {command}")
        if answer is None:
            return []
        return list(client._untagged_response(typ, data, answer)[1])

    def _asked_capabilities(self) -> frozenset[str]:
        """What the server can do once somebody is logged in, which is often more than before."""
        _, data = self._box.client.capability()
        found = frozenset(word.decode("ascii", "replace").upper() for line in data if line for word in line.split())
        self._box.client.capabilities = tuple(found)
        return found

    def _foreign_prefixes(self) -> tuple[str, ...]:
        """With what the names of folders begin that are not the user's own (RFC 2342)."""
        if "NAMESPACE" not in self._capabilities:
            return ()
        _, data = self._box.client.namespace()
        answer: list[Node] = nodes(data)
        return tuple(
            space[0].decode("ascii", "replace")
            for spaces in answer[1:3]
            if isinstance(spaces, list)
            for space in spaces
            if isinstance(space, list) and space and isinstance(space[0], bytes) and space[0]
        )


def _connected(server: Server, seconds: float) -> BaseMailBox:
    match server.tls:
        case "tls":
            return MailBox(server.host, server.port, timeout=seconds, ssl_context=server.context)
        case "starttls":
            return MailBoxStartTls(server.host, server.port, timeout=seconds, ssl_context=server.context)
        case "none":
            return MailBoxUnencrypted(server.host, server.port, timeout=seconds)


def _log_in(box: BaseMailBox, user: str, password: str) -> None:
    try:
        if "AUTH=PLAIN" in box.client.capabilities:
            box.login_utf8(user, password, initial_folder=None)  # takes any character
        else:
            box.login(_CONTROL.sub("", user), _CONTROL.sub("", password), initial_folder=None)
    except imaplib.IMAP4.abort:
        raise
    except Exception as error:
        if isinstance(error, OSError):
            raise
        # `imaplib` and `imap_tools` each say it by an error of their own, and with the server's words in it.
        raise WrongPassword from None


def _envelope(folder: str, validity: int, message: Mapping[str, Node]) -> Envelope | None:
    uid = _int(message.get("UID"))
    header = next((value for name, value in message.items() if name.startswith("BODY[HEADER")), None)
    if not uid or not isinstance(header, bytes):
        return None  # what the server says unasked, of flags that changed
    flags = message.get("FLAGS")
    return Envelope(
        id=MailId(folder, uid, validity),
        headers=Headers.of(header),
        parts=parts(message.get("BODYSTRUCTURE")),
        received=_time(message.get("INTERNALDATE")),
        size=_int(message.get("RFC822.SIZE")),
        flags=frozenset(
            flag if flag.startswith("\\") else flag.lower()
            for flag in (_text(one) for one in (flags if isinstance(flags, list) else []))
        ),
    )


def _time(node: Node) -> datetime | None:
    """`17-Jul-1996 02:44:25 -0700` in UTC, whatever the locale."""
    match = re.fullmatch(r"\s?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d:\d\d:\d\d [+-]\d{4})", _text(node))
    if match is None or match[2].title() not in _MONTHS:
        return None
    month = _MONTHS.index(match[2].title()) + 1
    try:
        local = datetime.strptime(f"{match[3]}-{month}-{match[1]} {match[4]}", "%Y-%m-%d %H:%M:%S %z")
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _copied(folder: str, data: Sequence[object]) -> dict[int, MailId]:
    """New names by old numbers, out of COPYUID (RFC 4315, section 3)."""
    match _words(data):
        case [validity, old, new] if validity.isdigit():
            pairs = zip(_numbers(old), _numbers(new), strict=False)
            return {before: MailId(folder, after, int(validity)) for before, after in pairs}
        case _:
            return {}


def _numbers(numbers: str) -> Iterable[int]:
    for piece in numbers.split(","):
        first, _, last = piece.partition(":")
        if first.isdigit() and (not last or last.isdigit()):
            yield from range(int(first), min(int(last or first), int(first) + 10_000) + 1)


def _words(data: Sequence[object]) -> list[str]:
    return _text(data[-1]).split() if data and data[-1] is not None else []


def _number(data: Sequence[object]) -> int:
    words = _words(data)
    return int(words[0]) if words and words[0].isdigit() else 0


def _int(node: Node) -> int:
    return int(node) if isinstance(node, bytes) and node.isdigit() and len(node) < 20 else 0


def _text(node: object) -> str:
    return node.decode("ascii", "replace") if isinstance(node, bytes) else ""


def _encoded(folder: str) -> Any:
    """A folder's name as the server takes it (RFC 3501, section 5.1.3)."""
    return encode_folder(_CONTROL.sub("", folder))


def _quoted(text: str) -> bytes:
    return str(quote(_CONTROL.sub(" ", text))).encode("ascii", "replace")


def _set(uids: Sequence[int]) -> str:
    return ",".join(map(str, uids))


def _chunks(uids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (uids[at : at + _UIDS_AT_ONCE] for at in range(0, len(uids), _UIDS_AT_ONCE))
