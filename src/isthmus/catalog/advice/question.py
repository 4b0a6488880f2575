"""What an organisation is asked before it is given advice: who it is, and what it wants to use models for.

Everything has a default that most would choose, except what nobody else can know: how much there is to do, and what
kind of data is in it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec

from isthmus.catalog.organisation import Organisation
from isthmus.catalog.places import is_place
from isthmus.domain.errors import ConfigError
from isthmus.domain.licensing import Use

DataClass = Literal["public", "internal", "personal", "patient", "privileged", "secret"]
"""public: anybody may read it; internal: the business's own; personal: about people; patient: about their health;
privileged: under professional secrecy of lawyers; secret: keys, passwords, what must never be seen."""

DATA_CLASSES: tuple[DataClass, ...] = get_args(DataClass)

Capability = Literal["classification", "extraction", "summary", "chat", "coding", "agentic"]

CAPABILITIES: tuple[Capability, ...] = get_args(Capability)

Skills = Literal["none", "some", "platform-team"]
"""none: nobody runs servers; some: people who do, in office hours; platform-team: people on call day and night."""

SKILLS: tuple[Skills, ...] = get_args(Skills)

Support = Literal["none", "contract", "sla"]
"""What a supplier must give: nothing; a contract to hold it to; a promise of availability in writing."""

SUPPORT: tuple[Support, ...] = get_args(Support)

Outage = Literal["a-day", "hours", "minutes"]
"""How long it may stand still."""

OUTAGES: tuple[Outage, ...] = get_args(Outage)

Positive = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Workload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests of one purpose."""

    name: str
    purpose: str = ""
    """In a few words, for the report."""
    capability: Capability = "chat"
    data: tuple[DataClass, ...] = ("internal",)
    """Every kind that can be in it; what holds for each of them must be met."""
    calls_per_day: Positive
    input_tokens: Positive
    """Of one call, on average."""
    output_tokens: Positive
    """Of one call, on average; what a model thinks aloud is a part of it."""
    cached_share: Share = 0.0
    """Of the input, the part that is the same in call after call, and that providers charge less for."""
    answer_within_s: Positive = 30
    """Seconds an answer may take, the whole of it."""
    active_hours: Annotated[float, msgspec.Meta(gt=0, le=24)] | None = None
    """Hours of the day in which the calls come. None: twelve where somebody waits for the answer, else all."""
    input: tuple[Literal["text", "image", "audio"], ...] = ("text",)
    tools: bool = False
    """Whether the model must call tools; `agentic` implies it."""
    languages: tuple[str, ...] = ()
    """For the report: the catalog does not know how well a model writes a language."""
    use: Use = "internal"
    change_weights: bool = False
    """Whether the model must be trained further."""
    examples: bool = False
    """Whether there are a few thousand examples with the right answer, with which a small model can be trained."""
    openness_min: Annotated[int, msgspec.Meta(ge=0, le=4)] | None = None
    """How open the model must be at least, as `isthmus catalog openness` counts: 2 open weights, 4 fully open."""
    outage: Outage = "hours"
    support: Support = "none"
    budget_usd: Decimal | None = None
    """Dollars a month. None: no limit is said."""
    regions: tuple[str, ...] = ()
    """Where it must be processed, whatever the data: codes of countries, `EU` or `EEA`. Empty: as the data asks."""
    accepted: tuple[str, ...] = ()
    """Models that were tried on one's own work and are good enough, whatever the rule of thumb says."""
    refused: tuple[str, ...] = ()
    """Models that were tried and are not."""
    quality_min: Share | None = None
    """On the scale of `quality`. None: the rule of thumb decides."""
    quality: Mapping[str, Share] = {}
    """By model: what was measured on one's own work."""

    @property
    def waits(self) -> bool:
        """Whether somebody sits there and waits for the answer."""
        return self.answer_within_s <= 60

    @property
    def needs_tools(self) -> bool:
        return self.tools or self.capability == "agentic"


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that the advice is made from, besides the catalog."""

    organisation: Organisation
    skills: Skills = "none"
    premises: bool = True
    """Whether there is a room of one's own where a server can stand."""
    staff_usd_hour: Decimal | None = None
    """What an hour of one's own people costs. None: as in `hardware.toml`."""
    workloads: tuple[Workload, ...]


def read_question(file: Path) -> Question:
    """The question that a file asks.

    Raises:
        ConfigError: the file cannot be read, or is not one; names the field.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{file} cannot be read: {exc}.") from exc
    return question_of(text, str(file))


def question_of(text: str, where: str) -> Question:
    """The question of a TOML text, whose `[workloads.NAME]` are tables.

    Raises:
        ConfigError: it is not one; names the field.
    """
    try:
        values = tomllib.loads(text)
        workloads = values.pop("workloads", {})
        if not isinstance(workloads, dict) or not workloads:
            raise ConfigError(f"{where}: it has no workload.", hint="Write at least one [workloads.NAME].")
        named = [
            {"name": name, **row} if isinstance(row, dict) else row  # what is no table, msgspec says below
            for name, row in workloads.items()
        ]
        question = msgspec.convert({**values, "workloads": named}, Question)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as exc:
        raise ConfigError(f"{where}: {exc}.") from exc
    if problems := tuple(problems_of(question)):
        raise ConfigError(f"{where}: {'; '.join(problems)}.")
    return question


def problems_of(question: Question) -> list[str]:
    """What is wrong with it that its types cannot say."""
    seat = question.organisation.seat
    found = [f"organisation.seat {seat!r} is no country"] if seat is not None and not is_place(seat) else []
    amounts = {"staff_usd_hour": question.staff_usd_hour}
    amounts |= {f"workloads.{workload.name}.budget_usd": workload.budget_usd for workload in question.workloads}
    found += [f"{name} is below nothing" for name, amount in amounts.items() if amount is not None and amount < 0]
    for workload in question.workloads:
        found += [
            f"workloads.{workload.name}.regions: {place!r} is no country, nor EU or EEA"
            for place in workload.regions
            if not is_place(place)
        ]
        if not workload.data:
            found.append(f"workloads.{workload.name}.data is empty: say public where anybody may read it")
    return found
