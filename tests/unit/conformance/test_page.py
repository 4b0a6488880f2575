from conformance.environments import Environment
from conformance.page import page
from conformance.suite import Suite
from conformance.verdict import Verdict

SUITE = Suite(
    name="any", title="tests of any", environment=Environment("sdk"), packages=("any",), tests=("test_any.py",)
)
OTHER = Suite(name="other", title="tests of others", environment=Environment("sdk"), packages=(), tests=())


def verdict(failed: dict[str, str], skipped: dict[str, str]) -> Verdict:
    return Verdict(suite="any", date="2026-11-21", versions={"any": "1.0"}, passed=7, failed=failed, skipped=skipped)


def test_a_suite_has_a_row_whether_it_ran_or_not() -> None:
    text = page([SUITE, OTHER], [verdict({}, {})])
    assert "| `any`: tests of any | 7 | 0 | 0 | any 1.0 | 2026-11-21 |" in text
    assert "| `other`: tests of others | | | | | not run |" in text
    assert "## Skipped" not in text
    assert "## Failed" not in text


def test_what_is_skipped_is_named_by_reason_and_told_once_for_all_parameters() -> None:
    skipped = {f"tests/x/test_y.py::TestZ::test_a[{client}]": "not offered" for client in ("loose", "strict")}
    text = page([SUITE], [verdict({}, skipped)])
    assert "### any\n\n- not offered: `test_y::TestZ::test_a` (2)\n" in text


def test_a_failure_is_told_by_its_last_line() -> None:
    text = page([SUITE], [verdict({"test_y.py::test_b": "E   where\nE   Boom: it broke\n"}, {})])
    assert "- E   Boom: it broke: `test_y::test_b`\n" in text
