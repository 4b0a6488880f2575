"""The report of duties."""

from __future__ import annotations

from datetime import date

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.licensing.check import licence_check
from isthmus.catalog.licensing.notice import notice_report
from isthmus.catalog.organisation import Organisation
from isthmus.domain.licensing import Use

TODAY = date(2026, 11, 21)
ASKING = Organisation(seat="US", monthly_users=1_000)


def report(catalog: Catalog, *asked: tuple[str, Use], asking: Organisation = ASKING) -> str:
    verdicts = [licence_check(catalog.models[model], asking, use, catalog=catalog, today=TODAY) for model, use in asked]
    return notice_report(verdicts, catalog, today=TODAY)


def section(text: str, heading: str) -> str:
    return text.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def test_it_has_what_is_shown_what_names_begin_with_and_the_lines_that_are_prescribed(catalog: Catalog) -> None:
    text = report(catalog, ("meta/llama-3.3-70b", "redistribute"), ("google/gemma-3-27b", "redistribute"))
    assert "> Built with Llama\n" in section(text, "To be shown to users")
    assert "> Llama\n" in section(text, "Names that must begin so")
    lines = section(text, "Lines for the Notice file")
    assert "> Llama 3.3 is licensed under the Llama 3.3 Community License," in lines
    assert "> Gemma is provided under and subject to the Gemma Terms of Use" in lines
    copies = section(text, "Licences to hand on a copy of")
    assert (
        "For meta/llama-3.3-70b (Llama 3.3 Community License Agreement, sections 1.b.i and 1.b.iii, https://" in copies
    )
    assert "google/gemma-3-27b" in section(text, "Restrictions to bind others to")
    assert "https://ai.google.dev/gemma/prohibited_use_policy" in section(text, "Use policies to keep")


def test_a_duty_of_several_models_is_told_once(catalog: Catalog) -> None:
    text = report(catalog, ("meta/llama-4-scout", "product"), ("meta/llama-4-maverick", "product"))
    assert text.count("> Built with Llama\n") == 1
    assert "For meta/llama-4-scout, meta/llama-4-maverick (" in text


def test_what_is_not_allowed_comes_first_and_has_no_duties_if_it_is_forbidden(catalog: Catalog) -> None:
    german = Organisation(seat="DE", monthly_users=1)
    text = report(catalog, ("meta/llama-4-scout", "internal"), ("meta/llama-4-scout", "product"), asking=german)
    barred = section(text, "Not allowed, or not known to be")
    assert barred.count("forbidden.") == 1
    assert "letting one's own people use it and building it into a product: forbidden." in barred
    assert "Built with Llama" not in text


def test_what_needs_an_agreement_keeps_its_duties(catalog: Catalog) -> None:
    text = report(catalog, ("minimax/m2.7", "product"))
    assert "needs-agreement." in section(text, "Not allowed, or not known to be")
    assert "> Built with MiniMax M2.7\n" in text


def test_where_nothing_has_to_be_done_it_says_so(catalog: Catalog) -> None:
    text = report(catalog, ("qwen/qwen3-32b", "internal"))
    assert text.endswith("\nNothing has to be done.\n")
    assert f"Made on 2026-11-21 from catalog {catalog.version}. A list to work from, and no legal advice." in text
