"""Thirty questions, answered by reading the licences, and held against what the programme says.

Each answer names the clause it rests on. The table of them is in docs/explanation/licences.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.licensing.check import licence_check
from isthmus.catalog.organisation import Organisation
from isthmus.catalog.records.licence import AnyClause
from isthmus.domain.licensing import Outcome, Use

TODAY = date(2026, 11, 21)
PAGE = Path(__file__).parents[4] / "docs" / "explanation" / "licences.md"

HOSPITAL = Organisation(
    name="Hospital group",
    seat="DE",
    revenue_year_usd=Decimal(440_000_000),
    monthly_users=200_000,
    model_service=False,
    work_assistant=False,
)
"""400 million euros a year, so about 37 million dollars a month. Its own staff use the model."""
START_UP = Organisation(
    name="Start-up",
    seat="US",
    revenue_year_usd=Decimal(150_000),
    monthly_users=3_000,
    model_service=False,
    work_assistant=False,
)
"""Two people, a product."""
GROUP = Organisation(
    name="Group",
    seat="FR",
    revenue_year_usd=Decimal(10_000_000_000),
    monthly_users=150_000_000,
    model_service=True,
    work_assistant=False,
)
"""Ten billion dollars a year, exactly; offers the model to others as a service."""

ASKERS: tuple[tuple[Organisation, Use], ...] = (
    (HOSPITAL, "internal"),
    (START_UP, "product"),
    (GROUP, "hosted-service"),
)


@dataclass(frozen=True)
class Answer:
    outcome: Outcome
    clause: str
    place: str
    duties: tuple[str, ...] = ()
    """Kinds, with the text where one is prescribed."""


def allowed(place: str) -> Answer:
    return Answer("allowed", "grant", place)


def forbidden(clause: str, place: str) -> Answer:
    return Answer("forbidden", clause, place)


POLICY_OF_LLAMA = Answer("allowed-with-duties", "use_policy", "section 1.b.iv", ("use_policy",))
LLAMA_SHOWN = Answer(
    "allowed-with-duties", "use_policy", "section 1.b.iv", ("use_policy", "attribution: Built with Llama")
)
NO_LLAMA_4_IN_THE_EU = forbidden("territory_exclusion", "Acceptable Use Policy, paragraph on multimodal models")
GEMMA_SHOWN = Answer("allowed-with-duties", "use_policy", "section 3.2", ("use_policy", "licence_copy", "pass_on"))
ABOVE_THE_LIMIT_OF_MISTRAL = forbidden("revenue_cap", "paragraph on revenue")
M27_IS_NOT_FOR_BUSINESS = Answer("needs-agreement", "commercial_use", "sections 3 and 4")

ANSWERS: dict[str, tuple[Answer, Answer, Answer]] = {
    # No limit of size, place or business.
    "qwen/qwen3-32b": (allowed("sections 2 and 3"), allowed("sections 2 and 3"), allowed("sections 2 and 3")),
    # All three are below 700 million users, and Llama 3.3 takes text alone, so seats in the EU do not matter.
    "meta/llama-3.3-70b": (POLICY_OF_LLAMA, LLAMA_SHOWN, LLAMA_SHOWN),
    # Every Llama 4 takes images: nothing is granted to who sits in Germany or France.
    "meta/llama-4-scout": (NO_LLAMA_4_IN_THE_EU, LLAMA_SHOWN, NO_LLAMA_4_IN_THE_EU),
    # To Gemma's terms, web access to a product is distribution, as a hosted service is.
    "google/gemma-3-27b": (
        Answer("allowed-with-duties", "use_policy", "section 3.2", ("use_policy",)),
        GEMMA_SHOWN,
        GEMMA_SHOWN,
    ),
    # 37 and 833 million dollars a month are above 20 million, and then there are no rights at all.
    "mistralai/devstral-2-123b": (ABOVE_THE_LIMIT_OF_MISTRAL, allowed("first paragraph"), ABOVE_THE_LIMIT_OF_MISTRAL),
    # 150 million users are above 100 million.
    "qwen/qwen2.5-72b": (
        allowed("section 2"),
        allowed("section 2"),
        Answer("needs-agreement", "user_cap", "section 4, restrictions"),
    ),
    # A model service needs a licence at any size; what stays inside is exempt. The group's size makes the name a duty.
    "qwen/qwen3.8-flash-next": (
        allowed("first paragraph"),
        allowed("first paragraph"),
        Answer("needs-agreement", "field_exclusion", "section 2", ("attribution",)),
    ),
    # A model service with more than 20 million dollars a year needs an agreement; internal use is exempt.
    "moonshot/kimi-k3": (
        allowed("section 1"),
        allowed("section 1"),
        Answer("needs-agreement", "revenue_cap", "section 2", ("attribution: Kimi K3",)),
    ),
    # Business of any size needs an authorisation. An earlier tag said otherwise; the stricter reading counts.
    "minimax/m2.7": (M27_IS_NOT_FOR_BUSINESS, M27_IS_NOT_FOR_BUSINESS, M27_IS_NOT_FOR_BUSINESS),
    # The review is for model services with more than ten billion dollars a year; ten billion are not more.
    "zai/glm-5.3": (allowed("section 1"), allowed("section 1"), allowed("section 1")),
}

QUESTIONS = [
    pytest.param(model, organisation, use, answer, id=f"{model}-{organisation.name}")
    for model, answers in ANSWERS.items()
    for (organisation, use), answer in zip(ASKERS, answers, strict=True)
]


def kind_of(clause: AnyClause) -> str:
    return str(clause.__struct_config__.tag)


def test_there_are_thirty_questions() -> None:
    assert len(QUESTIONS) == 30


@pytest.mark.parametrize(("model", "organisation", "use", "answer"), QUESTIONS)
def test_a_question_has_the_answer_that_reading_the_licence_gives(
    model: str, organisation: Organisation, use: Use, answer: Answer, catalog: Catalog
) -> None:
    verdict = licence_check(catalog.models[model], organisation, use, catalog=catalog, today=TODAY)
    first = verdict.grounds[0]
    kinds = {
        kind_of(clause)
        for clause in catalog.licences[first.record].clauses
        if clause.place == first.place and first.says.startswith(clause.says)
    }
    assert (verdict.outcome, kinds, first.place) == (answer.outcome, {answer.clause}, answer.place)
    told = {f"{duty.kind}: {duty.text}" if duty.text else duty.kind for duty in verdict.duties}
    assert set(answer.duties) <= told
    if answer.outcome == "allowed":
        assert not told
    assert first.url.startswith("https://")
    assert first.read_on is not None


def test_a_dollar_more_and_a_review_is_needed(catalog: Catalog) -> None:
    bigger = msgspec.structs.replace(GROUP, revenue_year_usd=Decimal(10_000_000_001))
    verdict = licence_check(catalog.models["zai/glm-5.3"], bigger, "hosted-service", catalog=catalog, today=TODAY)
    assert (verdict.outcome, verdict.grounds[0].place) == ("needs-agreement", "section 2")


def test_the_changed_licence_is_told_as_a_conflict(catalog: Catalog) -> None:
    verdict = licence_check(catalog.models["minimax/m2.7"], START_UP, "product", catalog=catalog, today=TODAY)
    assert verdict.conflict == (
        "Sources disagree on the licence: Non-Commercial License of MiniMax M2.7 (needs-agreement), "
        "Modified MIT License of MiniMax M2.5 (allowed-with-duties). The stricter reading counts."
    )


WORDS: dict[Outcome, str] = {
    "allowed": "allowed",
    "allowed-with-duties": "allowed, with duties",
    "needs-agreement": "needs an agreement",
    "forbidden": "forbidden",
    "unknown": "unknown",
}


def table(catalog: Catalog) -> str:
    """The answers as a table in Markdown."""
    head = "| licence (model) | hospital, internal | start-up, product | group, hosted service |"
    lines = [head, "|---|---|---|---|"]
    for model, answers in ANSWERS.items():
        licence = catalog.licences[str(catalog.models[model].licence.value)].title
        cells = [f"{WORDS[answer.outcome]}: {answer.clause.replace('_', ' ')}, {answer.place}" for answer in answers]
        lines.append(f"| {licence} ({model}) | {' | '.join(cells)} |")
    return "\n".join(lines)


def test_the_page_has_the_same_answers(catalog: Catalog) -> None:
    assert table(catalog) in PAGE.read_text(encoding="utf-8")
