"""Translation of what always answers whole: embeddings, moderation, counting of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.dialect import Form, WholeForm
from isthmus.dialects.registry import offered
from isthmus.domain.crossing import WireRequest
from isthmus.domain.errors import IsthmusError, Unsupported
from isthmus.domain.offer import Offer
from isthmus.domain.request import RequestFacts
from isthmus.domain.usage import Usage
from isthmus.routing.continuation import Told
from isthmus.routing.translation import Translation


class WholePlan:
    """As `TranslationPlan`, for the forms that answer whole.

    Their answers hold no text of the request, so there are no stand-ins to put back, and nothing to remember.
    """

    __slots__ = ("_body", "_client", "_decoded", "_facts")

    def __init__(self, client: WholeForm[Any, Any], body: bytes, facts: RequestFacts) -> None:
        self._client = client
        self._body = body
        self._facts = facts
        self._decoded: Any = None

    def to(self, offer: Offer) -> Translation:
        """The translation to an offer.

        Raises:
            InvalidRequest: the body is not a request of the client's form.
            Unsupported: offers of this dialect cannot be asked for it, or not for what the request says.
        """
        if offer.path is not None:
            raise Unsupported(f"{offer.name} has a path of its own, which is for completions alone.")
        for dialect in (offer.dialect, *offer.also):
            if offered(self._client.operation, dialect) is self._client:
                return _Passed(self._client, self._body, self._facts, offer.model)
        form = next(
            filter(None, (offered(self._client.operation, name) for name in (offer.dialect, *offer.also))), None
        )
        if form is None:
            raise Unsupported(f"The dialect {offer.dialect} has no {_ASKED[self._client.operation]}.")
        if self._decoded is None:
            self._decoded = self._client.decode_request(self._body)
        return _Whole(self._client, form, self._decoded, offer.model)


_ASKED = {"embed": "embeddings", "moderate": "moderation", "count_tokens": "counting of tokens", "complete": ""}


class _Single:
    """What has no stream and nothing to remember."""

    __slots__ = ()

    adapted: str | None = None
    told: Told | None = None

    def piece(self, data: bytes) -> bytes:
        raise NotImplementedError("this answers whole")

    def end(self) -> bytes:
        raise NotImplementedError("this answers whole")

    def failure(self, error: IsthmusError, request_id: str) -> bytes:
        raise NotImplementedError("this answers whole")

    @property
    def said(self) -> Sequence[str]:
        return ()


class _Passed(_Single):
    """Client and offer speak the same form."""

    __slots__ = ("dialect", "request", "usage")

    def __init__(self, form: WholeForm[Any, Any], body: bytes, facts: RequestFacts, model: str) -> None:
        self.dialect: Form = form
        self.usage: Usage | None = None
        self.request = WireRequest(
            form.request_path(model), form.retarget(body, facts, model=model), form.request_headers()
        )

    def whole(self, body: bytes) -> bytes:
        self.usage = self.dialect.read_usage(body)
        return body


class _Whole(_Single):
    """Client and offer speak different forms of the same operation."""

    __slots__ = ("_asked", "_client", "_form", "adapted", "dialect", "request", "usage")

    def __init__(self, client: WholeForm[Any, Any], form: WholeForm[Any, Any], asked: Any, model: str) -> None:
        self._client = client
        self._form = form
        self._asked = asked
        self.dialect: Form = form
        self.usage: Usage | None = None
        adapted = Adapted()
        self.request = WireRequest(
            form.request_path(model),
            form.encode_request(asked, model=model, adapted=adapted),
            form.request_headers(),
        )
        self.adapted = adapted.text or None

    def whole(self, body: bytes) -> bytes:
        self.usage = self._form.read_usage(body)
        return self._client.encode_answer(self._form.decode_answer(body, self._asked), self._asked)
