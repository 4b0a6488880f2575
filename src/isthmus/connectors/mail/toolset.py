"""Runs the tools for mail.

How a mail is sent, so that it is never sent twice and its fate is told whenever it can be:

1. The SMTP server takes sender and recipients. Up to here nothing has happened.
2. A copy goes among the drafts, under a Message-ID that only this call has.
3. The SMTP server takes the mail.
4. The copy moves among the sent mails.

After a crash, `find_done` looks for the Message-ID. Nowhere: the mail was not sent. Among the sent mails, or in the
inbox because the user is a recipient too: it was. Only among the drafts: the crash came about step 3, and nobody but
the SMTP server knows; then that is said.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import NamedTuple

import anyio
from anyio import to_thread
from typing_extensions import override

from isthmus.agent.marks import Mark, Party
from isthmus.agent.tool import Grant, Item, Made, ToolResult, Toolset, ToolSpec, Value
from isthmus.connectors.mail import items
from isthmus.connectors.mail.account import Account
from isthmus.connectors.mail.addresses import domain_of, normal
from isthmus.connectors.mail.bodies import content, shown, text
from isthmus.connectors.mail.files import Files
from isthmus.connectors.mail.headers import Headers
from isthmus.connectors.mail.identity import AttachmentId, MailId, fingerprint, made_here, message_id
from isthmus.connectors.mail.imap import Imap, Uncertain
from isthmus.connectors.mail.letter import (
    MAX_BYTES,
    MAX_RECIPIENTS,
    Attached,
    Letter,
    addressed,
    answer_to,
    of_draft,
    sendable,
    written,
)
from isthmus.connectors.mail.mailbox import SECONDS, Envelope, Folder, Mailbox, Piece, Server, Use, Wanted
from isthmus.connectors.mail.marking import MailMarks, Marking
from isthmus.connectors.mail.specs import FLAGS, specs
from isthmus.connectors.mail.structure import Part
from isthmus.connectors.mail.submission import Refused, submit
from isthmus.connectors.mail.watch import INBOX, watch
from isthmus.domain.errors import ConfigError, ToolError, ToolUncertain
from isthmus.domain.label import Label
from isthmus.domain.offer import SecretRef

PAGE = 6_000
"""Characters of a body or an attachment that are given at once: some 1,500 tokens."""
_LISTED = 20
_MOST_LISTED = 50
_SNIPPET_BYTES = 2_000
_BLANK = 4
"""Bytes of a plain version that says nothing, beside one in HTML that does."""
_SNIPPET_HTML_BYTES = 16_000
_BODY_BYTES = 1024 * 1024
"""Of one part that is text. More than that no person wrote."""
_BODY_PARTS = 20
_ATTACHMENT_BYTES = MAX_BYTES
_MOST_AT_ONCE = 200
_LOOKED_AT = 30
"""Newest mails of a folder that are looked at one by one, where one is to be found for sure."""

Secret = Callable[[SecretRef], Awaitable[str]]


class MailToolset(Toolset):
    """The tools of one mail account."""

    def __init__(
        self,
        account_name: str,
        account: Account,
        *,
        labels: frozenset[Label],
        secret: Secret,
        context: ssl.SSLContext,
        seconds: float = SECONDS,
    ) -> None:
        self._account_name = account_name
        self._account = account
        self._secret = secret
        self._marking = Marking(labels=labels, own=account.own, authserv=account.authserv)
        self._files = Files(account.attach_from, account.save_to)
        self._seconds = seconds
        self._imap = Imap(
            account_name,
            Server(
                host=account.imap_host,
                port=account.imap_port,
                tls=account.imap_tls,
                context=None if account.imap_tls == "none" else context,
            ),
            self._user,
            self._password,
            seconds=seconds,
        )
        self._smtp = (
            None
            if account.smtp_host is None
            else Server(
                host=account.smtp_host,
                port=account.smtp_port,
                tls=account.smtp_tls,
                context=None if account.smtp_tls == "none" else context,
            )
        )
        self._specs = specs(
            can_send=self._smtp is not None,
            can_attach_files=bool(account.attach_from),
            can_save=account.save_to is not None,
        )
        self._folders: tuple[Folder, ...] = ()
        """As they were when they were last listed."""
        self._sending = anyio.Lock()
        self._tools: dict[str, Callable[[Grant], Awaitable[ToolResult]]] = {
            "mail_search": self._search,
            "mail_read": self._read,
            "mail_attachment": self._attachment,
            "mail_folders": self._list_folders,
            "mail_move": self._move,
            "mail_flag": self._flag,
            "mail_trash": self._trash,
            "mail_draft": self._draft,
            "mail_send": self._send,
            "mail_save": self._save,
        }

    # -- the tool set -------------------------------------------------------------------------------------------

    @property
    @override
    def name(self) -> str:
        return "mail"

    @property
    def account(self) -> str:
        """Name of the account in the settings."""
        return self._account_name

    @property
    @override
    def specs(self) -> Sequence[ToolSpec]:
        return self._specs

    @override
    def parties(self, tool: str, parameter: str, value: Value) -> tuple[Party, ...]:
        if not isinstance(value, str):
            raise ToolError("That is no mail address.")
        return (self._marking.party(sendable(value)),)

    @override
    async def run(self, grant: Grant) -> ToolResult:
        if all(grant.tool != spec.name for spec in self._specs):
            raise ToolError(f"There is no tool {grant.tool} for this account.")
        try:
            return await self._tools[grant.tool](grant)
        except Uncertain as error:
            raise ToolUncertain(f"{error} It cannot be told whether that was done.") from error

    @override
    async def find_done(self, grant: Grant) -> ToolResult | None:
        match grant.tool:
            case "mail_draft":
                return await self._drafted(grant)
            case "mail_send":
                return await self._sent(grant)
            case "mail_move" | "mail_trash":
                return await self._moved(grant)
            case _:  # nothing happens that could not happen twice: a file is saved under a name of its own
                return None

    @override
    async def aclose(self) -> None:
        await self._imap.aclose()

    # -- beyond the tools ---------------------------------------------------------------------------------------

    async def check(self) -> None:
        """Make sure that the account can be read, and has the folders that are needed.

        Raises:
            ToolError: it cannot, or has not.
        """
        await self._imap.read(Mailbox.check)
        for use in ("drafts", "sent", "trash"):
            await self._folder_for(use)

    def will_make(self, grant: Grant) -> tuple[Made, ...]:
        """What a call will make, by what it will be known: so that its mark can be kept before it is there.

        Else a crash in between would leave a mail whose mark nobody knows.
        """
        if grant.tool not in {"mail_draft", "mail_send"}:
            return ()
        return (Made("mail", "", fingerprint(self._message_id(grant))),)

    async def watch(self, on_new: Callable[[Item], Awaitable[None]], *, after: str | None = None) -> None:
        """Tell of each new mail in the inbox, once, as it comes. Runs until it is cancelled.

        A lost connection is made again, and what came meanwhile is told then.

        Args:
            on_new: is told of it, and has dealt with it when it returns.
            after: id of the last mail that was told; what came after it is told first. None: begin with what comes.
        """
        await watch(self._imap.another(), self._listed, on_new, after=None if after is None else MailId.of(after))

    async def newest(self) -> str | None:
        """Id of the newest mail in the inbox: where to begin to `watch`. None: there is none.

        Raises:
            ToolError: it cannot be told.
        """

        def look(mailbox: Mailbox) -> str | None:
            validity, uids = mailbox.search(INBOX, Wanted())
            return str(MailId(INBOX, max(uids), validity)) if uids else None

        return await self._imap.read(look)

    # -- reading ------------------------------------------------------------------------------------------------

    async def _search(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        folder = await self._folder(given.get("folder") or "INBOX")
        limit = max(1, min(_MOST_LISTED, given.get("limit") or _LISTED))
        wanted = Wanted(
            text=given.get("text") or None,
            sender=given.get("from") or None,
            since=_day(given.get("since")),
            unread=bool(given.get("unread")),
        )
        total = 0

        def look(mailbox: Mailbox) -> list[_Beginning]:
            nonlocal total
            validity, uids = mailbox.search(folder, wanted)
            total = len(uids)
            return _beginnings(mailbox, mailbox.envelopes(folder, uids[-limit:][::-1], validity=validity))

        found = [await self._item(beginning) for beginning in await self._imap.read(look)]
        note = f"{total} found." if total <= len(found) else f"{total} found; these are the newest {len(found)}."
        return ToolResult(items=tuple(found), note=note)

    async def _listed(self, mailbox_work: Callable[[Mailbox], list[Envelope]]) -> list[Item]:
        """Mails that are found by some work, as a search shows them."""

        def look(mailbox: Mailbox) -> list[_Beginning]:
            return _beginnings(mailbox, mailbox_work(mailbox))

        return [await self._item(beginning) for beginning in await self._imap.read(look)]

    async def _item(self, beginning: _Beginning) -> Item:
        marks = await self._marks(beginning.envelope)
        item = items.mail_item(beginning.envelope, marks, self._marking)
        return items.with_snippet(item, beginning.text, marks, whole=beginning.whole)

    async def _read(self, grant: Grant) -> ToolResult:
        envelope, pieces = await self._fetched(MailId.of(grant.plain()["mail"]), _texts)
        marks = await self._marks(envelope)
        texts = await to_thread.run_sync(lambda: [(part, text(part, piece.data)) for part, piece in pieces])
        whole = all(piece.whole for _, piece in pieces)
        body = shown(texts)
        page, note = _page(body, grant, whole=whole)
        item = items.with_body(items.mail_item(envelope, marks, self._marking), page, marks.text(body, whole=whole))
        return ToolResult(items=(item,), note=note)

    async def _attachment(self, grant: Grant) -> ToolResult:
        envelope, part, data, inner = await self._attached(AttachmentId.of(grant.plain()["attachment"]))
        marks = await self._marks(envelope)
        if part.inner:
            found = await to_thread.run_sync(lambda: shown([(one, text(one, piece.data)) for one, piece in inner]))
        else:
            found = await self._files.text(data)
        page, note = _page(found, grant, whole=all(piece.whole for _, piece in inner))
        return ToolResult(
            items=(items.with_text(items.attachment_item(envelope, part, marks), page, marks),), note=note
        )

    async def _list_folders(self, _: Grant) -> ToolResult:
        folders = [folder for folder in await self._all_folders() if folder.can_hold][:100]

        def count(mailbox: Mailbox) -> list[tuple[int, int]]:
            return [mailbox.unread(folder.name) for folder in folders]

        counts = await self._imap.read(count)
        return ToolResult(
            items=tuple(
                items.folder_item(folder, mails, unread, self._marking.labels)
                for folder, (mails, unread) in zip(folders, counts, strict=True)
            )
        )

    # -- keeping ------------------------------------------------------------------------------------------------

    async def _flag(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        flag, on = FLAGS[given["flag"]], given.get("on", True)
        there, gone = 0, 0
        for (folder, validity), uids in _by_folder(given["mails"]).items():

            def store(mailbox: Mailbox, folder: str = folder, validity: int = validity, uids: list[int] = uids) -> int:
                present = mailbox.present(folder, validity, uids, to_change=True)
                mailbox.flag(present, flag, on=on)
                return len(present)

            try:
                done = await self._imap.change(store)
            except ToolError as error:
                return _stopped(there, "marked", error)
            there, gone = there + done, gone + len(uids) - done
        return _counted(there, gone, "marked")

    async def _move(self, grant: Grant) -> ToolResult:
        given = grant.plain()
        return await self._moved_to(await self._folder(given["folder"]), given["mails"], "moved")

    async def _trash(self, grant: Grant) -> ToolResult:
        return await self._moved_to(await self._folder_for("trash"), grant.plain()["mails"], "moved to the trash")

    async def _moved_to(self, target: str, mails: Sequence[str], done: str) -> ToolResult:
        there, gone = 0, 0
        made: list[Made] = []
        by_folder = _by_folder(mails)
        if any(folder == target for folder, _ in by_folder):
            raise ToolError("Some of the mails lie there already.", hint="Leave them out.")
        for (folder, validity), uids in by_folder.items():

            def move(
                mailbox: Mailbox, folder: str = folder, validity: int = validity, uids: list[int] = uids
            ) -> tuple[list[Envelope], dict[int, MailId]]:
                if mailbox.open(folder, to_change=True) != validity:
                    return [], {}
                present = mailbox.envelopes(folder, uids, validity=validity)
                return present, mailbox.move([one.id.uid for one in present], target)

            try:
                present, names = await self._imap.change(move)
            except ToolError as error:
                return replace(_stopped(there, done, error), made=tuple(made))
            there, gone = there + len(present), gone + len(uids) - len(present)
            made += [
                _made(names[one.id.uid], one.headers.message_id)
                for one in present
                # Of others' mail no mark is kept; of what isthmus made, it goes along.
                if one.id.uid in names and made_here(one.headers.message_id)
            ]
        return replace(_counted(there, gone, done), made=tuple(made))

    async def _moved(self, grant: Grant) -> ToolResult | None:
        """After a crash: whether mails are gone from where they were. A name is never given again, so that tells."""
        for (folder, validity), uids in _by_folder(grant.plain()["mails"]).items():

            def still(
                mailbox: Mailbox, folder: str = folder, validity: int = validity, uids: list[int] = uids
            ) -> list[int]:
                return mailbox.present(folder, validity, uids)

            if await self._imap.read(still):
                return None
        return ToolResult(note="The mails are no longer where they were: they were moved.")

    async def _save(self, grant: Grant) -> ToolResult:
        _, part, data, _ = await self._attached(AttachmentId.of(grant.plain()["attachment"]))
        path, digest = await self._files.save(part.name or f"part {part.section}", data)
        return ToolResult(
            note="Saved.",
            items=(self._files.item(path, len(data), grant.mark),),
            made=(Made("file", path, digest),),
        )

    # -- drafting -----------------------------------------------------------------------------------------------

    async def _draft(self, grant: Grant) -> ToolResult:
        if (done := await self._drafted(grant)) is not None:
            return done
        letter = await self._letter(grant, draft=None)
        if not letter.to and (original := grant.plain().get("reply")):
            letter = replace(letter, to=await self._answered(MailId.of(original)))
        drafts = await self._folder_for("drafts")
        data = await to_thread.run_sync(letter.kept)
        appended = await self._imap.change(lambda mailbox: mailbox.append(drafts, data, (r"\Draft", r"\Seen")))
        found = appended or await self._lying(drafts, letter.message_id)
        return self._result(grant, letter, found, "The draft is made. It is not sent.")

    async def _drafted(self, grant: Grant) -> ToolResult | None:
        identity = self._message_id(grant)
        for use in ("drafts", "sent", "trash"):
            found = await self._lying(await self._folder_for(use), identity)
            if found is not None:
                return ToolResult(note="The draft was made.", made=(_made(found, identity),))
        return None

    async def _answered(self, original: MailId) -> tuple[str, ...]:
        """Whom an answer goes to."""
        headers = (await self._envelope(original)).headers
        found = headers.addresses("reply-to") or headers.addresses("from")
        others = tuple(one.address for one in found if one.address not in self._account.own)
        return addressed(others or [one.address for one in headers.addresses("to")])

    # -- sending ------------------------------------------------------------------------------------------------

    async def _send(self, grant: Grant) -> ToolResult:
        assert self._smtp is not None
        # One at a time: else the same call, made twice at once, would find nothing done both times.
        async with self._sending:
            if (done := await self._sent(grant)) is not None:
                return done
            draft = grant.plain().get("draft")
            letter = await self._letter(grant, draft=None if draft is None else MailId.of(draft))
            if len(letter.recipients) > MAX_RECIPIENTS:
                raise ToolError(f"More than {MAX_RECIPIENTS} recipients.", hint="Send it to fewer.")
            sent, kept = await to_thread.run_sync(lambda: (letter.sent(), letter.kept()))
            drafts, sent_mails = await self._folder_for("drafts"), await self._folder_for("sent")
            copy: MailId | None = None

            async def keep() -> None:
                nonlocal copy
                try:
                    copy = await self._imap.change(lambda box: box.append(drafts, kept, (r"\Draft", r"\Seen")))
                except Uncertain as error:
                    # The mail itself is surely not sent; at most there is a draft of it.
                    raise ToolError(f"{error} Nothing was sent.", hint="Try again later.") from error

            try:
                await submit(
                    self._smtp,
                    (self._user, await self._password()) if self._account.smtp_login else None,
                    sent,
                    sender=letter.sender,
                    recipients=letter.recipients,
                    before=keep,
                    seconds=self._seconds,
                )
            except Refused:
                with contextlib.suppress(ToolError, Uncertain):
                    await self._discarded(copy or await self._lying(drafts, letter.message_id))
                raise
            except Uncertain as error:
                raise ToolUncertain(
                    f"{error}: whether the mail was sent cannot be told. It lies among the drafts.",
                    hint="The user has to look or ask. Do not send it again.",
                ) from error
            return await self._filed(grant, letter, copy, drafts, sent_mails)

    async def _filed(
        self, grant: Grant, letter: Letter, copy: MailId | None, drafts: str, sent_mails: str
    ) -> ToolResult:
        """After the mail is sent: put the copy among the sent mails.

        Whatever goes wrong here, the mail is sent, and that is what is said.
        """
        try:
            copy = copy or await self._lying(drafts, letter.message_id)
            filed = copy and await self._filed_copy(copy, sent_mails)
        except (ToolError, Uncertain):
            note = "The mail is sent. It could not be put among the sent mails, and still lies among the drafts."
            return self._result(grant, letter, copy, note)
        await self._put_away(grant)
        return self._result(grant, letter, filed, "The mail is sent.")

    async def _filed_copy(self, copy: MailId, sent_mails: str) -> MailId | None:
        if self._account.files_sent:
            await self._discarded(copy)
            return None

        def move(mailbox: Mailbox) -> dict[int, MailId]:
            if not mailbox.present(copy.folder, copy.validity, [copy.uid], to_change=True):
                return {}
            mailbox.flag([copy.uid], r"\Draft", on=False)
            return mailbox.move([copy.uid], sent_mails)

        return (await self._imap.change(move)).get(copy.uid)

    async def _discarded(self, copy: MailId | None) -> None:
        """Take away the copy that isthmus itself put among the drafts a moment ago."""
        if copy is None:
            return

        def remove(mailbox: Mailbox) -> None:
            if mailbox.present(copy.folder, copy.validity, [copy.uid], to_change=True):
                mailbox.remove([copy.uid])

        await self._imap.change(remove)

    async def _put_away(self, grant: Grant) -> None:
        """After a mail is sent: its draft goes to the trash, and what it answers is marked. Neither has to succeed."""
        given = grant.plain()
        with contextlib.suppress(ToolError, Uncertain):
            if (draft := given.get("draft")) is not None:
                await self._moved_to(await self._folder_for("trash"), [draft], "")
            if (original := given.get("reply")) is not None:
                await self._flagged_answered(MailId.of(original))

    async def _flagged_answered(self, original: MailId) -> None:
        def store(mailbox: Mailbox) -> None:
            present = mailbox.present(original.folder, original.validity, [original.uid], to_change=True)
            mailbox.flag(present, r"\Answered", on=True)

        await self._imap.change(store)

    async def _sent(self, grant: Grant) -> ToolResult | None:
        """What became of a mail after a crash, see above.

        Raises:
            ToolUncertain: it cannot be told.
        """
        identity = self._message_id(grant)
        drafts, sent_mails = await self._folder_for("drafts"), await self._folder_for("sent")
        copy = await self._lying(drafts, identity)
        found = await self._lying(sent_mails, identity) or await self._lying("INBOX", identity)
        if found is not None:
            if copy is not None and found.folder != sent_mails:
                found = await self._filed_copy(copy, sent_mails) or found
            elif copy is not None:
                await self._discarded(copy)
            await self._put_away(grant)
            return ToolResult(note="The mail was sent.", made=(_made(found, identity),))
        if copy is not None:
            raise ToolUncertain(
                "Whether the mail was sent cannot be told: isthmus was interrupted while the server took it. "
                "It lies among the drafts.",
                hint="The user has to look or ask. Do not send it again.",
            )
        return None

    # -- what a letter is made of ---------------------------------------------------------------------------------

    async def _letter(self, grant: Grant, draft: MailId | None) -> Letter:
        given = grant.plain()
        letter = Letter(
            message_id=self._message_id(grant),
            sender=normal(self._account.address),
            sender_name=self._account.name,
            at=datetime.now(UTC),
            to=addressed(given.get("to") or ()),
            cc=addressed(given.get("cc") or ()),
            bcc=addressed(given.get("bcc") or ()),
            subject=given.get("subject") or "",
            body=written(given.get("body") or ""),
        )
        if draft is not None:
            if any(given.get(name) for name in ("subject", "body", "attach", "files")):
                raise ToolError("A draft is sent as it is.", hint="Give `draft` alone, or subject and body alone.")
            return await self._from_draft(letter, draft)
        if (answered := given.get("reply")) is not None:
            letter = await self._as_answer(letter, MailId.of(answered))
        if grant.tool == "mail_send" and not letter.subject and not letter.body:
            raise ToolError("There is nothing to send.", hint="Give subject and body, or the id of a draft.")
        attached = [await self._passed_on(AttachmentId.of(one)) for one in given.get("attach") or ()]
        attached += [await self._files.attached(path) for path in given.get("files") or ()]
        return replace(letter, attached=tuple(attached))

    async def _as_answer(self, letter: Letter, original: MailId) -> Letter:
        """A letter in the thread of another mail.

        Who did not get that mail learns neither of its thread nor, where none was given, of its subject.
        """
        headers = (await self._envelope(original)).headers
        among = {one.address for one in headers.addresses("from", "sender", "reply-to", "to", "cc")} | self._account.own
        if not set(letter.recipients) <= among:
            return letter
        for_me = [one.address for one in headers.addresses("to", "cc") if one.address in self._account.own]
        return replace(
            letter,
            subject=letter.subject or answer_to(headers.text("subject")),
            sender=for_me[0] if for_me else letter.sender,
        ).answering(headers)

    async def _from_draft(self, letter: Letter, draft: MailId) -> Letter:
        """What is sent of a draft: its subject, text, attachments and thread, to those that the call names."""
        if draft.folder != await self._folder_for("drafts"):
            raise ToolError("That mail is no draft.", hint="Send what mail_draft made.")

        def look(mailbox: Mailbox) -> tuple[Envelope, Piece | None] | None:
            envelope = mailbox.envelope(draft)
            if envelope is None:
                return None
            return envelope, mailbox.sections([draft.uid], "", MAX_BYTES).get(draft.uid)

        found = await self._imap.read(look)
        if found is None or (raw := found[1]) is None:
            raise _no_longer_there()
        if not raw.whole:
            raise ToolError(f"The draft is larger than {MAX_BYTES // 1024**2} MB.")
        headers = found[0].headers
        senders = [one.address for one in headers.addresses("from") if one.address in self._account.own]
        return replace(
            letter,
            sender=senders[0] if senders else letter.sender,
            subject=headers.text("subject"),
            draft=of_draft(raw.data),
        )

    async def _passed_on(self, attachment: AttachmentId) -> Attached:
        _, part, data, _ = await self._attached(attachment)
        return Attached(name=part.name or f"part {part.section}", media_type=part.media_type, data=data)

    # -- finding --------------------------------------------------------------------------------------------------

    async def _fetched(
        self, mail: MailId, which: Callable[[Envelope], list[Part]]
    ) -> tuple[Envelope, list[tuple[Part, Piece]]]:
        """A mail with some of its parts.

        Raises:
            ToolError: it is not there any more.
        """

        def look(mailbox: Mailbox) -> tuple[Envelope, list[tuple[Part, Piece]]] | None:
            envelope = mailbox.envelope(mail)
            return None if envelope is None else (envelope, _pieces(mailbox, mail.uid, which(envelope), _BODY_BYTES))

        if (found := await self._imap.read(look)) is None:
            raise _no_longer_there()
        return found

    async def _envelope(self, mail: MailId) -> Envelope:
        envelope, _ = await self._fetched(mail, lambda _: [])
        return envelope

    async def _attached(self, attachment: AttachmentId) -> tuple[Envelope, Part, bytes, list[tuple[Part, Piece]]]:
        """A mail, one of its attachments with its bytes, and, where that is a mail, the texts in it."""

        def look(mailbox: Mailbox) -> tuple[Envelope, Part, bytes, list[tuple[Part, Piece]]] | None:
            envelope = mailbox.envelope(attachment.mail)
            if envelope is None:
                return None
            part = next((part for part in envelope.parts if part.attached and part.section == attachment.section), None)
            if part is None:
                raise ToolError("The mail has no such attachment.", hint="mail_read lists what it has.")
            if part.size > 2 * _ATTACHMENT_BYTES:
                raise ToolError(f"The attachment is larger than {_ATTACHMENT_BYTES // 1024**2} MB.")
            piece = mailbox.sections([attachment.mail.uid], attachment.section, 2 * _ATTACHMENT_BYTES).get(
                attachment.mail.uid
            )
            inner = [one for one in part.inner if one.is_text][:_BODY_PARTS]
            return (
                envelope,
                part,
                content(part, piece.data if piece else b""),
                _pieces(mailbox, attachment.mail.uid, inner, _BODY_BYTES),
            )

        if (found := await self._imap.read(look)) is None:
            raise _no_longer_there()
        return found

    async def _lying(self, folder: str, identity: str) -> MailId | None:
        """The mail with a Message-ID in a folder."""

        def look(mailbox: Mailbox) -> MailId | None:
            # Servers search by an index that may be behind, and for parts of a text: the newest are looked at as well.
            for wanted, most in ((Wanted(message_id=identity), 10), (Wanted(), _LOOKED_AT)):
                validity, uids = mailbox.search(folder, wanted)
                for one in mailbox.envelopes(folder, uids[-most:], validity=validity):
                    if one.headers.message_id == identity:
                        return one.id
            return None

        return await self._imap.read(look)

    async def _marks(self, envelope: Envelope) -> MailMarks:
        own = {await self._folder_for("drafts", required=False), await self._folder_for("sent", required=False)}
        return self._marking.of(envelope.headers, in_own_folder=envelope.id.folder in own)

    async def _folder(self, name: str) -> str:
        """A folder of the user's by its name, or by what it is for.

        Raises:
            ToolError: there is none.
        """
        for again in (False, True):
            known = [folder for folder in await self._all_folders(again=again) if folder.can_hold]
            for folder in known:
                if folder.name == name:
                    return name
            for folder in known:
                if name.lower() in {folder.name.lower(), folder.use}:
                    return folder.name
        raise ToolError("There is no such folder.", hint="mail_folders lists them.")

    async def _folder_for(self, use: Use, *, required: bool = True) -> str:
        named = {
            "drafts": self._account.folders.drafts,
            "sent": self._account.folders.sent,
            "trash": self._account.folders.trash,
        }.get(use)
        if named is not None:
            return named
        for folder in await self._all_folders():
            if folder.use == use:
                return folder.name
        if required:
            raise ToolError(
                f"It cannot be told which folder is for {use}.",
                hint=f"The user has to name it in the settings: accounts.{self._account_name}.folders.{use}.",
            )
        return ""

    async def _all_folders(self, *, again: bool = False) -> tuple[Folder, ...]:
        if again or not self._folders:
            self._folders = await self._imap.read(Mailbox.folders)
        return self._folders

    # -- telling --------------------------------------------------------------------------------------------------

    def _result(self, grant: Grant, letter: Letter, mail: MailId | None, note: str) -> ToolResult:
        """What was made, marked with what went into it."""
        if mail is None:  # where it lies is not known, but what it is known by is
            return ToolResult(note=note, made=(Made("mail", "", fingerprint(letter.message_id)),))
        envelope = Envelope(
            id=mail,
            headers=Headers.of(letter.head()),
            parts=(),
            received=None,
            size=0,
            flags=frozenset({r"\Seen"}),
        )
        mark = Mark(
            labels=self._marking.labels | grant.mark.labels, readers=grant.mark.readers, origins=grant.mark.origins
        )
        marks = MailMarks(asserted=mark, written=mark, answers=False, verified=False, own=True)
        return ToolResult(
            items=(items.mail_item(envelope, marks, self._marking),),
            note=note,
            made=(_made(mail, letter.message_id),),
        )

    @property
    def _user(self) -> str:
        return self._account.user or self._account.address

    async def _password(self) -> str:
        try:
            return await self._secret(self._account.password)
        except ConfigError as error:
            raise ToolError(
                f"The password of account {self._account_name} cannot be read.",
                hint=f"The user has to put it at {self._account.password}.",
            ) from error

    def _message_id(self, grant: Grant) -> str:
        return message_id(grant, domain_of(normal(self._account.address)))


def _made(mail: MailId, identity: str | None) -> Made:
    return Made("mail", str(mail), None if identity is None else fingerprint(identity))


def _texts(envelope: Envelope) -> list[Part]:
    return [part for part in envelope.parts if part.is_text][:_BODY_PARTS]


class _Beginning(NamedTuple):
    """A mail, and how its text begins."""

    envelope: Envelope
    text: str
    whole: bool
    """Whether that is all of its text."""


def _beginnings(mailbox: Mailbox, envelopes: list[Envelope]) -> list[_Beginning]:
    """Mails of one folder, which is open, with the beginning of the text that comes first in each."""
    wanted: dict[tuple[str, int], list[int]] = {}
    first: dict[int, Part] = {}
    for envelope in envelopes:
        texts = _texts(envelope)
        plain = (part for part in texts if part.media_type == "text/plain" and part.size > _BLANK)
        part = next(plain, texts[-1] if texts else None)
        if part is not None:
            first[envelope.id.uid] = part
            most = _SNIPPET_BYTES if part.media_type == "text/plain" else _SNIPPET_HTML_BYTES
            wanted.setdefault((part.section, most), []).append(envelope.id.uid)
    pieces: dict[int, Piece] = {}
    for (section, most), uids in wanted.items():
        pieces |= mailbox.sections(uids, section, most)
    found = []
    for envelope in envelopes:
        uid, number = envelope.id.uid, sum(part.is_text for part in envelope.parts)
        if uid in pieces:
            piece = pieces[uid]
            found.append(_Beginning(envelope, text(first[uid], piece.data), piece.whole and number == 1))
        else:
            found.append(_Beginning(envelope, "", number == 0))
    return found


def _pieces(mailbox: Mailbox, uid: int, wanted: list[Part], most: int) -> list[tuple[Part, Piece]]:
    found = []
    for part in wanted:
        piece = mailbox.sections([uid], part.section, most).get(uid)
        if piece is not None:
            found.append((part, piece))
    return found


def _page(found: str, grant: Grant, *, whole: bool) -> tuple[str, str]:
    """A stretch of a text, and a note of how much more there is and how to get it."""
    start = max(0, grant.plain().get("start") or 0)
    page = found[start : start + PAGE]
    end = start + len(page)
    if end < len(found):
        return page, f"Characters {start} to {end} of {len(found)}; go on with start={end}."
    return page, "" if whole else f"It is cut off after {len(found)} characters; the user can read all of it."


def _by_folder(mails: Sequence[str]) -> dict[tuple[str, int], list[int]]:
    """Numbers of mails by folder.

    Raises:
        ToolError: one is no mail, or they are too many.
    """
    if len(mails) > _MOST_AT_ONCE:
        raise ToolError(f"More than {_MOST_AT_ONCE} mails.", hint="Take fewer at once.")
    found: dict[tuple[str, int], list[int]] = {}
    for mail in dict.fromkeys(map(MailId.of, mails)):
        found.setdefault((mail.folder, mail.validity), []).append(mail.uid)
    return found


def _counted(there: int, gone: int, done: str) -> ToolResult:
    if not there:
        raise _no_longer_there()
    note = f"{there} {done}." if not gone else f"{there} {done}; {gone} were no longer there."
    return ToolResult(note=note)


def _stopped(there: int, done: str, error: ToolError) -> ToolResult:
    """What is told where an error came after some of it was done.

    Raises:
        ToolError: nothing was done.
    """
    if not there:
        raise error
    return ToolResult(note=f"{there} {done}. The others were not: {error.sentence}", failed=True)


def _no_longer_there() -> ToolError:
    return ToolError("The mail is no longer there.", hint="Look for it again with mail_search.")


def _day(given: str | None) -> date | None:
    if not given:
        return None
    try:
        return date.fromisoformat(given[:10])
    except ValueError as error:
        raise ToolError("That is no day.", hint="Write it as 2026-11-21.") from error
