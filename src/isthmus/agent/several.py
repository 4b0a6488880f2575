"""Several accounts of one kind: their tools are told apart by the name of the account."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from typing_extensions import override

from isthmus.agent.marks import Party
from isthmus.agent.tool import Foretelling, Grant, Made, ToolResult, Toolset, ToolSpec, Value

_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_LONGEST = 64
"""Characters of a tool's name, as providers take it."""


def account_of(toolset: Toolset) -> str:
    """The account that a tool set acts on; a set that has none is one of its own."""
    account = getattr(toolset, "account", None)
    return account if isinstance(account, str) else toolset.name


def told_apart(toolsets: Iterable[Toolset]) -> Mapping[str, Toolset]:
    """The tool sets by name. Where several have one name, each bears that of its account, too, and so do its tools.

    Raises:
        ValueError: two are of the same name and the same account.
    """
    known = list(toolsets)
    counts = Counter(toolset.name for toolset in known)
    found: dict[str, Toolset] = {}
    for toolset in known:
        one = Apart(toolset) if counts[toolset.name] > 1 else toolset
        if one.name in found:
            raise ValueError(f"there are two tool sets {one.name}")
        found[one.name] = one
    return found


class Apart(Toolset):
    """A tool set whose tools bear the name of their account: `mail_work_search`."""

    def __init__(self, inner: Toolset) -> None:
        self.inner = inner
        self.account = account_of(inner)
        slug = _NOT_IN_NAMES.sub("_", self.account.lower()).strip("_")
        self._name = f"{inner.name}_{slug}"
        inners = {self._renamed(spec.name): spec.name for spec in inner.specs}
        outers = {name: outer for outer, name in inners.items()}
        self._inners = inners
        self._specs = tuple(
            replace(
                spec,
                name=outers[spec.name],
                summary=f"{spec.summary.rstrip('.')}, account {self.account}.",
                undone_by=None if spec.undone_by is None else outers.get(spec.undone_by, spec.undone_by),
            )
            for spec in inner.specs
        )

    def _renamed(self, tool: str) -> str:
        verb = tool.removeprefix(f"{self.inner.name}_") if tool.startswith(self.inner.name) else tool
        return f"{self._name}_{verb}"[:_LONGEST]

    @property
    @override
    def name(self) -> str:
        return self._name

    @property
    @override
    def specs(self) -> Sequence[ToolSpec]:
        return self._specs

    @override
    def parties(self, tool: str, parameter: str, value: Value) -> tuple[Party, ...]:
        return self.inner.parties(self._inners[tool], parameter, value)

    @override
    async def run(self, grant: Grant) -> ToolResult:
        return await self.inner.run(replace(grant, tool=self._inners[grant.tool]))

    @override
    async def find_done(self, grant: Grant) -> ToolResult | None:
        return await self.inner.find_done(replace(grant, tool=self._inners[grant.tool]))

    def will_make(self, grant: Grant) -> tuple[Made, ...]:
        """What a call will make, where the tool set knows it."""
        if not isinstance(self.inner, Foretelling):
            return ()
        return self.inner.will_make(replace(grant, tool=self._inners[grant.tool]))

    @override
    async def aclose(self) -> None:
        await self.inner.aclose()
