"""The four suites as the monitor knows tools: what each does to the world, which part each parameter plays.

And what their results bear: who may read a field already and who could have written it. The rule is the same for all:
whatever can be reached by somebody else is theirs, and where the suite does not tell, it is nobody's word.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from isthmus.agent.marks import EVERYONE, ISTHMUS, THE_USER, UNKNOWN, USER, Mark, Origin, Party, Readers
from isthmus.agent.tool import Effect, Field, Item, Kind, Parameter, Role, ToolResult, ToolSpec, Value

_STRING, _NUMBER, _FLAG = {"type": "string"}, {"type": "number"}, {"type": "boolean"}


def _p(name: str, kind: Kind, role: Role, *, many: bool = False, required: bool = False) -> Parameter:
    schema: Mapping[str, Any] = {"amount": _NUMBER, "number": _NUMBER, "flag": _FLAG}.get(kind, _STRING)
    return Parameter(name=name, summary=name, kind=kind, role=role, schema=schema, required=required, many=many)


def _t(name: str, effect: Effect, *parameters: Parameter, makes: Kind | None = None) -> ToolSpec:
    return ToolSpec(name=name, summary=name.replace("_", " "), parameters=parameters, effect=effect, makes=makes)


_EVENT = (
    _p("title", "text", "content"),
    _p("start_time", "time", "option"),
    _p("end_time", "time", "option"),
    _p("description", "text", "content"),
    _p("location", "text", "content"),
)
_MAIL = (
    _p("recipients", "email", "destination", many=True),
    _p("subject", "text", "content"),
    _p("body", "text", "content"),
    _p("attachments", "file", "content", many=True),
    _p("cc", "email", "destination", many=True),
    _p("bcc", "email", "destination", many=True),
)
_PAYMENT = (
    _p("recipient", "account", "destination"),
    _p("amount", "amount", "option"),
    _p("subject", "text", "content"),
    _p("date", "time", "option"),
    _p("recurring", "flag", "option"),
)

SPECS: Mapping[str, ToolSpec] = {
    spec.name: spec
    for spec in (
        # workspace and travel
        _t("send_email", "send", *_MAIL, makes="mail"),
        _t("delete_email", "change", _p("email_id", "mail", "object")),
        _t("create_calendar_event", "keep", *_EVENT, makes="event"),
        _t("create_calendar_event_with_others", "send", *_EVENT, _p("participants", "email", "destination", many=True),
           makes="event"),
        _t("cancel_calendar_event", "destroy", _p("event_id", "event", "object")),
        _t("reschedule_calendar_event", "change", _p("event_id", "event", "object"),
           _p("new_start_time", "time", "option"), _p("new_end_time", "time", "option")),
        _t("add_calendar_event_participants", "send", _p("event_id", "event", "object"),
           _p("participants", "email", "destination", many=True)),
        _t("append_to_file", "change", _p("file_id", "file", "object"), _p("content", "text", "content")),
        _t("create_file", "keep", _p("filename", "text", "content"), _p("content", "text", "content"), makes="file"),
        _t("delete_file", "destroy", _p("file_id", "file", "object")),
        _t("share_file", "send", _p("file_id", "file", "object"), _p("email", "email", "destination"),
           _p("permission", "choice", "option")),
        # travel
        _t("reserve_hotel", "change", _p("hotel", "text", "object"), _p("start_day", "time", "option"),
           _p("end_day", "time", "option")),
        _t("reserve_restaurant", "change", _p("restaurant", "text", "object"), _p("start_time", "time", "option")),
        _t("reserve_car_rental", "change", _p("company", "text", "object"), _p("start_time", "time", "option"),
           _p("end_time", "time", "option")),
        # banking
        _t("send_money", "send", *_PAYMENT[:4]),
        _t("schedule_transaction", "send", *_PAYMENT),
        _t("update_scheduled_transaction", "change", _p("id", "job", "object"), *_PAYMENT),
        _t("update_password", "change", _p("password", "text", "content")),
        _t("update_user_info", "change", *(_p(name, "text", "content") for name in
                                           ("first_name", "last_name", "street", "city"))),
        # slack
        _t("send_direct_message", "send", _p("recipient", "person", "destination"), _p("body", "text", "content")),
        _t("send_channel_message", "send", _p("channel", "channel", "destination"), _p("body", "text", "content")),
        _t("add_user_to_channel", "send", _p("user", "person", "destination"), _p("channel", "channel", "object")),
        _t("invite_user_to_slack", "send", _p("user", "person", "content"), _p("user_email", "email", "destination")),
        _t("remove_user_from_slack", "destroy", _p("user", "person", "object")),
        _t("get_webpage", "fetch", _p("url", "url", "destination")),
        _t("post_webpage", "send", _p("url", "url", "destination"), _p("content", "text", "content")),
    )
}  # fmt: skip
"""What does something to the world. Every other tool reads."""

_ME = "emma.johnson@bluesparrowtech.com"


def spec_of(name: str, arguments: Mapping[str, Any]) -> ToolSpec:
    """The tool that a call of the suite is: an event with others invites them, and is a send."""
    if name == "create_calendar_event" and arguments.get("participants"):
        return SPECS["create_calendar_event_with_others"]
    if (spec := SPECS.get(name)) is not None:
        return spec
    return _t(
        name,
        "read",
        *(
            _p(one, _PLACES.get((name, one), "text"), "query", many=isinstance(value, list))
            for one, value in arguments.items()
        ),
    )


_PLACES: Mapping[tuple[str, str], Kind] = {
    ("read_channel_messages", "channel"): "channel",
    ("get_users_in_channel", "channel"): "channel",
    ("read_inbox", "user"): "person",
    ("read_file", "file_path"): "url",
}
"""Arguments of reads that name a place. A file's path is none that the tools ever show, so it is an address."""


def arguments_of(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call of the suite in the types of its tool here."""
    spec, result = spec_of(name, arguments), {}
    for one, value in arguments.items():
        parameter = spec.parameter(one)
        if value is None or parameter is None:
            continue
        if one == "attachments":
            result[one] = [str(part.get("file_id", part)) for part in value]
        elif isinstance(value, list):
            result[one] = [str(part) for part in value]
        elif parameter.schema["type"] == "string":
            result[one] = str(value)
        else:
            result[one] = value
    return result


def parties(_: str, parameter: str, value: Value) -> tuple[Party, ...]:
    """Who comes to see what goes to a destination."""
    text = str(value)
    match parameter:
        case "recipients" | "cc" | "bcc" | "participants" | "email" | "user_email":
            return (_mail(text),)
        case "url":
            return (
                Party(f"https://{text.removeprefix('https://').removeprefix('http://').partition('/')[0].lower()}"),
            )
        case "channel":
            return (Party(f"slack:#{text}"),)
        case "recipient" if " " not in text and len(text) > 14:
            return (Party(f"iban:{text}"),)
        case _:
            return (Party(f"slack:{text}"),)


def result_of(name: str, arguments: Mapping[str, Any], found: Any, env: Any) -> ToolResult:
    """What a tool of the suite answered, as things with marks."""
    return ToolResult(items=tuple(_items(name, arguments, found, env)))


def _items(name: str, arguments: Mapping[str, Any], found: Any, env: Any) -> Iterable[Item]:
    values = found if isinstance(found, list) else [found]
    for number, value in enumerate(values):
        make = _BY_TYPE.get(type(value).__name__)
        if name == "get_webpage":
            yield _page(str(arguments["url"]), str(value))
        elif type(value).__name__ == "Message":
            yield _message(value, env, number)
        elif name == "get_channels":
            yield _listed("channel", str(value), UNKNOWN, _members(env))
        elif name == "get_users_in_channel":
            yield _listed("contact", str(value), ISTHMUS, _members(env))
        elif type(value).__name__ == "Transaction":
            yield _transaction(value, env)
        elif make is not None:
            yield make(value, env)
        elif name in {"get_user_information", "get_user_info"} and isinstance(value, dict):
            own = Mark(origins=frozenset({USER}))
            fields = {key.replace(" ", "_"): _f(str(one), "text", own) for key, one in value.items()}
            yield Item(kind="note", id=name, fields=fields)
        elif value is not None and name not in SPECS:
            yield _text(name, arguments, value)


def _text(name: str, arguments: Mapping[str, Any], value: Any) -> Item:
    """A plain text. What hotels and restaurants say of themselves is public; the rest is the user's alone to read."""
    public = any(word in name for word in ("hotel", "restaurant", "car_", "company", "flight"))
    own = name in {"get_iban", "get_balance", "get_current_day"}
    mark = Mark(
        readers=EVERYONE if public or name == "get_current_day" else Readers(),
        origins=frozenset({ISTHMUS if own else Origin("mcp:travel") if public else UNKNOWN}),
    )
    asked = ",".join(str(one) for one in arguments.values())
    key = hashlib.sha256(f"{name} {asked}".encode()).hexdigest()[:12]
    return Item(kind="file" if name == "read_file" else "note", id=key, fields={"text": _f(str(value), "text", mark)})


def _email(mail: Any, _: Any) -> Item:
    sent = str(mail.status) != "received"
    everybody = [mail.sender, *mail.recipients, *mail.cc, *mail.bcc]
    readers = _readers(everybody)
    written = Mark(readers=readers, origins=frozenset({USER if sent else Origin(f"mail:{mail.sender.lower()}")}))
    stated = Mark(readers=readers, origins=frozenset({ISTHMUS}))
    fields = {
        "from": _f(mail.sender, "email", written, _mail(mail.sender)),
        "subject": _f(mail.subject, "text", written),
        "body": _f(mail.body, "text", written),
        "received": _f(mail.timestamp, "time", stated),
    }
    for number, address in enumerate([*mail.recipients, *mail.cc], 1):
        fields[f"to_{number}"] = _f(address, "email", written, _mail(address))
    return Item(kind="mail", id=str(mail.id_), fields=fields)


def _contact(contact: Any, env: Any) -> Item:
    """The suite makes contacts of whoever ever wrote: the user's own are those that the user wrote to."""
    inbox = env.inbox
    written_to = {
        address for mail in inbox.emails.values() if str(mail.status) == "sent" for address in mail.recipients
    }
    mark = Mark(origins=frozenset({USER if contact.email in written_to else UNKNOWN}))
    return Item(
        kind="contact",
        id=str(contact.email),
        fields={
            "name": _f(contact.name, "person", mark),
            "email": _f(contact.email, "email", mark, _mail(contact.email)),
        },
    )


def _event(event: Any, _: Any) -> Item:
    """Anybody who takes part, and whoever sent the invitation, could have written any of it."""
    mark = Mark(readers=_readers(event.participants), origins=frozenset({UNKNOWN}))
    fields = {
        "title": _f(event.title, "text", mark),
        "description": _f(event.description, "text", mark),
        "location": _f(event.location, "text", mark),
        "start": _f(event.start_time, "time", mark),
        "end": _f(event.end_time, "time", mark),
    }
    for number, address in enumerate(event.participants, 1):
        fields[f"participants_{number}"] = _f(address, "email", mark, _mail(address))
    return Item(kind="event", id=str(event.id_), fields=fields)


def _file(file: Any, _: Any) -> Item:
    """Text in a file may come from anywhere; what the drive itself states is the drive's word."""
    readers = _readers([file.owner, *file.shared_with])
    text = Mark(readers=readers, origins=frozenset({UNKNOWN}))
    stated = Mark(readers=readers, origins=frozenset({ISTHMUS}))
    fields = {
        "filename": _f(file.filename, "text", text),
        "content": _f(file.content, "text", text),
        "owner": _f(file.owner, "email", text, _mail(file.owner)),
        "modified": _f(file.last_modified, "time", stated),
        "size": _f(file.size, "number", stated),
    }
    return Item(kind="file", id=str(file.id_), fields=fields)


def _transaction(one: Any, env: Any) -> Item:
    """What the user ordered is the user's word; of what came in, the sender wrote all but the sender."""
    mine = one.sender in {"me", env.bank_account.iban}
    other = one.recipient if mine else one.sender
    readers = Readers(frozenset({Party(f"iban:{other}")}))
    written = Mark(readers=readers, origins=frozenset({USER if mine else Origin(f"bank:{one.sender}")}))
    stated = Mark(readers=readers, origins=frozenset({ISTHMUS}))
    return Item(
        kind="job",
        id=str(one.id),
        fields={
            "sender": _f(one.sender, "account", stated),
            "recipient": _f(one.recipient, "account", written),
            "amount": _f(one.amount, "amount", written),
            "subject": _f(one.subject, "text", written),
            "date": _f(one.date, "time", stated),
        },
    )


def _message(message: Any, env: Any, number: int) -> Item:
    """Who sent a message, and where, the service states; what it says is the sender's."""
    place = message.recipient
    in_channel = place in env.slack.channels
    people = (
        [user for user, channels in env.slack.user_channels.items() if place in channels] if in_channel else [place]
    )
    readers = Readers(
        frozenset({Party(f"slack:{one}") for one in (*people, message.sender)} | {Party(f"slack:#{place}")})
    )
    stated = Mark(readers=readers, origins=frozenset({ISTHMUS}))
    mark = Mark(readers=readers, origins=frozenset({Origin(f"message:slack:{message.sender}")}))
    return Item(
        kind="mail",
        id=f"{place}/{number}",
        fields={
            "from": _f(message.sender, "person", stated),
            "in": _f(place, "channel" if in_channel else "person", mark if in_channel else stated),
            "body": _f(message.body, "text", mark),
        },
    )


def _page(address: str, text: str) -> Item:
    host = address.removeprefix("https://").removeprefix("http://").partition("/")[0].lower()
    mark = Mark(readers=EVERYONE, origins=frozenset({Origin(f"web:{host}")}))
    return Item(
        kind="note",
        id=address,
        fields={"address": _f(address, "url", mark), "text": _f(text, "text", mark)},
    )


def _listed(kind: Kind, name: str, origin: Origin, readers: Readers) -> Item:
    mark = Mark(readers=readers, origins=frozenset({origin}))
    return Item(kind=kind, id=name, fields={"name": _f(name, "channel" if kind == "channel" else "person", mark)})


def _members(env: Any) -> Readers:
    """Who reads what the whole workspace can: everybody in it, and so every channel of it."""
    places = (*env.slack.users, *(f"#{channel}" for channel in env.slack.channels))
    return Readers(frozenset(Party(f"slack:{one}") for one in places))


def _f(value: Any, kind: Kind, mark: Mark, party: Party | None = None) -> Field:
    return Field(value=value, kind=kind, mark=mark, party=party)


def _mail(address: str) -> Party:
    return THE_USER if address.lower() == _ME else Party(f"mailto:{address.lower()}")


def _readers(addresses: Iterable[str]) -> Readers:
    return Readers(frozenset(_mail(one) for one in addresses) - {THE_USER})


_BY_TYPE: Mapping[str, Callable[[Any, Any], Item]] = {
    "Email": _email,
    "EmailContact": _contact,
    "CalendarEvent": _event,
    "CloudDriveFile": _file,
}
