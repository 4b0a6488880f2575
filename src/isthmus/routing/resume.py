"""Going on from an earlier answer: clients of some dialects name it by its id instead of sending the conversation.

isthmus keeps the conversation itself, and only where the workload keeps what is said; no offer is ever asked to. A
request that goes on is put together here before anybody looks at it, so that it is labelled, chosen for and recorded
like one that was sent whole. What the earlier request was declared to be, it brings with it.
"""

from __future__ import annotations

import re
from dataclasses import replace

from isthmus.dialects.dialect import Resumable
from isthmus.domain.errors import InvalidRequest, NotFound
from isthmus.domain.kept import Kept
from isthmus.domain.label import Labelled
from isthmus.domain.ports import Keeper
from isthmus.domain.request import RequestId
from isthmus.routing.answer import Call

_OURS = re.compile(r"resp_([0-9a-f]{27})\Z")
_ANSWER_ID = re.compile(rb'"id"\s*:\s*"(resp_[^"\\]{1,200})"')


def answer_id(request: RequestId) -> str:
    """The id of the answer to a request, as clients that can go on from it are told it."""
    return "resp_" + request.removeprefix("req_")


def request_of(answer: str) -> RequestId | None:
    """The request that an answer belongs to; None: no id of ours."""
    found = _OURS.match(answer)
    return None if found is None else RequestId(f"req_{found[1]}")


async def kept_answer(keeper: Keeper | None, call: Call, answer: str) -> Kept | None:
    """An earlier answer that was kept whole, for whoever makes this call; None: there is none, or not for them."""
    kept = await kept_of(keeper, call, answer)
    return kept if kept is not None and kept.goes_on_in == call.form.name else None


async def kept_of(keeper: Keeper | None, call: Call, answer: str) -> Kept | None:
    """All that was kept of an earlier answer, also of one that broke off; None: nothing, or not for this caller."""
    request = request_of(answer)
    if keeper is None or request is None:
        return None
    kept = await keeper.recall(request, call.principal.tenant)
    if kept is None or (call.workloads is not None and kept.workload not in call.workloads):
        return None
    return kept


async def resumed(keeper: Keeper | None, call: Call, resumable: Resumable | None, previous: str) -> Call:
    """The call with the conversation until now in it, and with its labels.

    Raises:
        InvalidRequest: the client's dialect has no such thing.
        NotFound: nothing is kept under the id.
    """
    if resumable is None:
        raise InvalidRequest(f"{call.form.name} cannot go on from an earlier answer.")
    kept = await kept_answer(keeper, call, previous)
    if kept is None:
        error = NotFound(
            "Nothing is kept under this previous_response_id.",
            hint="Answers are kept only where the workload says so (keep_days); else send the whole conversation.",
        )
        error.param = "previous_response_id"
        raise error
    body = resumable.going_on(kept.request_text.encode(), kept.answer_text.encode(), call.body)
    firm = kept.labels if kept.firm is None else kept.firm
    known = {labelled.label for labelled in call.labels}
    labels = (*call.labels, *(Labelled(name, "previous") for name in firm if name not in known))
    return replace(call, body=body, labels=labels)


class Naming:
    """Gives the answer to one request the id by which a client can go on from it, and keeps the answer whole."""

    __slots__ = ("_given", "_own", "_resumable", "_said")

    def __init__(self, resumable: Resumable, request: RequestId) -> None:
        self._resumable = resumable
        self._own = answer_id(request).encode("ascii")
        self._given: bytes | None = None
        self._said: list[bytes] = []

    def named(self, data: bytes) -> bytes:
        """A piece of the answer, of whole events, or all of it: with our id in place of the one it came with."""
        if self._given is None and (found := _ANSWER_ID.search(data)) is not None:
            self._given = found[1]
        if self._given is not None:
            data = data.replace(self._given, self._own)
        self._said.append(data)
        return data

    def answer(self, *, streamed: bool) -> bytes | None:
        """The whole answer; None: it has not ended well."""
        said = b"".join(self._said)
        return self._resumable.streamed_answer(said) if streamed else said
