"""What endpoints do: two sorts of work, from which every endpoint is made.

`on_the_road`: the body is a request to a model, and the road answers it. `handled`: a resource of isthmus itself is
asked for, and a function answers it whole.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from isthmus.dialects.dialect import Form
from isthmus.dialects.registry import IN_ONE_DOCUMENT, form_of
from isthmus.domain.errors import IsthmusError
from isthmus.domain.label import Label, Labelled
from isthmus.domain.principal import Key
from isthmus.gateway.endpoint import Endpoint, Params, Vendor, query_of
from isthmus.gateway.headers import EVENT_STREAM, JSON, RequestHead
from isthmus.gateway.refusal import refusal, shape_of
from isthmus.gateway.reply import Reply
from isthmus.routing.answer import Call

if TYPE_CHECKING:
    from isthmus.gateway.connection import Connection, Work
    from isthmus.gateway.gateway import Gateway


def on_the_road(
    method: str,
    path: str,
    vendor: Vendor,
    form_name: str | Callable[[RequestHead], str],
    *,
    stream: bool | None = None,
) -> Endpoint:
    """An endpoint whose bodies are requests to a model.

    Args:
        method: of HTTP.
        path: where `{model}` stands for the model's name, if it is there that it is said.
        vendor: whose API it belongs to.
        form_name: name of the form in which is asked, where the head of a request has no say in it.
        stream: whether the answer streams; None: the body says it.
    """

    def work(gateway: Gateway, head: RequestHead, key: Key, params: Params) -> Work:
        name = form_name if isinstance(form_name, str) else form_name(head)
        lines = JSON if name in IN_ONE_DOCUMENT else EVENT_STREAM
        asking = Asking(gateway, form_of(name), head, key, model=params.get("model"), stream=stream, lines=lines)
        return asking if head.fault is None else asking.refused(head.fault)

    return Endpoint(method, path, vendor, work)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request for a resource of isthmus, its body read."""

    head: RequestHead
    key: Key
    params: Params
    query: Mapping[str, str]
    body: bytes


Handler: TypeAlias = "Callable[[Gateway, Request], Awaitable[Reply]]"


def handled(
    method: str, path: str, vendor: Vendor, handler: Handler, *, public: bool = False, most_bytes: int | None = None
) -> Endpoint:
    """An endpoint that a function answers.

    Args:
        method: of HTTP.
        path: with `{names}` for its parameters.
        vendor: whose API it belongs to.
        handler: answers; the errors it raises are told in the vendor's shape.
        public: whether no key is needed.
        most_bytes: how large a body may be; None: as large as any.
    """

    def work(gateway: Gateway, head: RequestHead, key: Key, params: Params) -> Work:
        if head.fault is not None:
            raise head.fault
        return _Handled(gateway, head, key, params, handler, shape_of(vendor), most_bytes)

    return Endpoint(method, path, vendor, work, public=public)


class Asking:
    """Something is asked of a model, by somebody who may."""

    __slots__ = ("_form", "_gateway", "_head", "_key", "_lines", "_model", "_stream", "most_bytes")

    def __init__(
        self,
        gateway: Gateway,
        form: Form,
        head: RequestHead,
        key: Key,
        *,
        model: str | None,
        stream: bool | None,
        lines: bytes,
    ) -> None:
        self.most_bytes = gateway.limits.body_bytes
        self._gateway = gateway
        self._form = form
        self._head = head
        self._key = key
        self._model = model
        self._stream = stream
        self._lines = lines

    def begin(self, connection: Connection, body: bytes) -> Coroutine[Any, Any, None]:
        call = call_of(self._form, self._head, self._key, body, model=self._model, stream=self._stream)
        return self._gateway.serve(call, connection, self._lines)

    def refused(self, error: IsthmusError) -> Work:
        """Whoever is let in leaves an entry, also where the request goes no further."""
        self._gateway.road.refused(self._form, self._key.principal, self._head.arrived, error)
        return refusal(self._form, error)


class _Handled:
    """A resource is asked for, by somebody who may."""

    __slots__ = ("_gateway", "_handler", "_head", "_key", "_params", "_shape", "most_bytes")

    def __init__(
        self,
        gateway: Gateway,
        head: RequestHead,
        key: Key,
        params: Params,
        handler: Handler,
        shape: Form,
        most_bytes: int | None,
    ) -> None:
        self.most_bytes = gateway.limits.body_bytes if most_bytes is None else most_bytes
        self._gateway = gateway
        self._head = head
        self._key = key
        self._params = params
        self._handler = handler
        self._shape = shape

    def begin(self, connection: Connection, body: bytes) -> Coroutine[Any, Any, None]:
        request = Request(
            head=self._head, key=self._key, params=self._params, query=query_of(self._head.target), body=body
        )
        return self._gateway.handle(self._handler, request, self._shape, connection)

    def refused(self, error: IsthmusError) -> Work:
        return refusal(self._shape, error)


def call_of(
    form: Form, head: RequestHead, key: Key, body: bytes, *, model: str | None = None, stream: bool | None = None
) -> Call:
    """A request of a client, as the road takes it."""
    return Call(
        form=form,
        body=body,
        principal=key.principal,
        workload=head.workload,
        key_workload=key.workload,
        labels=_labels(key, head),
        conversation=head.conversation,
        arrived=head.arrived,
        workloads=key.workloads,
        model=model,
        stream=stream,
    )


def _labels(key: Key, head: RequestHead) -> tuple[Labelled, ...]:
    if not key.labels:
        return _unique(head.labels) if len(head.labels) > 1 else head.labels
    return _unique((*(Labelled(name, "key") for name in sorted(key.labels)), *head.labels))


def _unique(labels: tuple[Labelled, ...]) -> tuple[Labelled, ...]:
    first: dict[Label, Labelled] = {}
    for labelled in labels:
        first.setdefault(labelled.label, labelled)
    return tuple(first.values())
