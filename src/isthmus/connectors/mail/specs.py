"""The tools for mail, as a model and the monitor know them. Their texts are part of every request: they are short.

Moving, flagging and trashing touch the user's own mailbox alone, are seen by nobody else and can be undone: they keep.
A draft has no destination yet; whoever it is addressed to sees it when it is sent, and that call names everybody anew.
"""

from __future__ import annotations

from typing import Any

from isthmus.agent.tool import Kind, Parameter, Role, ToolSpec

_TEXT: dict[str, Any] = {"type": "string"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": 50}
_PLACE: dict[str, Any] = {"type": "integer", "minimum": 0}
_DAY: dict[str, Any] = {"type": "string", "format": "date"}
_FLAG: dict[str, Any] = {"type": "boolean"}

FLAGS = {"read": r"\Seen", "flagged": r"\Flagged", "answered": r"\Answered"}


def _of(
    name: str,
    kind: Kind,
    role: Role,
    summary: str,
    schema: dict[str, Any],
    *,
    required: bool = False,
    many: bool = False,
) -> Parameter:
    return Parameter(name=name, kind=kind, role=role, summary=summary, schema=schema, required=required, many=many)


def specs(*, can_send: bool, can_attach_files: bool, can_save: bool) -> tuple[ToolSpec, ...]:
    """The tools of an account.

    Args:
        can_send: it has an SMTP server.
        can_attach_files: there are folders whose files may be attached.
        can_save: there is a folder for attachments.
    """
    mail = _of("mail", "mail", "object", "Id of the mail.", _TEXT, required=True)
    mails = _of("mails", "mail", "object", "Ids of the mails.", _TEXT, required=True, many=True)
    attachment = _of("attachment", "attachment", "object", "Id of the attachment.", _TEXT, required=True)
    start = _of("start", "number", "option", "Go on at this character.", _PLACE)
    subject = _of("subject", "text", "content", "Subject.", _TEXT)
    body = _of("body", "text", "content", "Text.", _TEXT)
    # Content: the thread, and where none is given the subject, of what is answered go along with the answer.
    reply = _of("reply", "mail", "content", "Id of the mail it answers.", _TEXT)
    attach = _of("attach", "attachment", "content", "Ids of attachments to pass on.", _TEXT, many=True)
    files = (_of("files", "file", "content", "Paths of files to attach.", _TEXT, many=True),) * can_attach_files

    found = [
        ToolSpec(
            name="mail_search",
            summary="Find mails, newest first.",
            effect="read",
            parameters=(
                _of("text", "text", "query", "Words in it.", _TEXT),
                _of("from", "text", "query", "Sender's name or address.", _TEXT),
                _of("since", "time", "query", "Day: 2026-11-21.", _DAY),
                _of("unread", "flag", "option", "Only unread ones.", _FLAG),
                _of("folder", "mailbox", "object", "Default: INBOX.", _TEXT),
                _of("limit", "number", "option", "How many; default 20.", _COUNT),
            ),
        ),
        ToolSpec(
            name="mail_read", summary="Read a mail; lists its attachments.", effect="read", parameters=(mail, start)
        ),
        ToolSpec(
            name="mail_attachment",
            summary="Read the text of an attachment (PDF, DOCX, text, mail).",
            effect="read",
            parameters=(attachment, start),
        ),
        ToolSpec(name="mail_folders", summary="List the folders.", effect="read", parameters=()),
        ToolSpec(
            name="mail_move",
            summary="Move mails to a folder.",
            effect="keep",
            undone_by="mail_move",
            parameters=(mails, _of("folder", "mailbox", "option", "Where to.", _TEXT, required=True)),
        ),
        ToolSpec(
            name="mail_flag",
            summary="Mark mails as read, flagged or answered, or not.",
            effect="keep",
            undone_by="mail_flag",
            parameters=(
                mails,
                _of("flag", "choice", "option", "Which mark.", {"type": "string", "enum": list(FLAGS)}, required=True),
                _of("on", "flag", "option", "false takes it away.", _FLAG),
            ),
        ),
        ToolSpec(
            name="mail_trash",
            summary="Move mails to the trash.",
            effect="keep",
            undone_by="mail_move",
            parameters=(mails,),
        ),
        ToolSpec(
            name="mail_draft",
            summary="Write a draft; nobody sees it before it is sent.",
            effect="keep",
            undone_by="mail_trash",
            makes="mail",
            parameters=(
                _of("to", "email", "content", "For whom; default: who is answered.", _TEXT, many=True),
                _of("cc", "email", "content", "Copies.", _TEXT, many=True),
                subject,
                _of("body", "text", "content", "Text.", _TEXT, required=True),
                reply,
                attach,
                *files,
            ),
        ),
    ]
    if can_send:
        found.append(
            ToolSpec(
                name="mail_send",
                summary="Send a mail: a draft, or subject and body.",
                effect="send",
                makes="mail",
                parameters=(
                    _of("to", "email", "destination", "Addresses.", _TEXT, required=True, many=True),
                    _of("cc", "email", "destination", "Copies.", _TEXT, many=True),
                    _of("bcc", "email", "destination", "Hidden copies.", _TEXT, many=True),
                    _of("draft", "mail", "content", "Id of the draft.", _TEXT),
                    subject,
                    body,
                    reply,
                    attach,
                    *files,
                ),
            )
        )
    if can_save:
        found.append(
            ToolSpec(
                name="mail_save",
                summary="Save an attachment as a file.",
                effect="keep",
                makes="file",
                parameters=(attachment,),
            )
        )
    return tuple(found)
