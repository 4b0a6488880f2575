"""What choosing and recording need to know of a request, whatever its dialect."""

from __future__ import annotations

from typing import Literal, NewType

from isthmus.domain.label import Label
from isthmus.domain.offer import Need
from isthmus.domain.value import quick_value

RequestId = NewType("RequestId", str)

ANY_MODEL = "auto"
"""Names no workload: that of the key serves, else the default one. Some APIs let a request leave its model out."""

Operation = Literal["complete", "embed", "moderate", "count_tokens"]
"""What a model is asked to do. All but `complete` answer whole, never as a stream."""


@quick_value(kw_only=True)
class RequestFacts:
    """The facts of one request that a dialect can read off its body without understanding all of it."""

    model: str
    """As the client named it: a workload or an offer."""
    stream: bool
    stream_usage: bool = False
    """The client asked to see usage in the stream."""
    needs: frozenset[Need] = frozenset()
    input_tokens: int = 0
    """Estimated before sending, from the length of the text; never billed on."""
    max_output_tokens: int | None = None
    messages: int = 0
    labels: frozenset[Label] = frozenset()
    """Declared in the body's `metadata`."""
    workload: str | None = None
    """Declared in the body's `metadata`."""
    conversation: str | None = None
    """Declared in the body's `metadata`."""
    operation: Operation = "complete"
    previous: str | None = None
    """Id of an earlier answer that this request goes on from, kept by isthmus (Responses: `previous_response_id`)."""
