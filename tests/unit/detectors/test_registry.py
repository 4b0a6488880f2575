import subprocess
import sys
from pathlib import Path

import pytest

from isthmus.detectors.registry import RULES, detectors_for, groups, kinds
from isthmus.domain.errors import ConfigError

ROOT = Path(__file__).parents[3]
SORTS = sorted(path.stem for path in (ROOT / "src/isthmus/detectors/rules").glob("[!_]*.py"))
WITH_FORM = sorted(kind for kind, name in kinds().items() if name == RULES)


def test_kinds_of_rules_and_of_other_detectors_are_known() -> None:
    assert {"email", "card", "condition", "us_ssn"} <= set(WITH_FORM)
    assert set(kinds().values()) > {RULES}


def test_groups_name_kinds() -> None:
    assert {"medical", "credentials", "financial", "legal", "pii", "national_id"} <= groups().keys()
    assert frozenset().union(*groups().values()) <= kinds().keys()
    assert not groups().keys() & kinds().keys()


def test_a_group_and_a_kind_together_make_one_detector() -> None:
    (detector,) = detectors_for(["network", "swift"])
    assert detector.tier == "rules"
    assert detector.kinds == {"ip", "mac", "swift"}


def test_the_same_kinds_are_compiled_once() -> None:
    assert detectors_for(["ip", "mac"])[0] is detectors_for(["network"])[0]


def test_nothing_wanted_is_nothing_made() -> None:
    assert detectors_for([]) == ()


def test_an_unknown_name_is_refused_with_the_names_it_is_close_to() -> None:
    with pytest.raises(ConfigError, match=r"'emial'.*email"):
        detectors_for(["emial", "ip"])


def test_every_rule_is_of_a_kind_its_file_declares() -> None:
    (detector,) = detectors_for(WITH_FORM)
    assert sorted(detector.kinds) == WITH_FORM


def test_every_sort_of_thing_has_its_tests() -> None:
    assert sorted(path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("rules/test_*.py")) == SORTS


def test_every_kind_with_a_form_has_its_line_in_the_docs() -> None:
    page = (ROOT / "docs/reference/detectors.md").read_text()
    assert [kind for kind in WITH_FORM if f"\n| `{kind}` |" not in page] == []
    assert [name for name in groups() if f"`{name}`" not in page] == []


def test_asking_what_there_is_loads_no_engine() -> None:
    heavy = "numpy", "hyperscan", "phonenumbers", "stdnum"
    code = (
        "import sys; from isthmus.detectors import registry; registry.kinds(); registry.groups();"
        f"sys.exit(' '.join(name for name in {heavy} if name in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
