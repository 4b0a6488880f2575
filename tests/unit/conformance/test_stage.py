from pathlib import Path

from conformance.stage import OFFERED, Stage, settings
from tests.fakes.stand_in import StandIn
from tests.system.process import Isthmus

from isthmus.settings.reading import read

URLS = {vendor: f"http://127.0.0.1:9/{vendor}" for vendor in OFFERED}


def test_the_settings_are_good_ones(tmp_path: Path) -> None:
    isthmus = Isthmus(tmp_path, settings(URLS), store='content_key = "env:CONTENT_KEY"')
    found = read(isthmus.file, environ={"CONTENT_KEY": "00" * 32})
    assert {offer.name for offer in found.offers.values()} >= {"gpt-6-astra", "claude-opus-5-5"}
    assert {"at-openai", "at-anthropic", "at-gemini"} <= set(found.workloads)


def test_refusals_and_errors_in_the_log_are_told_once(tmp_path: Path) -> None:
    isthmus, vendor = Isthmus(tmp_path, ""), StandIn()
    vendor.rejected += ["temperature", "temperature"]
    isthmus.log.write_text(
        "[11/21/26 12:48:37] INFO     isthmus: up\n"
        + "[11/21/26 12:48:38] ERROR    isthmus.gateway: a request failed: TypeError\n"
        + "[11/21/26 12:48:39] ERROR    isthmus.gateway: a request failed: TypeError\n"
    )
    assert Stage(isthmus, {"openai": vendor}).faults() == [
        "openai refused: temperature",
        "isthmus logged an error: isthmus.gateway: a request failed: TypeError",
    ]
