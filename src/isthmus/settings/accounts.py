"""The accounts of the agent: what the file says of each, held against what its kind needs to be told."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import inspect

from isthmus.connectors.kinds import Kind, kinds
from isthmus.domain.errors import ConfigError
from isthmus.domain.label import Label, label
from isthmus.domain.offer import SecretRef
from isthmus.settings.problems import Problems, did_you_mean, shown
from isthmus.settings.schema import NAME
from isthmus.settings.values import AccountSettings

_OURS = frozenset({"kind", "labels"})
_SCHEMES = ("env", "file", "keyring")


def accounts_of(raw: Mapping[str, Any], problems: Problems) -> Mapping[str, AccountSettings]:
    """The accounts by name; what is wrong with any is among the problems."""
    found: dict[str, AccountSettings] = {}
    tables = raw.get("accounts", {})
    if not isinstance(tables, dict):
        return found  # told already: a section of named tables
    for name, table in tables.items():
        path = ("accounts", name)
        if not NAME.match(name) or not isinstance(table, dict):
            problems.add(path, "must be a table with a name of letters, digits and . _ -, as in [accounts.mail]")
            continue
        account = _account(name, table, problems)
        if account is not None:
            found[name] = account
    return found


def _account(name: str, table: Mapping[str, Any], problems: Problems) -> AccountSettings | None:
    path = ("accounts", name)
    known = kinds()
    kind = known.get(table.get("kind", "")) if isinstance(table.get("kind"), str) else None
    if kind is None:
        said = table.get("kind")
        told = "is missing" if said is None else f"{shown(str(said))} is not a kind of account"
        problems.add((*path, "kind"), f"{told}. {did_you_mean(str(said or ''), known)}")
        return None
    labels = _labels(table.get("labels", []), (*path, "labels"), problems)
    try:
        account = _converted(kind, {key: value for key, value in table.items() if key not in _OURS})
    except msgspec.ValidationError as exc:
        what, _, where = str(exc).partition(" - at `$")
        problems.add((*path, *where.strip("`.").split(".")) if where else path, f"{what}")
        return None
    return AccountSettings(name=name, kind=kind.name, account=account, labels=labels)


def account_of(table: Mapping[str, Any]) -> msgspec.Struct:
    """An account out of a table that says its kind, before it is in any file.

    Raises:
        ConfigError: it is none.
    """
    try:
        return _converted(kinds()[table["kind"]], {key: value for key, value in table.items() if key not in _OURS})
    except msgspec.ValidationError as exc:
        raise ConfigError(f"The account is not right: {exc}.") from exc


def _converted(kind: Kind, table: Mapping[str, Any]) -> msgspec.Struct:
    told = _referred(_plain(table), inspect.type_info(kind.account), "$")
    return msgspec.convert(told, type=kind.account)


def _plain(value: Any) -> Any:
    """TOML's decimals are read exactly; an account has use for numbers."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value


def _referred(value: Any, kind: inspect.Type, path: str) -> Any:
    """The value, with references in the place of the texts that stand for secrets.

    msgspec has no hook for this: it knows dataclasses itself, and would have them written as tables.
    """
    match kind:
        case inspect.DataclassType() if kind.cls is SecretRef:
            return _secret(value, path)
        case inspect.StructType() if isinstance(value, dict):
            types = {field.encode_name: field.type for field in kind.fields}
            return {
                key: _referred(item, types[key], f"{path}.{key}") if key in types else item
                for key, item in value.items()
            }
        case inspect.DictType() if isinstance(value, dict):
            return {key: _referred(item, kind.value_type, f"{path}.{key}") for key, item in value.items()}
        case inspect.ListType() | inspect.VarTupleType() if isinstance(value, list):
            return [_referred(item, kind.item_type, f"{path}[{at}]") for at, item in enumerate(value)]
        case inspect.UnionType() if value is not None:
            whole = [one for one in kind.types if isinstance(one, inspect.DataclassType | inspect.StructType)]
            return _referred(value, whole[0], path) if whole else value
        case _:
            return value


def _secret(value: Any, path: str) -> SecretRef:
    scheme, _, rest = value.partition(":") if isinstance(value, str) else ("", "", "")
    if scheme not in _SCHEMES or not rest:
        # The value is not repeated: it may be the secret itself.
        raise msgspec.ValidationError(
            f"must say where the secret is, not what it is: env:NAME, file:PATH or keyring:NAME - at `{path}`"
        )
    return SecretRef(scheme, rest)  # type: ignore[arg-type]  # one of the three, as was just seen


def _labels(value: Any, path: tuple[str, ...], problems: Problems) -> frozenset[Label]:
    try:
        return frozenset(label(name) for name in value)
    except (TypeError, ValueError):
        problems.add(path, 'must be a list of labels, such as ["private"]')
        return frozenset()
