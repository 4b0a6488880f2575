"""What was said in one request, kept because its workload asks for it."""

from __future__ import annotations

from datetime import datetime

from isthmus.domain.label import Label
from isthmus.domain.request import RequestId
from isthmus.domain.value import quick_value


@quick_value(kw_only=True)
class Kept:
    """What was said in one request."""

    request: RequestId
    tenant: str
    workload: str | None
    labels: tuple[Label, ...]
    """All that it bore."""
    firm: tuple[Label, ...] | None = None
    """Those of them that no look at the text finds again: declared, or found and not lowered. None: all."""
    request_text: str
    """The body, as the client sent it; where it went on from an earlier answer, with what was said until then."""
    answer_text: str
    """What the answer says; of a dialect whose clients go on from answers, the whole answer."""
    expires: datetime
    goes_on_in: str | None = None
    """The form in which clients may go on from it; None: none, the answer is not there as a whole."""
