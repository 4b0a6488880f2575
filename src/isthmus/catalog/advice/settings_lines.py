"""The recommendation as lines for `isthmus.toml`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from isthmus.catalog.advice.advice import Answer
from isthmus.catalog.advice.option import Option, Own
from isthmus.catalog.advice.question import DataClass, Question

LABELS: dict[DataClass, tuple[str, str]] = {
    "internal": ("internal", ""),
    "personal": ("pii", 'detect = ["pii"]'),
    "patient": ("phi", 'detect = ["medical"]'),
    "privileged": ("legal", 'detect = ["legal"]'),
    "secret": ("secret", 'detect = ["credentials"]'),
}
"""Name of the label of a kind of data, and how it is detected."""


def settings_lines(answer: Answer, question: Question) -> str:
    """TOML: the offers, the labels that they alone may see, the workload, and who the organisation is."""
    assert answer.best is not None
    options = [answer.best]
    if answer.workload.outage == "minutes" and answer.standby is not None:
        options.append(answer.standby)
    labels = [LABELS[kind] for kind in answer.workload.data if kind in LABELS]
    names = [_name(option) for option in options]
    blocks = [_offer(option, name, [label for label, _ in labels]) for option, name in zip(options, names, strict=True)]
    blocks += ["\n".join(filter(None, (f"[labels.{label}]", detect))) for label, detect in labels]
    quoted = ", ".join(f'"{name}"' for name in names)
    workload = [f"[workloads.{_key(answer.workload.name)}]", f"offers = [{quoted}]"]
    if labels:
        workload.append(f"labels = [{', '.join(_quoted(label for label, _ in labels))}]")
    blocks.append("\n".join(workload))
    if question.organisation.seat is not None:
        blocks.append(f'[organisation]\nseat = "{question.organisation.seat}"\nuse = ["{answer.workload.use}"]')
    return "\n\n".join(blocks) + "\n"


def _offer(option: Option, name: str, labels: list[str]) -> str:
    return "\n".join((f"[offers.{name}]", *_facts(option, labels)))


def _facts(option: Option, labels: list[str]) -> Iterator[str]:
    if isinstance(option.at, Own):
        repo = option.model.where.repo or option.model.id
        yield f'model = "{repo}"'
        yield 'provider = "vllm"'
        yield 'url = "http://127.0.0.1:8000/v1"   # address of your machine'
        yield f'record = "{option.model.id}"'
        if labels:
            yield 'cleared = "everything"'
        return
    listing, offer = option.at.listing, option.at.offer
    yield f'model = "{option.model.id if listing is None else listing.api_id}"'
    yield f'provider = "{offer.service}"'
    host = next((host for host in offer.hosts if not host.startswith("*")), None)
    if offer.service.endswith("-compatible") or offer.service == "azure-openai":
        yield f'url = "https://{host or "YOUR-RESOURCE"}/v1"   # address of your endpoint: look it up'
    elif host is not None:
        yield f"# asked at {host}: where that is not the usual address, say so in url"
    yield f'terms = "{option.at.terms.id}"'
    yield f'record = "{option.model.id}"'
    if labels:
        yield f"cleared = [{', '.join(_quoted(labels))}]"


def _quoted(names: Iterator[str] | list[str]) -> Iterator[str]:
    return (f'"{name}"' for name in names)


def _name(option: Option) -> str:
    """`own-qwen3-32b`, `mistral-mistral-small-4`."""
    at = "own" if isinstance(option.at, Own) else option.at.provider.id
    return _key(f"{at}-{option.model.id.rpartition('/')[2]}")


def _key(text: str) -> str:
    """A name that needs no quotation marks in TOML."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text)
