import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from isthmus.cli.documents import app
from isthmus.domain.errors import InvalidRequest
from isthmus.ledger.fingerprints import FingerprintFile, installation_key, key_file, lineage_file, lineage_key
from isthmus.perimeter.lineage import Lineage

RECORD = (
    "Maria Gonzalez-Ruiz, born 4 March 1961, was admitted on Tuesday night with chest pain and shortness of breath. "
    "Troponin was raised; she is on apixaban 5 mg twice daily since her atrial fibrillation was found in 2019."
)
PROMPT = "You are the assistant of a ward. Sum up what you are given in five sentences, for a doctor who has no time. "


class Place:
    def __init__(self, folder: Path) -> None:
        self.store = folder / "isthmus.db"
        self.files = folder / "files"
        self.files.mkdir()

    def run(self, *arguments: object) -> Result:
        given = [*map(str, arguments), "--store", f"sqlite:///{self.store}"]
        return CliRunner(env={"COLUMNS": "140"}).invoke(app, given, catch_exceptions=False)

    def shown(self, *arguments: object) -> str:
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return result.output

    def told(self, *arguments: object) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)

    def recalled(self, text: str, tenant: str = "default") -> set[tuple[str, str]]:
        kept = FingerprintFile(lineage_file(self.store))
        key = lineage_key(installation_key(key_file(self.store)))
        found = Lineage(kept, key, clock=time.time).recall(tenant, [text])[0]
        kept.close()
        return {(one.label, one.origin) for one in found}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_folder_of_documents_is_registered_listed_and_forgotten(place: Place) -> None:
    (place.files / "record.md").write_text(f"# Record\n\n{RECORD}")
    (place.files / "image.png").write_bytes(b"\x89PNG\0\0")
    (place.files / "short.txt").write_text("short")
    shown = place.shown("add", "--label", "phi", place.files)
    assert f"{place.files}/record.md: label phi, " in shown
    assert f"{place.files}/image.png: skipped, it is none of text" in shown
    assert f"{place.files}/short.txt: skipped, it is too short to be recognised" in shown
    assert "1 document registered, 2 skipped." in shown
    assert place.recalled(RECORD.upper()) == {("phi", f"document {place.files}/record.md")}
    assert "record.md" in place.shown("list")
    assert "is forgotten, with its" in place.shown("forget", f"{place.files}/")
    assert place.recalled(RECORD) == set()
    assert "No documents are registered." in place.shown("list")
    assert RECORD[:20].encode() not in b"".join(path.read_bytes() for path in place.store.parent.glob("*.db*"))


def test_all_of_it_is_told_to_programmes_too(place: Place) -> None:
    (place.files / "record.md").write_text(RECORD)
    (place.files / "bad").write_bytes(b"\0")
    added = place.told("add", "--label", "phi", "--tenant", "acme", place.files)
    (registered,) = added["registered"]
    name = f"{place.files}/record.md"
    assert registered == {"name": name, "label": "phi", "fingerprints": registered["fingerprints"], "replaced": False}
    assert added["skipped"] == [
        {"path": f"{place.files}/bad", "reason": "it is none of text, Markdown, HTML, PDF and DOCX"}
    ]
    assert place.told("add", "--label", "phi", "--tenant", "acme", place.files)["registered"][0]["replaced"]
    (listed,) = place.told("list", "--tenant", "acme")
    assert (listed["name"], listed["label"], listed["harmless"]) == (name, "phi", False)
    assert place.told("list") == []
    assert place.recalled(RECORD, "acme") == {("phi", f"document {name}")}
    assert place.recalled(RECORD) == set()
    forgotten = place.told("forget", name, "--tenant", "acme")
    assert forgotten == [{"name": name, "fingerprints": registered["fingerprints"]}]


def test_a_document_may_be_given_a_name(place: Place) -> None:
    (place.files / "record.md").write_text(RECORD)
    place.shown("add", "--label", "phi", "--name", "the record", place.files / "record.md")
    assert place.recalled(RECORD) == {("phi", "document the record")}
    (place.files / "other.md").write_text(PROMPT)
    with pytest.raises(InvalidRequest, match="one document only"):
        place.run("add", "--label", "phi", "--name", "x", place.files)


def test_prompts_may_be_registered_as_harmless(place: Place) -> None:
    (place.files / "prompt.txt").write_text(PROMPT)
    assert "prompt.txt: harmless, " in place.shown("add", "--harmless", place.files)
    assert place.told("list")[0]["harmless"]
    assert "harmless" in place.shown("list")
    assert place.recalled(PROMPT) == set()


@pytest.mark.parametrize("arguments", [[], ["--label", "phi", "--harmless"]])
def test_one_must_say_what_documents_are(place: Place, arguments: list[str]) -> None:
    with pytest.raises(InvalidRequest, match="Say what the documents are"):
        place.run("add", *arguments, place.files)


def test_a_label_must_be_one(place: Place) -> None:
    with pytest.raises(InvalidRequest, match="is no label"):
        place.run("add", "--label", "P H I", place.files)


def test_a_file_that_was_named_and_cannot_be_registered_makes_the_command_fail(place: Place) -> None:
    (place.files / "record.md").write_text(RECORD)
    (place.files / "bad").write_bytes(b"\0")
    result = place.run("add", "--label", "phi", place.files / "record.md", place.files / "bad")
    assert result.exit_code == 1
    assert "1 document registered, 1 skipped." in result.output
    assert place.run("add", "--label", "phi", place.files / "bad").exit_code == 1


@pytest.mark.parametrize("name", ["nothing", "nothing/"])
def test_forgetting_what_is_not_there_is_told(place: Place, name: str) -> None:
    with pytest.raises(InvalidRequest, match="No document is registered as"):
        place.run("forget", name)
