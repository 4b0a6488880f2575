import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from isthmus.cli import scan
from isthmus.cli.main import app
from isthmus.domain.errors import ConfigError, InvalidRequest
from isthmus.domain.finding import Finding, Tier

SETTINGS = """
[offers.home]
model    = "smollm2-135m-instruct"
provider = "embedded"

[labels.pii]
detect  = ["email", "phone"]
needs   = { side = ["own"] }
implies = ["internal"]

[labels.internal]
needs = { side = ["own"] }

[labels.phi]
detect = ["medical"]
needs  = { side = ["own"] }
"""
LETTER = "Dear all,\nwrite to maria.lopez@example.org or +49 30 901820.\n"
ILLNESS = "My daughter has epilepsy.\n"
ACCOUNT = "DE89 3704 0044 0532 0130 00"


class Place:
    def __init__(self, folder: Path) -> None:
        self.files = folder / "files"
        self.out = folder / "out"
        self.files.mkdir()
        self.settings = folder / "isthmus.toml"
        self.settings.write_text(SETTINGS)

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.files / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def run(self, *arguments: object) -> Result:
        given = ["scan", *map(str, arguments), "--config", str(self.settings)]
        return CliRunner(env={"COLUMNS": "140"}).invoke(app, given, catch_exceptions=False)

    def told(self, *arguments: object) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_kinds_labels_and_places_are_told_and_never_the_text(place: Place) -> None:
    place.write("letter.txt", LETTER + ILLNESS)
    place.write("clean.md", "Nothing to see.\n")
    result = place.run(place.files)
    assert result.exit_code == 0
    assert f"{place.files}/letter.txt: internal, phi, pii\n" in result.stdout
    assert "  email: 1 at 2:10\n" in result.stdout
    assert "  condition: 1 at 3:17\n" in result.stdout
    assert "1 with findings, 1 without, 0 skipped, 0 failed." in result.stdout
    assert not any(word in result.stdout for word in ("maria", "901820", "epilepsy", "daughter"))


def test_programmes_are_told_the_same(place: Place) -> None:
    path = place.write("letter.txt", LETTER)
    assert place.told(path) == {
        "documents": [
            {
                "path": str(path),
                "labels": ["internal", "pii"],
                "kinds": {"email": 1, "phone": 1},
                "findings": [
                    {"kind": "email", "labels": ["pii"], "line": 2, "column": 10},
                    {"kind": "phone", "labels": ["pii"], "line": 2, "column": 37},
                ],
            }
        ],
        "skipped": [],
        "failed": [],
    }


def test_what_is_found_fails_only_where_that_is_asked_for(place: Place) -> None:
    found, clean = place.write("letter.txt", LETTER), place.write("clean.txt", "Nothing to see.")
    assert [place.run(path, "--fail-on-findings").exit_code for path in (found, clean)] == [1, 0]
    assert place.run(found).exit_code == 0


def test_one_label_can_be_looked_for_alone(place: Place) -> None:
    path = place.write("letter.txt", LETTER + ILLNESS)
    (document,) = place.told(path, "--label", "phi")["documents"]
    assert set(document["kinds"]) == {"condition"}


@pytest.mark.parametrize("name", ["nope", "internal"])
def test_a_label_that_nothing_is_detected_for_is_refused(place: Place, name: str) -> None:
    path = place.write("letter.txt", LETTER)
    with pytest.raises(InvalidRequest, match=f"'{name}'"):
        place.run(path, "--label", name)


def test_where_no_label_says_what_to_detect_every_rule_looks(place: Place) -> None:
    place.settings.write_text(SETTINGS[: SETTINGS.index("[labels.pii]")])
    path = place.write("account.txt", f"Pay to {ACCOUNT}.")
    (document,) = place.told(path)["documents"]
    assert (document["kinds"], document["labels"]) == ({"iban": 1}, [])


def test_copies_lie_as_the_documents_do_with_what_was_found_taken_out(place: Place) -> None:
    place.write("inner/letter.txt", LETTER)
    place.write("page.html", "<html><body><p>Call +49 30 901820</p></body></html>")
    result = place.run(place.files, "--redact", place.out)
    assert result.exit_code == 0, result.output
    assert (place.out / "files/inner/letter.txt").read_text() == "Dear all,\nwrite to [EMAIL] or [PHONE].\n"
    assert (place.out / "files/page.html.txt").read_text().strip() == "Call [PHONE]"


def test_what_cannot_be_taken_out_is_told_and_no_copy_is_left(place: Place) -> None:
    path = place.write("record.txt", LETTER + ILLNESS)
    result = place.run(path, "--redact", place.out)
    assert result.exit_code == 1
    assert "could not be taken out: condition at 3:17" in result.stdout
    assert not place.out.exists()
    (document,) = place.told(path, "--redact", place.out)["documents"]
    assert document["copy"] is None
    assert document["could_not_be_taken_out"] == [{"kind": "condition", "line": 3, "column": 17}]


def test_a_copy_replaces_no_file(place: Place) -> None:
    path = place.write("letter.txt", LETTER)
    place.out.mkdir()
    (place.out / "letter.txt").write_text("mine")
    result = place.run(path, "--redact", place.out)
    assert result.exit_code == 1
    assert "is there already" in result.stdout
    assert (place.out / "letter.txt").read_text() == "mine"


def test_a_file_that_cannot_be_read_is_an_error_where_it_was_named(place: Place) -> None:
    image = place.write("image.png", b"\x89PNG\0\0")
    within, named = place.run(place.files), place.run(image)
    assert f"{image}: skipped, it is none of text" in within.stdout
    assert (within.exit_code, named.exit_code) == (0, 1)


class Deep:
    """A detector off the road: finds one name, or fails and quotes what it read."""

    name = "presidio"
    tier: Tier = "deep"
    kinds = frozenset({"deep_person"})

    def find(self, texts: Sequence[str]) -> Sequence[Sequence[Finding]]:
        (text,) = texts
        if "epilepsy" in text:
            raise ValueError(text)
        at = text.find("Maria Lopez")
        return [[Finding("deep_person", at, at + 11)] if at >= 0 else []]


def test_deep_detectors_look_only_when_asked(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "deep_detectors", lambda: (Deep(),))
    path = place.write("name.txt", "Thanks, Maria Lopez!")
    assert place.told(path)["documents"][0]["kinds"] == {}
    assert place.told(path, "--deep", "--redact", place.out)["documents"][0]["kinds"] == {"deep_person": 1}
    assert (place.out / "name.txt").read_text() == "Thanks, [PERSON]!"


def test_a_document_that_a_detector_failed_on_does_not_count_as_clean(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "deep_detectors", lambda: (Deep(),))
    path = place.write("record.txt", ILLNESS)
    result = place.run(path, "--deep", "--redact", place.out)
    assert result.exit_code == 1
    assert f"{path}: failed, the detector presidio failed (ValueError)" in result.stdout
    assert "epilepsy" not in result.output
    assert not place.out.exists()


def test_deep_without_presidio_says_what_to_install(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    with pytest.raises(ConfigError, match="presidio-analyzer"):
        place.run(place.write("letter.txt", LETTER), "--deep")
