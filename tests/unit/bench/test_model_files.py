"""The comparison of scanners counts what it says it counts."""

from pathlib import Path

from bench.model_file_set import Made, made
from bench.model_files import Column, counts, ours, table

FILES = (
    Made("a.pkl", "bad", "malicious", b"", core=True),
    Made("b.gguf", "bad too", "malicious", b""),
    Made("c.pkl", "good", "harmless", b""),
    Made("d.pkl", "good, of a library", "unlisted", b""),
)
SCANNER = Column("scanner 1.0", {"a.pkl": "hit", "b.gguf": "skipped", "c.pkl": "hit", "d.pkl": "ok"})


def test_every_sort_is_counted_by_itself() -> None:
    rows = counts(FILES, [SCANNER]).splitlines()
    assert rows[2:7] == [
        "| malicious, found | 1 of 2 |",
        "| of these pickles, archives of them, numpy, joblib | 1 of 1 |",
        "| broken, found | 0 of 0 |",
        "| harmless, wrongly found | 1 of 1 |",
        "| harmless objects of libraries, found | 0 of 1 |",
    ]
    assert rows[-1] == "| gave up with an error | 0 |"


def test_what_misleads_a_user_is_bold() -> None:
    rows = table(FILES, [SCANNER]).splitlines()[2:]
    assert [row.split(" | ")[-1] for row in rows] == ["hit |", "**skipped** |", "**hit** |", "ok |"]


def test_no_two_files_of_the_set_have_one_name(tmp_path: Path) -> None:
    names = [file.name for file in made()]
    assert len(set(names)) == len(names)
    assert sum(file.core for file in made()) == 11


def test_our_own_column_is_what_was_meant_when_the_files_were_made(tmp_path: Path) -> None:
    for file in made():
        (tmp_path / file.name).write_bytes(file.content)
    said = ours(tmp_path).said
    assert {file.name for file in made() if (said[file.name] == "hit") is (file.verdict == "harmless")} == set()
