"""The rules of the monitor, as data: a file that ships with isthmus, and what a user's own file puts in its place.

The vocabulary is closed. A file with a key, a rule or a kind that the code does not know is refused when it is read: a
rule that nobody enforces would be worse than none.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal, get_args

from isthmus.agent.marks import Party
from isthmus.agent.monitor.digests import canonical
from isthmus.agent.tool import Effect, Kind, ToolSpec
from isthmus.domain.errors import ConfigError
from isthmus.domain.label import Label, label

Rule = Literal["allow", "wanted", "endorsed", "meant", "ask", "never"]

_RULES: Mapping[Effect, tuple[Rule, ...]] = {
    "read": ("allow", "ask", "never"),
    "fetch": ("endorsed", "ask", "never"),
    "keep": ("wanted", "allow", "ask", "never"),
    "send": ("endorsed", "ask", "never"),
    "change": ("meant", "ask", "never"),
    "destroy": ("meant", "ask", "never"),
}
"""What can be said of an effect. No rule makes a send silent to whomever."""

_KINDS: frozenset[str] = frozenset(get_args(Kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the monitor goes by; its parts are described in `policy.toml`."""

    effects: Mapping[Effect, Rule]
    silent: frozenset[Kind]
    per_turn: int
    fetches: int
    money_unsaid: float
    never_labels: frozenset[Label]
    never_tools: frozenset[str]
    endorsed: frozenset[Party]
    people: Mapping[Kind, tuple[str, ...]]
    minutes: float

    def unenforceable(self, specs: Iterable[ToolSpec]) -> tuple[str, ...]:
        """What the rules say of tools that are not there, each in a sentence: a slip of the pen would go unseen."""
        names = {spec.name for spec in specs}
        return tuple(
            f"never.tools names {name!r}, and there is no such tool." for name in sorted(self.never_tools - names)
        )


def shipped() -> Policy:
    """The rules that come with isthmus."""
    return read("")


def read(text: str, *, where: str = "the policy of the agent") -> Policy:
    """The rules of a file, in place of those that ship.

    Args:
        text: TOML; what it does not say stays as shipped.
        where: the file, for errors.

    Raises:
        ConfigError: with a sentence for each rule that cannot be enforced.
    """
    base = tomllib.loads(files(__package__).joinpath("policy.toml").read_text(encoding="utf-8"))
    try:
        own = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where} is no TOML: {error}.") from error
    problems: list[str] = []
    for section, rules in own.items():
        if section not in base or not isinstance(rules, dict):
            problems.append(f"[{section}] is no section; there is {_listed(base)}.")
            continue
        for key, value in rules.items():
            if key not in base[section] and section != "people":
                problems.append(f"{section}.{key} is no rule; there is {_listed(base[section])}.")
            elif (problem := _wrong(section, key, value)) is not None:
                problems.append(problem)
            else:
                base[section][key] = value
    if problems:
        raise ConfigError(f"{where} has rules that cannot be enforced.", problems=tuple(problems))
    return _policy(base)


def fingerprint(policy: Policy) -> str:
    """What names exactly these rules in a log."""
    return canonical(
        {
            "effects": {str(effect): rule for effect, rule in policy.effects.items()},
            "silent": sorted(policy.silent),
            "limits": [policy.per_turn, policy.fetches, policy.money_unsaid, policy.minutes],
            "never": [sorted(policy.never_labels), sorted(policy.never_tools)],
            "endorsed": sorted(policy.endorsed),
            "people": {kind: list(names) for kind, names in policy.people.items()},
        }
    ).decode()


def _wrong(section: str, key: str, value: object) -> str | None:
    """Why a value cannot be used, in a sentence."""
    match section:
        case "effects":
            allowed = _RULES[key]  # type: ignore[index]  # the shipped file has the keys of this table
            return None if value in allowed else f"effects.{key} has to be one of {_listed(allowed)}."
        case "limits" | "approvals":
            right = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
            return None if right else f"{section}.{key} has to be a number of at least 0."
        case "people" if key not in _KINDS:
            return f"people.{key}: there is no kind {key!r}."
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        return f"{section}.{key} has to be a list of texts."
    match section, key:
        case "keep", "silent":
            unknown = [one for one in value if one not in _KINDS]
            return f"keep.silent: there is no kind {unknown[0]!r}." if unknown else None
        case "never", "labels":
            for one in value:
                try:
                    label(one)
                except ValueError as error:
                    return f"never.labels: {error}."
    return None


def _policy(rules: Mapping[str, Any]) -> Policy:
    limits = rules["limits"]
    return Policy(
        effects=rules["effects"],
        silent=frozenset(rules["keep"]["silent"]),
        per_turn=limits["per_turn"],
        fetches=limits["fetches"],
        money_unsaid=limits["money_unsaid"],
        never_labels=frozenset(Label(one) for one in rules["never"]["labels"]),
        never_tools=frozenset(rules["never"]["tools"]),
        endorsed=frozenset(Party(one) for one in rules["endorsed"]["parties"]),
        people={kind: tuple(names) for kind, names in rules["people"].items()},
        minutes=rules["approvals"]["minutes"],
    )


def _listed(names: Collection[str]) -> str:
    return ", ".join(names)
