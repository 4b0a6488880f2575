"""Writes `docs/reference/openness.md` from the records: `python -m isthmus.catalog.openness.reference`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from isthmus.catalog.catalog import Catalog, load_catalog
from isthmus.catalog.openness.assess import assess
from isthmus.catalog.openness.openness import HEADLINES, RULES, Assessment, Badge
from isthmus.catalog.records.model import ModelRecord

_HEAD = f"""# How open the models are

<!-- Written from the catalog by `python -m isthmus.catalog.openness.reference`; a test compares the two. -->

All models of the catalog, by the rules `{RULES}`. [What the levels and badges mean](../explanation/openness.md) has the
rules, and `isthmus catalog openness MODEL` shows what is missing for each badge, and the sources. `?` is not known, and
what is not known never raises a level. Weights are of the models as they were released; who serves them is another
question.

MOF is the class by `mof-1.0-tool`, `-` where there is none. OSAID is `osaid-1.0-checklist`. Art. 53(2) is the licence
test `ai-act-53-2`. Index is the sum of the European Open Source AI Index, of 12 (osai-index.eu, CC-BY-4.0).
"""

_COLUMNS = ("model", "weights", "licence", "data", "training code", "MOF", "OSAID", "Art. 53(2)", "index")


def document(catalog: Catalog) -> str:
    """The whole page, as Markdown."""
    return "\n".join(_lines(catalog)) + "\n"


def _lines(catalog: Catalog) -> Iterator[str]:
    found = [(model, assess(model, catalog.licences)) for model in catalog.models.values()]
    yield _HEAD
    for level in (4, 3, 2, 1):
        at_level = [pair for pair in found if pair[1].headline == level]
        if not at_level:
            continue
        yield f"## {level} {HEADLINES[level]}\n"
        yield f"| {' | '.join(_COLUMNS)} |"
        yield f"|{' --- |' * len(_COLUMNS)}"
        yield from (_row(model, assessment) for model, assessment in at_level)
        yield ""
    yield f"## 0 {HEADLINES[0]}\n"
    yield from _listed(model for model, assessment in found if assessment.headline == 0)
    unknown = [model for model, assessment in found if assessment.headline is None]
    if unknown:
        yield "\n## Not known\n\nWhether there are weights is not known.\n"
        yield from _listed(iter(unknown))


def _row(model: ModelRecord, found: Assessment) -> str:
    axes = found.axes
    tool, _, osaid, act, index = found.badges
    licences = " or ".join(name.removeprefix("LicenseRef-isthmus-") for name in model.licence.readings)
    cells = (
        f"{model.id}",
        axes.weights or "?",
        f"{licences} ({axes.licence or '?'})" if licences else "?",
        axes.data or "?",
        axes.train_code or "?",
        _short(tool),
        _short(osaid),
        _short(act),
        _short(index),
    )
    return f"| {' | '.join(cells)} |"


def _listed(models: Iterator[ModelRecord]) -> Iterator[str]:
    yield from (f"- {model.id} ({model.producer.name})" for model in models)


_SHORT = {
    "unknown": "?",
    "unclassified": "-",
    "meets the checklist": "meets it",
    "does not meet the checklist": "does not",
}


def _short(badge: Badge) -> str:
    return _SHORT.get(badge.result, badge.result.removeprefix("class ").removesuffix(" of 12"))


if __name__ == "__main__":
    sys.stdout.write(document(load_catalog()))
