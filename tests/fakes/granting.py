"""Grants for tests of tool sets, as the monitor would make them."""

from __future__ import annotations

import hashlib
import itertools
import json
from typing import Any

from isthmus.agent.marks import USERS_WORDS, Mark
from isthmus.agent.tool import Argument, Grant

_calls = itertools.count(1)


def grant(tool: str, *, call: str | None = None, mark: Mark = USERS_WORDS, said: bool = False, **given: Any) -> Grant:
    """A grant for a call.

    Args:
        tool: that is called.
        call: its id. None: a new one.
        mark: of every argument.
        said: whether the user said every argument.
        **given: the arguments.
    """
    plain = json.dumps([tool, given], sort_keys=True)
    return Grant(
        call=call or f"call-{next(_calls)}",
        tool=tool,
        digest=hashlib.sha256(plain.encode()).hexdigest(),
        mark=mark,
        arguments={name: Argument(value=value, mark=mark, endorsed=said) for name, value in given.items()},
    )
