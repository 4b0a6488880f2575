"""The components of a release, as the Model Openness Framework 1.0 counts them, and what is known to be given of each.

Source:
    https://isitopen.ai/ (specification of 2024-12-15) and the tables of its reference tool, lfai/model_openness_tool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from isthmus.catalog.claim import Claim
from isthmus.catalog.openness.open_licences import UNLICENSED, Judge, Licences
from isthmus.catalog.openness.openness import Part, Standing
from isthmus.catalog.records.model import ComponentName, ModelRecord, Presence

Class = Literal["III", "II", "I"]
"""III open model, II open tooling, I open science: each needs all that the one before needs."""

ContentType = Literal["code", "data", "document"]

GlobalKey = Literal["code", "data", "document", "distribution"]

COMPONENTS: tuple[ComponentName, ...] = get_args(ComponentName)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a component is, which class it belongs to, and whether that class needs it."""

    content: ContentType
    of_class: Class
    required: bool = True


KINDS: Mapping[ComponentName, Kind] = {
    "model_architecture": Kind("code", "III"),
    "model_parameters_final": Kind("data", "III"),
    "technical_report": Kind("document", "III"),
    "evaluation_results": Kind("document", "III"),
    "model_card": Kind("document", "III"),
    "data_card": Kind("document", "III"),
    "sample_model_outputs": Kind("document", "III", required=False),
    "training_code": Kind("code", "II"),
    "inference_code": Kind("code", "II"),
    "evaluation_code": Kind("code", "II"),
    "evaluation_data": Kind("data", "II"),
    "supporting_libraries_and_tools": Kind("code", "II", required=False),
    "datasets": Kind("data", "I"),
    "data_preprocessing_code": Kind("code", "I"),
    "model_parameters_intermediate": Kind("data", "I"),
    "research_paper": Kind("document", "I"),
    "model_metadata": Kind("data", "I", required=False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What is known of one component."""

    present: Presence | None
    """None: not known."""
    licences: tuple[str, ...] | None = ()
    """Every reading of its own licence; empty: none is said for it alone; None: not known, and no other stands in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What is known to be given of a model. A component that is not named is not known to be there."""

    components: Mapping[ComponentName, Given]
    global_licences: Mapping[GlobalKey, str] = field(default_factory=dict)

    @classmethod
    def listed(cls, components: Mapping[ComponentName, str], global_licences: Mapping[GlobalKey, str]) -> Release:
        """A release from a full list of its components with their licences: what is not on the list is not there.

        Args:
            components: the licence of each; empty: none is said for it alone.
            global_licences: of all components of a type, or of all.
        """
        given = {
            name: Given(present="yes", licences=(components[name],) if components[name] else ())
            if name in components
            else Given(present="no")
            for name in COMPONENTS
        }
        return cls(components=given, global_licences=global_licences)

    def licences_of(self, name: ComponentName) -> tuple[str, ...]:
        """Under which licences a component is, whichever reading is right; empty: not known.

        The component's own goes first, then that of all components of its type, then that of all.
        """
        given = self.components.get(name)
        if given is None or given.licences is None:
            return ()
        general = self.global_licences.get(KINDS[name].content) or self.global_licences.get("distribution")
        return given.licences or ((general,) if general else ())

    def part(self, name: ComponentName, is_open: Judge, licences: Licences, *, licence_free: bool = False) -> Part:
        """How a component stands.

        Args:
            name: which one.
            is_open: decides on a licence.
            licences: records by id.
            licence_free: whether it counts under whatever licence, and without any.
        """
        given = self.components.get(name)
        under = self.licences_of(name)
        return Part(component=name, standing=_standing(given, under, is_open, licences, licence_free), licences=under)


def _standing(
    given: Given | None, under: tuple[str, ...], is_open: Judge, licences: Licences, licence_free: bool
) -> Standing:
    if given is None or given.present is None:
        return "unknown"
    if given.present == "no":
        return "missing"
    if given.present == "partial":
        return "in part"
    if licence_free:
        return "counts"
    if not under:
        return "licence unknown"
    return "counts" if all(name != UNLICENSED and is_open(name, licences) for name in under) else "no open licence"


def title(name: ComponentName) -> str:
    """The component for people: `model parameters (final)`."""
    words = name.replace("_", " ")
    for word in ("final", "intermediate"):
        words = words.replace(f"parameters {word}", f"parameters ({word})")
    return words


def release_of(model: ModelRecord) -> Release:
    """What a record knows of a release. Where sources disagree, the least that any of them says.

    The licence of the final parameters is that of the model: without it theirs is not known, whatever is said of the
    rest of the release.
    """
    components: dict[ComponentName, Given] = {}
    for name, component in model.components.items():
        own = (component.licence,) if component.licence else ()
        if name == "model_parameters_final":
            readings = model.licence.readings
            components[name] = Given(
                present=_least(component.present), licences=(*own, *readings) if readings else None
            )
        else:
            components[name] = Given(present=_least(component.present), licences=own)
    if model.weights.readings and "none" in model.weights.readings:
        for name in ("model_parameters_final", "model_parameters_intermediate"):
            components.setdefault(name, Given(present="no"))
    return Release(components=components, global_licences=model.global_licences)


_PRESENCE: tuple[Presence, ...] = ("no", "partial", "yes")


def _least(claim: Claim[Presence]) -> Presence | None:
    return min(claim.readings, key=_PRESENCE.index, default=None)
