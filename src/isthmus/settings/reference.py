"""Writes `docs/reference/settings.md` from the schema: `python -m isthmus.settings.reference`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from decimal import Decimal

from pydantic.fields import FieldInfo

from isthmus.settings.schema import LATER_SECTIONS, NAMED_SECTIONS, SECTIONS, TOP_LEVEL, Table

_HEAD = """# Settings

<!-- Written from the schema by `python -m isthmus.settings.reference`; a test compares the two. -->

All settings are in one file, `isthmus.toml`. It is the one named by `--config`, else by `$ISTHMUS_CONFIG`, else
`./isthmus.toml`, else `$XDG_CONFIG_HOME/isthmus/isthmus.toml` (`~/.config/…`). With no file, or a file without offers,
`isthmus up` offers what it finds: engines on their usual ports of this machine, the embedded model, and the services
whose keys are in the environment. [How to configure](../how-to/configure.md) has examples.

Unknown keys are errors, so that a misspelt key is never a key that is ignored. Secrets are references: `env:NAME`,
`file:PATH` (relative to the settings file) or `keyring:NAME` (with the extra `keyring`). Offers, workloads and keys
have names of 1 to 128 letters, digits and `. _ : / @ + -`; an offer and a workload cannot share a name, because
requests name either; `auto` stands for the default workload.

A changed file is picked up without a restart; a file with a mistake is refused and the old one stays in force. What
`[server]` and `[store]` say holds from the next start.
"""


def document() -> str:
    """The whole page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "## At the top of the file\n"
    yield "| key | default | meaning |\n| --- | --- | --- |"
    for key, meaning in TOP_LEVEL.items():
        yield f"| `{key}` | | {meaning} |"
    for section, table in SECTIONS.items():
        yield from _table(f"[{section}]", table)
        for key, field in table.model_fields.items():
            if nested := nested_table(field):
                yield from _table(f"[{section}.{key}.NAME]", nested)
    for section, table in NAMED_SECTIONS.items():
        yield from _table(f"[{section}.NAME]", table)
        for key, field in table.model_fields.items():
            if nested := nested_table(field):
                yield from _table(f"[{section}.NAME.{key}]", nested)
    yield "\n## Not in this release\n"
    yield "These are refused, rather than ignored.\n"
    yield "| key | |\n| --- | --- |"
    for section, sentence in LATER_SECTIONS.items():
        yield f"| `[{section}]` | {sentence}. |"
    for section, table in NAMED_SECTIONS.items():
        for key, sentence in table.later.items():
            yield f"| `[{section}.NAME]` `{key}` | {sentence}. |"


def _table(title: str, table: type[Table]) -> Iterator[str]:
    yield f"\n## `{title}`\n"
    yield f"{' '.join((table.__doc__ or '').split())}\n"
    yield "| key | default | meaning |\n| --- | --- | --- |"
    for key, field in table.model_fields.items():
        yield f"| `{field.alias or key}` | {_default(field)} | {' '.join((field.description or '').split())} |"


def nested_table(field: FieldInfo) -> type[Table] | None:
    """The table that a key holds; None where it holds a plain value."""
    parts = getattr(field.annotation, "__args__", (field.annotation,))
    return next((part for part in parts if isinstance(part, type) and issubclass(part, Table)), None)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is None or value in ("", (), {}):
        return ""
    if isinstance(value, str):
        return f'`"{value}"`'
    return (
        f"`{value:g}`" if isinstance(value, float) else f"`{value:,}`" if isinstance(value, Decimal) else f"`{value}`"
    )


if __name__ == "__main__":
    sys.stdout.write(document())
