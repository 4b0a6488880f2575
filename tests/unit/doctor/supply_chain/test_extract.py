"""The extract that came along, and how it is made."""

import json
import zipfile
from datetime import date
from pathlib import Path

import pytest
import yaml

import isthmus.doctor.advisories
from isthmus.doctor.advisories.__main__ import text_of
from isthmus.doctor.advisories.making import extract_of, kept_advisory, spans_of
from isthmus.doctor.advisories.matching import Component, matches
from isthmus.doctor.advisories.page import page
from isthmus.doctor.advisories.record import Ecosystem, Extract, Span, load_extract
from isthmus.domain.errors import ConfigError

FOLDER = Path(isthmus.doctor.advisories.__file__).parent
BY_HAND = FOLDER / "by_hand.yaml"
TODAY = date(2026, 11, 21)


def ids(ecosystem: Ecosystem, package: str, version: str) -> set[str]:
    found = matches(Component(ecosystem, package, version, ""), load_extract().advisories)
    return {name for match in found for name in match.ids}


@pytest.mark.parametrize(
    ("ecosystem", "package", "advisory", "affected", "mended"),
    [
        ("Go", "github.com/ollama/ollama", "CVE-2026-7482", "0.17.0", "0.17.1"),
        ("Go", "github.com/ollama/ollama", "CVE-2026-85180", "0.33.2", "0.33.3"),
        ("Go", "github.com/ollama/ollama", "CVE-2026-102697", "0.31.1", "0.31.2"),
        ("Go", "github.com/ollama/ollama", "GO-2024-3245", "0.1.45", "0.1.46"),
        ("PyPI", "vllm", "CVE-2025-32444", "0.8.4", "0.8.5"),
        ("PyPI", "vllm", "CVE-2025-29783", "0.6.5", "0.8.5"),
        ("PyPI", "vllm", "CVE-2025-47277", "0.8.4", "0.8.5"),
        ("PyPI", "vllm", "GHSA-8fr4-5q9j-m8gm", "0.11.0", "0.11.1"),
        ("PyPI", "vllm", "CVE-2026-4944", "0.14.1", "0.14.2"),
        ("PyPI", "vllm", "CVE-2026-100653", "0.28.0", "0.28.1"),
        ("PyPI", "vllm", "CVE-2026-90553", "0.27.9", "0.28.0"),
        ("llama.cpp", "llama.cpp", "CVE-2026-34159", "b8491", "b8492"),
        ("llama.cpp", "llama.cpp", "CVE-2026-43631", "b9060", "b9061"),
        ("llama.cpp", "llama.cpp", "CVE-2026-43632", "b7492", "b7491"),
        ("llama.cpp", "llama.cpp", "CVE-2026-33298", "b7823", "b7824"),
        ("llama.cpp", "llama.cpp", "CVE-2026-27940", "b8145", "b8146"),
        ("PyPI", "litellm", "MAL-2026-2144", "1.82.7", "1.82.6"),
        ("PyPI", "litellm", "MAL-2026-2144", "1.82.8", "1.82.9"),
        ("PyPI", "litellm", "CVE-2026-37004", "1.82.4", "1.82.5"),
        ("PyPI", "litellm", "CVE-2026-59822", "1.83.9", "1.84.0"),
        ("PyPI", "litellm", "CVE-2026-84377", "1.96.1", "1.96.2"),
        ("PyPI", "litellm", "CVE-2026-84377", "1.88.5", "1.88.6"),
        ("PyPI", "litellm", "CVE-2026-89032", "1.100.0", "1.101.0rc1"),
        ("npm", "openclaw", "CVE-2026-25253", "2026.1.28", "2026.1.29"),
        ("npm", "openclaw", "CVE-2026-25593", "2026.1.19", "2026.1.20"),
        ("npm", "openclaw", "CVE-2026-43581", "2026.4.9", "2026.4.10"),
    ],
)
def test_what_was_published_of_components_is_found_at_its_bounds(
    ecosystem: Ecosystem, package: str, advisory: str, affected: str, mended: str
) -> None:
    assert advisory in ids(ecosystem, package, affected)
    assert advisory not in ids(ecosystem, package, mended)


def test_every_record_kept_by_hand_is_in_the_extract_as_it_stands_there() -> None:
    known = {advisory.id: advisory for advisory in load_extract().advisories}
    for row in yaml.safe_load(BY_HAND.read_bytes())["advisories"]:
        kept = kept_advisory(row)
        assert known[kept.id].source != kept.source or known[kept.id] == kept


def test_every_record_has_a_source_a_sentence_and_an_end_or_names() -> None:
    extract = load_extract()
    for advisory in extract.advisories:
        assert advisory.source in extract.sources
        assert advisory.summary
        assert advisory.url.startswith("https://")
        assert all(found.spans or found.versions for found in advisory.affected)


def test_whose_records_they_are_is_said() -> None:
    notice = (FOLDER / "NOTICE").read_text()
    extract = load_extract()
    used = {advisory.source for advisory in extract.advisories} - {"nvd"}
    assert [extract.sources[key].url for key in sorted(used) if extract.sources[key].url not in notice] == []
    assert "CC-BY-4.0" in notice


def test_the_extract_is_read_as_it_is_written() -> None:
    import msgspec

    extract = load_extract()
    assert msgspec.json.decode(text_of(extract), type=Extract) == extract
    assert (FOLDER / "extract.json").read_bytes() == text_of(extract)


def test_the_page_of_advisories_is_what_the_extract_says() -> None:
    root = Path(__file__).parents[4]
    assert (root / "docs/reference/advisories.md").read_text() == page(load_extract())


EVENTS = [{"introduced": "0"}, {"fixed": "1.2"}, {"introduced": "2.0"}, {"last_affected": "2.1"}]
RECORD = {
    "id": "GHSA-xxxx",
    "modified": "2026-01-01T00:00:00Z",
    "published": "2026-01-01T00:00:00Z",
    "aliases": ["CVE-2026-1"],
    "summary": "Something\nmore",
    "database_specific": {"severity": "HIGH"},
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "vLLM"},
            "versions": ["1.0", "1.1"],
            "ranges": [
                {"type": "GIT", "events": [{"introduced": "0"}]},
                {"type": "ECOSYSTEM", "events": EVENTS},
            ],
        },
        {"package": {"ecosystem": "PyPI", "name": "something-else"}, "versions": ["1"]},
    ],
}


@pytest.fixture
def by_hand(tmp_path: Path) -> Path:
    path = tmp_path / "by_hand.yaml"
    source = {"title": "OSV", "url": "https://osv.dev", "licence": "CC-BY-4.0", "observed_on": TODAY}
    row = {"id": "CVE-2026-1", "source": "osv", "affected": {"PyPI:vllm": ["<1.2"]}, "says": "Something."}
    path.write_text(yaml.safe_dump({"sources": {"osv": source}, "advisories": [row]}))
    return path


def test_it_is_made_from_the_zips_that_osv_publishes(tmp_path: Path, by_hand: Path) -> None:
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("GHSA-xxxx.json", json.dumps(RECORD))
        opened.writestr("GHSA-gone.json", json.dumps(RECORD | {"id": "GHSA-gone", "withdrawn": "2026-02-01T00:00:00Z"}))
        opened.writestr("broken.json", "{")
    extract = extract_of([("osv", archive)], by_hand, today=TODAY)
    assert [advisory.id for advisory in extract.advisories] == ["CVE-2026-1", "GHSA-xxxx"]
    made = extract.advisories[1]
    assert (made.level, made.summary, made.aliases) == ("high", "Something", ("CVE-2026-1",))
    (only,) = made.affected
    assert only.spans == (Span("0", "1.2"), Span("2.0", "", "2.1"))
    assert only.versions == ()


def test_it_is_made_from_folders_of_json_and_yaml(tmp_path: Path, by_hand: Path) -> None:
    folder = tmp_path / "vulns" / "vllm"
    folder.mkdir(parents=True)
    (folder / "one.yaml").write_text(yaml.safe_dump(RECORD | {"id": "PYSEC-1"}))
    (folder / "two.json").write_text(json.dumps(RECORD | {"id": "PYSEC-2"}))
    extract = extract_of([("osv", tmp_path / "vulns")], by_hand, today=TODAY)
    assert {advisory.id for advisory in extract.advisories} == {"CVE-2026-1", "PYSEC-1", "PYSEC-2"}


def test_events_make_spans() -> None:
    assert list(spans_of([{"introduced": "1"}, {"introduced": "2"}, {"fixed": "3"}])) == [Span("1"), Span("2", "3")]
    assert list(spans_of([{"fixed": "3"}])) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"affected": {"PyPI:vllm": [">=1.0"]}}, "has no end"),
        ({"affected": {"PyPI:vllm": ["~1.0"]}}, "is no range"),
        ({"affected": {"PyPI:unknown-package": ["<1"]}}, "is no package of the extract"),
    ],
)
def test_a_record_kept_by_hand_that_is_not_right_is_refused(change: dict[str, object], said: str) -> None:
    row: dict[str, object] = {"id": "CVE-1", "source": "osv", "affected": {"PyPI:vllm": ["<1"]}, "says": "x"}
    with pytest.raises(ConfigError, match=said):
        kept_advisory(row | change)


def test_a_source_that_is_not_declared_is_refused(tmp_path: Path, by_hand: Path) -> None:
    with pytest.raises(ConfigError, match="is no source"):
        extract_of([("elsewhere", tmp_path)], by_hand, today=TODAY)
