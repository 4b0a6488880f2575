from pathlib import Path

from isthmus.doctor.reference import page

ROOT = Path(__file__).parents[3]


def test_the_page_of_the_checks_is_what_the_checks_say() -> None:
    assert (ROOT / "docs/reference/doctor.md").read_text() == page()
