"""The file that a question is asked in."""

from decimal import Decimal
from pathlib import Path

import pytest

from isthmus.catalog.advice.question import Question, Workload, question_of, read_question
from isthmus.catalog.organisation import Organisation
from isthmus.domain.errors import ConfigError

EXAMPLES = Path(__file__).parents[4] / "docs/how-to/examples/advice"

LEAST = """
[organisation]
seat = "DE"

[workloads.letters]
calls_per_day = 10
input_tokens = 100
output_tokens = 20
"""


def test_only_the_volume_has_to_be_said() -> None:
    (workload,) = question_of(LEAST, "a.toml").workloads
    assert (workload.name, workload.capability) == ("letters", "chat")
    assert (workload.data, workload.outage) == (("internal",), "hours")


def test_money_keeps_its_digits() -> None:
    (workload,) = question_of(f"{LEAST}budget_usd = 499.90\n", "a.toml").workloads
    assert workload.budget_usd == Decimal("499.90")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[organisation]\nseat = 'DE'\n", "no workload"),
        (LEAST.replace("day = 10", "day = 0"), "calls_per_day"),
        (LEAST + 'data = ["medical"]\n', "medical"),
        (LEAST + "data = []\n", "say public"),
        (LEAST + 'regions = ["Bavaria"]\n', "'Bavaria' is no country"),
        (LEAST.replace('"DE"', '"Germany"'), "'Germany' is no country"),
        (LEAST + "callz = 1\n", "callz"),
        (LEAST + "budget_usd = -1\n", "below nothing"),
        (LEAST + "active_hours = 25\n", "active_hours"),
        ("workloads = 3\n", "no workload"),
        ("[workloads]\nletters = 3\n", "workloads"),
        ("x = [", "a.toml"),
    ],
)
def test_what_is_wrong_is_named(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=r"a\.toml") as caught:
        question_of(text, "a.toml")
    assert problem in caught.value.sentence


def test_a_file_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_question(tmp_path / "none.toml")


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.toml")), ids=lambda file: file.stem)
def test_the_examples_can_be_read(file: Path) -> None:
    assert read_question(file).workloads


def test_every_key_has_its_line_in_the_reference() -> None:
    page = (EXAMPLES.parents[2] / "reference/advice-files.md").read_text()
    fields = {*Workload.__struct_fields__, *Question.__struct_fields__, *Organisation.__struct_fields__}
    fields -= {"name", "workloads", "organisation", "contracts"}  # sections
    assert {field for field in fields if f"`{field}`" not in page} == set()
