"""What people read: decision first, every figure worked out, no more certain than it is."""

import json
from decimal import Decimal

import msgspec
import pytest
from tests.unit.catalog.advice import small
from tests.unit.catalog.advice.small import TODAY, catalog, question

from isthmus.catalog.advice.advice import Advice, advise
from isthmus.catalog.advice.markdown import markdown
from isthmus.catalog.advice.plain import plain
from isthmus.catalog.advice.question import Question
from isthmus.catalog.advice.report import Page, pages
from isthmus.catalog.advice.span import Span, exactly
from isthmus.catalog.advice.wording import amount, dollars, money
from isthmus.catalog.records.licence import Attribution


def advice(asked: Question) -> Advice:
    return advise(asked, catalog(), TODAY)


def page(asked: Question) -> Page:
    return next(pages(advice(asked)))


def section(asked: Question, title: str) -> str:
    found = json.loads(msgspec.json.encode(plain(advice(asked))))
    (report,) = (part["says"] for part in found["workloads"][0]["report"] if part["title"] == title)
    return "\n".join(row if isinstance(row, str) else json.dumps(row) for row in report)


PATIENTS = question(data=("patient",), capability="summary", skills="some", outage="a-day", languages=("German",))


def test_the_decision_names_side_model_machine_and_cost() -> None:
    decision = page(PATIENTS).decision
    assert decision.startswith("Run it yourself: thirty, on one bought machine: ")
    assert "people included" in decision
    assert "To buy: $" in decision


def test_what_a_condition_costs_is_said_with_the_rule_behind_it() -> None:
    told = section(PATIENTS, "What decides")
    assert "Without patient data in it: nano at lab eu, $5.47 a month. So this condition costs you $" in told
    assert "has signed for it" in told


def test_the_arithmetic_of_a_list_price_can_be_followed() -> None:
    told = section(question(capability="extraction", skills="none"), "The cost")
    assert "1,000 tokens at $0.05 a million, and 200 at $0.1: $0.000070." in told
    assert "$0.000070 · 1,000 calls · 30.4 days = $2.13." in told


def test_where_the_budget_is_ten_times_the_price_money_does_not_decide() -> None:
    asked = question(skills="none", capability="extraction", budget_usd=Decimal(500))
    assert "Begin with eight at host fr, $2.13 a month" in page(asked).decision
    assert "Not the money: " in section(asked, "What decides")


def test_nothing_that_fits_is_said_as_such_with_what_would_be_needed() -> None:
    asked = question(data=("patient",), skills="none")
    assert page(asked).decision.startswith("Nothing fits on the facts that are known.")
    assert "sign an agreement on data processing with Host: thirty at host fr" in section(asked, "Would fit, if you")


def test_where_nothing_fits_there_is_no_empty_list_of_what_is_not_known() -> None:
    asked = question(data=("internal",), skills="none", support="sla")
    assert all(part.blocks for part in page(asked).sections)
    assert "Not known: find out before you rely on it" not in {part.title for part in page(asked).sections}


def test_who_has_secrets_in_it_is_told_that_they_can_be_taken_out() -> None:
    told = section(question(data=("secret",), skills="none"), "Not known: find out before you rely on it")
    assert 'else = "redact"' in told


def test_nothing_at_all_is_said_as_such_too() -> None:
    told = page(question(data=("secret",), skills="none")).decision
    assert told.startswith("Nothing fits. What rules everything out")


def test_patients_texts_are_not_run_on_a_rented_machine_to_measure() -> None:
    assert "made-up texts" in section(PATIENTS, "Not known: find out before you rely on it")
    open_to_all = question(skills="platform-team", capability="extraction", accepted=("eight",), change_weights=True)
    assert "a day of your traffic" in section(open_to_all, "Not known: find out before you rely on it")


def test_a_rule_of_thumb_is_called_one_and_languages_are_not_taken_for_granted() -> None:
    told = section(PATIENTS, "Not known: find out before you rely on it")
    assert "by a rule of thumb (32 against 12 billion parameters), which is no test" in told
    assert "How well it writes German: the catalog does not say." in told
    assert "§ 203 StGB" in told


def test_volumes_beyond_ordinary_accounts_are_to_be_asked_for() -> None:
    told = section(
        question(capability="classification", calls_per_day=10_000_000, skills="none"),
        "Not known: find out before you rely on it",
    )
    assert "Whether Host lets you: " in told


def test_duties_of_the_licence_are_passed_on() -> None:
    shown = Attribution(says="The name must be shown.", place="section 3", sources=("page",), text="Built with Thirty")
    found = catalog(licences=small.licence("open", shown))
    told = markdown(advise(question(skills="none", capability="extraction", use="product"), found, TODAY))
    assert "Its licence (open) asks: " in told


def test_the_board_reads_all_decisions_first() -> None:
    two = msgspec.structs.replace(
        PATIENTS,
        workloads=(
            PATIENTS.workloads[0],
            msgspec.structs.replace(PATIENTS.workloads[0], name="other", data=("public",)),
        ),
    )
    told = markdown(advice(two))
    assert told.index("- **work**:") < told.index("- **other**:") < told.index("## work") < told.index("## other")
    assert "This is no legal advice." in told


def test_everything_is_there_for_programmes() -> None:
    found = json.loads(msgspec.json.encode(plain(advice(PATIENTS))))["workloads"][0]
    assert found["side"] == "own"
    assert found["best"]["model"] == "maker/thirty"
    assert found["decides"][0]["without"] == ["data:patient"]
    assert {row["constraint"] for row in found["ruled_out"]} >= {"data:patient", "licence", "capability"}
    assert all(row["open"] for row in found["would_fit"])


@pytest.mark.parametrize(
    ("value", "shown"),
    [("0.5", "$0.50"), ("9.999", "$10.00"), ("42.4", "$42"), ("1234", "$1,230"), ("98765.4", "$98,800")],
)
def test_money_has_no_more_digits_than_it_deserves(value: str, shown: str) -> None:
    assert dollars(Decimal(value)) == shown


def test_what_is_estimated_is_a_range_and_what_is_listed_is_not() -> None:
    assert money(exactly(Decimal(5))) == "$5.00"
    assert money(Span(Decimal(5), Decimal(50))) == "$5.00 to $50"
    assert amount(Decimal("0.0400")) == "$0.04"
