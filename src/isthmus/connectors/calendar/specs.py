"""The tools for calendars, as a model and the monitor know them. Their texts are part of every request: they are short.

An event without others is seen by nobody else and can be put away and fetched back: making and deleting one keeps. To
invite people, to answer an invitation and to call a meeting off tell others something: those are sends. To change an
event is a change: others may rely on it.
"""

from __future__ import annotations

from typing import Any

from isthmus.agent.tool import Kind, Parameter, Role, ToolSpec

_TEXT: dict[str, Any] = {"type": "string"}
_FLAG: dict[str, Any] = {"type": "boolean"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": 100}
_MINUTES: dict[str, Any] = {"type": "integer", "minimum": 5, "maximum": 1440}
_PLACE: dict[str, Any] = {"type": "integer", "minimum": 0}
ANSWERS = {"accept": "ACCEPTED", "decline": "DECLINED", "tentative": "TENTATIVE"}
_ANSWER: dict[str, Any] = {"type": "string", "enum": list(ANSWERS)}


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


def specs(*, can_write: bool, can_tell: bool) -> tuple[ToolSpec, ...]:
    """The tools of an account.

    Args:
        can_write: it has a calendar of the user's own.
        can_tell: others can be invited and answered.
    """
    event = _of("event", "event", "object", "Id of the event.", _TEXT, required=True)
    series = _of("series", "flag", "option", "true: all its times, not this one.", _FLAG)
    title = _of("title", "text", "content", "Title.", _TEXT)
    start = _of("start", "time", "option", "2026-11-24T09:00, or a day.", _TEXT)
    end = _of("end", "time", "option", "Likewise; default: an hour later.", _TEXT)
    place = _of("place", "text", "content", "Where.", _TEXT)
    notes = _of("notes", "text", "content", "Notes.", _TEXT)
    repeat = _of("repeat", "text", "option", "FREQ=WEEKLY;BYDAY=TU;COUNT=10", _TEXT)

    found = [
        ToolSpec(name="cal_calendars", summary="List the calendars.", effect="read", parameters=()),
        ToolSpec(
            name="cal_list",
            summary="List events in a stretch of time.",
            effect="read",
            parameters=(
                _of("start", "time", "query", "Day or time: 2026-11-24.", _TEXT, required=True),
                _of("end", "time", "query", "Last day or time; default: a week.", _TEXT),
                _of("text", "text", "query", "Words in it.", _TEXT),
                _of("calendar", "calendar", "object", "Default: all; `trash`: deleted ones.", _TEXT),
                _of("limit", "number", "option", "How many; default 30.", _COUNT),
            ),
        ),
        ToolSpec(
            name="cal_read",
            summary="Read an event with its notes.",
            effect="read",
            parameters=(event, _of("start", "number", "option", "Go on at this character.", _PLACE)),
        ),
        ToolSpec(
            name="cal_free",
            summary="Find times at which all are free.",
            effect="read",
            parameters=(
                _of("minutes", "duration", "option", "How long.", _MINUTES, required=True),
                _of("start", "time", "query", "First day or time.", _TEXT, required=True),
                _of("end", "time", "query", "Last day or time.", _TEXT, required=True),
                _of("people", "email", "query", "Who else has to be free.", _TEXT, many=True),
                _of("hours", "text", "option", "Default: working hours; as 09:00-17:00.", _TEXT),
            ),
        ),
    ]
    if can_write:
        found += [
            ToolSpec(
                name="cal_create",
                summary="Enter an event; nobody else sees it.",
                effect="keep",
                undone_by="cal_delete",
                makes="event",
                parameters=(
                    _required(title), _required(start), end, place, notes, repeat,
                    _of("tentative", "flag", "option", "Not certain yet.", _FLAG),
                    _of("calendar", "calendar", "option", "Default: the first of one's own.", _TEXT),
                ),
            ),
            ToolSpec(
                name="cal_move",
                summary="Change an event's time, title, place or notes.",
                effect="change",
                undone_by="cal_move",
                makes="event",
                parameters=(event, start, end, title, place, notes, series),
            ),
            ToolSpec(
                name="cal_delete",
                summary="Move an event of one's own to the trash.",
                effect="keep",
                undone_by="cal_restore",
                parameters=(event, series),
            ),
            ToolSpec(
                name="cal_restore",
                summary="Fetch an event back from the trash.",
                effect="keep",
                undone_by="cal_delete",
                parameters=(event,),
            ),
        ]  # fmt: skip
    if can_write and can_tell:
        found += [
            ToolSpec(
                name="cal_invite",
                summary="Invite people to an event, or to a new one.",
                effect="send",
                makes="event",
                parameters=(
                    _of("attendees", "email", "destination", "Addresses.", _TEXT, required=True, many=True),
                    _of("event", "event", "object", "Id of the event, else title and start.", _TEXT),
                    series, title, start, end, place, notes, repeat,
                ),
            ),
            ToolSpec(
                name="cal_answer",
                summary="Answer an invitation: the organiser is told.",
                effect="send",
                makes="event",
                parameters=(
                    _of("answer", "choice", "option", "Which.", _ANSWER, required=True),
                    _of("event", "event", "object", "Id of the event.", _TEXT),
                    _of("invitation", "text", "object", "Or that of a mail: @attachment_1.text.", _TEXT),
                    _of("comment", "text", "content", "A word with it.", _TEXT),
                    series,
                ),
            ),
            ToolSpec(
                name="cal_cancel",
                summary="Call a meeting of one's own off: all are told.",
                effect="send",
                makes="event",
                parameters=(event, _of("comment", "text", "content", "A word with it.", _TEXT), series),
            ),
        ]  # fmt: skip
    return tuple(found)


def _required(parameter: Parameter) -> Parameter:
    return _of(parameter.name, parameter.kind, parameter.role, parameter.summary, dict(parameter.schema), required=True)
