"""The checklist of the Open Source AI Definition 1.0. It is for learning, not for certifying, and so is this badge.

Needed are data information, the code that prepares data, trains and runs the model with the libraries it needs, and
the architecture, all under licences that the Open Source Initiative approved, and parameters under such terms. All else
is optional.

Source:
    https://opensource.org/ai/open-source-ai-definition and the checklist that goes by the Model Openness Framework.
"""

from __future__ import annotations

from isthmus.catalog.openness.components import Release, title
from isthmus.catalog.openness.open_licences import Licences, osi_approved
from isthmus.catalog.openness.openness import Badge, Part
from isthmus.catalog.records.model import ComponentName, DataState

RULES = "osaid-1.0-checklist"

REQUIRED: tuple[ComponentName, ...] = (
    "data_preprocessing_code",
    "training_code",
    "inference_code",
    "supporting_libraries_and_tools",
    "model_architecture",
    "model_parameters_final",
)

_NOTE = "A checklist for learning; whether data information is detailed enough, people judge."


def badge(release: Release, data: DataState | None, licences: Licences) -> Badge:
    """Whether a release meets the checklist.

    Args:
        release: what is given.
        data: what is given of the training data, at the least; None: not known.
        licences: records by id.
    """
    parts = tuple(release.part(name, osi_approved, licences) for name in REQUIRED)
    failing = [part for part in parts if not part.counts]
    missing = [f"{title(part.component)}: {_says(part)}" for part in failing]
    informed = _data_information(release, data)
    if informed is not True:
        missing.insert(0, f"data information: {'missing' if informed is False else 'unknown'}")
    if not missing:
        result = "meets the checklist"
    elif informed is not False and all(part.unknown for part in failing):
        result = "unknown"
    else:
        result = "does not meet the checklist"
    return Badge(rules=RULES, result=result, missing=tuple(missing), note=_NOTE, parts=parts)


def _data_information(release: Release, data: DataState | None) -> bool | None:
    """Whether a skilled person is told what data there was: by the data itself, or by a data card. None: not known."""
    if data == "open":
        return True
    card = release.components.get("data_card")
    if data == "closed" or (card is not None and card.present in {"no", "partial"}):
        return False
    return True if data is not None and card is not None and card.present == "yes" else None


def _says(part: Part) -> str:
    return part.says.replace("no open licence", "no licence that OSI approved")
