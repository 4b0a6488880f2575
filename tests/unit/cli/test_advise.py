"""`isthmus advise`, on the catalog that comes along."""

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import typer
from tests.unit.catalog.advice.page import EXAMPLES, PAGE
from tests.unit.ledger.samples import entry
from typer.testing import CliRunner, Result

from isthmus.catalog.advice.advice import advise
from isthmus.catalog.advice.question import question_of, read_question
from isthmus.catalog.advice.report import pages
from isthmus.catalog.advice.settings_lines import settings_lines
from isthmus.catalog.catalog import Catalog, load_catalog
from isthmus.cli.advise import command
from isthmus.domain.errors import InvalidRequest
from isthmus.ledger.store import open_store
from isthmus.ledger.writer import LedgerWriter
from isthmus.settings.reading import read

ROOT = Path(__file__).parents[3]

app = typer.Typer()
app.command()(command)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kept for all tests of this module: reading the records takes a second."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def catalog(cache: Path) -> Catalog:
    return load_catalog(cache_dir=cache / "isthmus")


@pytest.fixture
def config(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "80")
    file = tmp_path / "isthmus.toml"
    file.write_text(
        '[offers.home]\nmodel = "smollm2-135m-instruct"\nprovider = "embedded"\n\n'
        '[workloads.default]\noffers = ["home"]\n\n[organisation]\nseat = "FR"\n'
    )
    return file


def run(config: Path, *arguments: str, said: str | None = None) -> Result:
    return CliRunner().invoke(app, ["--config", str(config), *arguments], input=said, catch_exceptions=False)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_report_fits_eighty_columns_and_says_the_decision_first(config: Path, file: Path) -> None:
    shown = run(config, "--from", str(file)).stdout
    head = shown.split("What decides")[0]
    assert re.search(r"Run it yourself|Buy it as a service", head)
    words = [line for line in shown.splitlines() if not line.startswith("    ")]  # commands and settings are never cut
    assert max(map(len, words)) <= 80


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_page_says_what_is_advised(catalog: Catalog, file: Path) -> None:
    """Where it does not, make the page anew: `python -m tests.unit.catalog.advice.page`."""
    page = PAGE.read_text()
    made_on = date.fromisoformat(re.findall(r"Made on (\S+) from catalog", page)[0])
    told = " ".join(page.split())
    for found in pages(advise(read_question(file), catalog, made_on)):
        assert found.decision in told


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_lines_for_the_settings_can_be_used(catalog: Catalog, file: Path, tmp_path: Path) -> None:
    question = read_question(file)
    (answer,) = advise(question, catalog, date(2026, 11, 21)).answers
    settings = tmp_path / "isthmus.toml"
    settings.write_text(settings_lines(answer, question))
    environ = {"HOME": str(tmp_path), "OPENAI_API_KEY": "x", "ANTHROPIC_API_KEY": "x", "MISTRAL_API_KEY": "x"}
    found = read(settings, environ=environ, ports={})
    assert set(found.workloads) == {answer.workload.name}


def test_contracts_change_the_answer_for_the_hospital_as_the_page_says(catalog: Catalog) -> None:
    shown = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (contracts,) = (text for text in shown if "organisation.contracts" in text)
    hospital = (ROOT / "docs/how-to/examples/advice/hospital.toml").read_text()
    text = f"{hospital}\n{contracts}".replace("…", "0" * 64)
    (answer,) = advise(question_of(text, "hospital.toml"), catalog, date(2026, 11, 21)).answers
    assert answer.side in {"hosted", "closed"}
    assert answer.best is not None
    assert answer.best.operator == "aws"


def test_json_has_all_of_it(config: Path) -> None:
    found = json.loads(run(config, "--from", str(EXAMPLES[0]), "--json").stdout)
    (workload,) = found["workloads"]
    assert workload["best"] is not None
    assert len(workload["fits"]) + len(workload["would_fit"]) > 50


def test_flags_are_enough_for_one_workload(config: Path) -> None:
    found = json.loads(
        run(config, "--calls", "100", "--for", "extraction", "--data", "personal,internal", "--json").stdout
    )
    asked = found["question"]
    assert asked["organisation"]["seat"] == "FR"  # as the settings say
    assert asked["workloads"][0]["data"] == ["personal", "internal"]
    assert asked["workloads"][0]["calls_per_day"] == 100


@pytest.mark.parametrize("flags", [("--data", "medical"), ("--for", "poetry"), ("--skills", "many"), ("--seat", "ZZ")])
def test_flags_that_are_none_are_named(config: Path, flags: tuple[str, str]) -> None:
    with pytest.raises(InvalidRequest, match=flags[1]):
        run(config, "--calls", "100", *flags)


def test_options_beside_a_file_are_not_silently_dropped(config: Path) -> None:
    assert run(config, "--from", str(EXAMPLES[0]), "--budget", "10").exit_code == 2


def test_a_report_that_cannot_be_written_is_an_error_of_ours(config: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot be written"):
        run(config, "--calls", "100", "--markdown", str(tmp_path / "none" / "board.md"))


def test_without_anything_and_without_a_terminal_it_says_what_it_needs(config: Path) -> None:
    with pytest.raises(InvalidRequest, match="nothing to advise on"):
        run(config)


def test_in_a_terminal_it_asks(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.cli.advise._at_a_terminal", lambda: True)
    answers = "US\nclassification\npublic\n\n5000\n400\n10\n\n\nplatform\nplatform-team\n"
    shown = run(config, said=answers).stdout
    assert "platform is none of them." in shown
    assert "classification, 5,000 calls a day, 400 tokens in and 10 out each, public" in shown


def test_a_report_is_written_for_others(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "board.md"
    run(config, "--from", str(EXAMPLES[0]), "--markdown", str(file))
    assert file.read_text().startswith("# Open or closed: ")


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    """Three answers of workload `triage`, and one request that was refused."""
    store = open_store(f"sqlite:///{tmp_path}/ledger.db")
    now = datetime.now(UTC)
    with LedgerWriter(store) as writer:
        for number in range(3):
            writer.settled(entry(f"req-{number}", began=now, workload="triage"))
        writer.settled(entry("req-refused", began=now, workload="triage", outcome="refused", usage=None, cost=None))
    return f"sqlite:///{store.path}"


def test_calls_and_tokens_are_taken_from_the_ledger_and_that_is_said(config: Path, ledger: str) -> None:
    found = json.loads(run(config, "--workload", "triage", "--store", ledger, "--json").stdout)
    (asked,) = found["question"]["workloads"]
    assert found["measured"]["requests"] == 3
    assert asked["input_tokens"] == 700
    assert asked["output_tokens"] == 120
    assert asked["cached_share"] == pytest.approx(200 / 700)
    shown = run(config, "--workload", "triage", "--store", ledger).stdout
    assert shown.startswith("From the ledger: 3 answers of triage in ")


def test_a_workload_that_the_ledger_has_not_is_an_error(config: Path, ledger: str) -> None:
    with pytest.raises(InvalidRequest, match="no answers of workload 'poems'"):
        run(config, "--workload", "poems", "--store", ledger)


def test_a_workload_that_the_file_has_not_is_an_error(config: Path, ledger: str) -> None:
    hospital = str(ROOT / "docs/how-to/examples/advice/hospital.toml")
    with pytest.raises(InvalidRequest, match="it has letters"):
        run(config, "--from", hospital, "--workload", "triage", "--store", ledger)
