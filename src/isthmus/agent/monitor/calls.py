"""A call that a model wants to make, resolved: every value with its mark and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from isthmus.agent.marks import Mark, Party, join
from isthmus.agent.tool import Argument, Parameter, Role, ToolSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """One resolved value of an argument."""

    value: Any
    """JSON value."""
    mark: Mark
    references: tuple[str, ...] = ()
    """The fields it stands for, `mail_3.from`. Empty: the model's own words, marked with all that it has seen."""
    parties: tuple[Party, ...] = ()
    """Of a destination: who comes to see something."""
    unseen: bool = False
    """Whether it names a thing that was never shown: nobody knows what is in it."""
    said: str | None = None
    """The user's own words that it equals, where it is content that the user dictated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedCall:
    """A call, resolved on the shelf of its branch. Made by `references.propose`."""

    id: str
    conversation: str
    toolset: str
    spec: ToolSpec
    values: Mapping[str, tuple[Worth, ...]]
    """Of each argument given: its values, one unless the parameter takes many."""
    digest: str
    """SHA-256 over tool and plain arguments (`digests`)."""

    def played(self, *roles: Role) -> Iterator[tuple[Parameter, Worth]]:
        """The values that play one of these parts, with their parameters."""
        for parameter in self.spec.parameters:
            if parameter.role in roles:
                for worth in self.values.get(parameter.name, ()):
                    yield parameter, worth

    @property
    def arguments(self) -> dict[str, Argument]:
        """As a grant and a question to a person have them."""
        result = {}
        for name, worths in self.values.items():
            parameter = self.spec.parameter(name)
            many = parameter is not None and parameter.many
            parties = tuple(dict.fromkeys(party for worth in worths for party in worth.parties))
            value = [worth.value for worth in worths] if many else worths[0].value
            result[name] = Argument(
                value=value,
                mark=join(worth.mark for worth in worths),
                parties=parties,
                endorsed=all(worth.said is not None for worth in worths),
            )
        return result

    def plain(self) -> dict[str, Any]:
        return {name: argument.value for name, argument in self.arguments.items()}
