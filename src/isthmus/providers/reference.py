"""Writes `docs/reference/providers.md` from the table: `python -m isthmus.providers.reference`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from isthmus.providers.compatible import Service, services

_HEAD = """# Providers

<!-- Written from compatible.toml by `python -m isthmus.providers.reference`; a test compares the two. -->

A provider is who serves a model. `provider = "NAME"` in an offer takes address, dialect and the place of the key from
its row here; what the offer says itself goes first. `embedded` is not in the table: isthmus runs that one itself.

*Documented* is what was read in its documentation that it does. *Seen working* is what was tried, and nothing
else: most of these services need an account that this project does not have.
"""


def document() -> str:
    """The whole page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "| name | service | dialect | key | side |\n| --- | --- | --- | --- | --- |"
    for service in services().values():
        key = "" if service.key is None else f"`{service.key}`"
        yield f"| [`{service.name}`](#{service.name}) | {service.title} | {service.dialect} | {key} | {service.side} |"
    for service in services().values():
        yield from _row(service)


def _row(service: Service) -> Iterator[str]:
    yield f"\n## {service.name}\n"
    yield f"{service.title}. [Documentation]({service.source}).\n"
    yield f"- Address: {f'`{service.base_url}`' if service.base_url else 'every account has its own; say `url`'}"
    also = "".join(f", also `{name}`" for name in service.also)
    yield f"- Dialect: `{service.dialect}`{also}, the key in `{service.auth}`"
    if service.key is not None:
        names = [str(service.key), *(f"env:{name}" for name in service.key_also)]
        yield f"- Key: {' or '.join(f'`{name}`' for name in names)}"
    yield f"- Side, where an offer does not say: {service.side}"
    yield f"- Models: {service.models}"
    if service.default_model is not None:
        yield f"- Offered by discovery: `{service.default_model}` ([named here]({service.default_model_source}))"
    yield f"- Prices: {f'`genai-prices`, as `{service.prices}`' if service.prices else _no_prices(service)}"
    yield f"- Documented: {', '.join(service.documented) or 'nothing read yet'}"
    yield f"- Seen working: {', '.join(service.can) or 'nothing yet'}"
    yield f"- Checked: {service.checked}"
    yield f"- Not checked: {service.unchecked}"


def _no_prices(service: Service) -> str:
    return "none per token" if service.side == "own" else "not known; set `price`"


if __name__ == "__main__":
    sys.stdout.write(document())
