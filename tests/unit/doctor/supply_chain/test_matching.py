import pytest

from isthmus.doctor.advisories.matching import Component, is_affected, matches, way_out
from isthmus.doctor.advisories.record import Advisory, Affected, Level, Span
from isthmus.doctor.advisories.severity import base_score, level_of


def affected(*spans: Span, versions: tuple[str, ...] = ()) -> Affected:
    return Affected(ecosystem="PyPI", package="vllm", spans=spans, versions=versions)


@pytest.mark.parametrize(
    ("spans", "inside", "outside"),
    [
        ((Span("0", "0.11.1"),), ["0.0.1", "0.11.0", "0.11.1rc1"], ["0.11.1", "0.12"]),
        ((Span("0.6.5", "0.8.5"),), ["0.6.5", "0.8.4", "0.8.5rc1"], ["0.6.4", "0.8.5", "0.6.5rc1"]),
        ((Span("0", "", "1.82.4"),), ["1.82.4", "1.82.4+local"], ["1.82.5"]),
        ((Span("0", "1.88.6"), Span("1.89.0", "1.96.2")), ["1.88.5", "1.96.1"], ["1.88.6", "1.88.9", "1.96.2"]),
        ((Span("2.0"),), ["2.0", "99"], ["1.9"]),
    ],
)
def test_a_version_is_inside_a_span_or_not(spans: tuple[Span, ...], inside: list[str], outside: list[str]) -> None:
    assert [version for version in inside if not is_affected(affected(*spans), version)] == []
    assert [version for version in outside if is_affected(affected(*spans), version)] == []


def test_versions_that_are_named_count_however_they_are_written() -> None:
    named = affected(versions=("1.82.7", "1.82.8"))
    assert is_affected(named, "1.82.7")
    assert is_affected(named, "1.82.8.0")
    assert not is_affected(named, "1.82.9")


def test_what_cannot_be_compared_is_not_said_to_be_safe() -> None:
    assert is_affected(affected(Span("0", "1.0")), "a version of nobody") is None


WORST = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"


def advisory(name: str, *aliases: str, level: Level = "unknown", fixed: str = "1.0", package: str = "vllm") -> Advisory:
    of = Affected(ecosystem="PyPI", package=package, spans=(Span("0", fixed),))
    return Advisory(id=name, aliases=aliases, summary=name, level=level, affected=(of,), source="x")


HERE = Component("PyPI", "vllm", "0.9", "here")


def test_records_of_one_thing_are_one_by_their_aliases_over_several_steps() -> None:
    found = matches(
        HERE,
        [
            advisory("PYSEC-1", "GHSA-1"),
            advisory("CVE-2", level="low"),
            advisory("CVE-1", level="medium", fixed="1.2"),
            advisory("GHSA-1", "CVE-1", level="high"),
        ],
    )
    assert [(match.ids, match.level, match.fixed) for match in found] == [
        (("CVE-1", "GHSA-1", "PYSEC-1"), "high", "1.2"),
        (("CVE-2",), "low", "1.0"),
    ]


def test_a_record_that_does_not_match_may_still_say_how_bad_it_is() -> None:
    (one,) = matches(HERE, [advisory("GO-1", "CVE-1"), advisory("CVE-1", level="critical", fixed="0.5")])
    assert (one.level, one.fixed) == ("critical", "1.0")


def test_names_compare_as_the_index_compares_them() -> None:
    assert matches(Component("PyPI", "Open_WebUI", "0.1", ""), [advisory("CVE-1", package="open-webui")])
    assert not matches(Component("npm", "vllm", "0.1", ""), [advisory("CVE-1")])


@pytest.mark.parametrize(
    ("vector", "score"),
    [
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0),
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", 7.5),
        ("CVSS:3.1/AV:N/AC:H/PR:L/UI:N/S:U/C:L/I:N/A:L", 4.2),
        ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:L/I:L/A:L", 5.3),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
        ("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N", 0.0),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", None),
        ("CVSS:3.1/AV:N", None),
        ("", None),
    ],
)
def test_scores_are_those_of_the_specification(vector: str, score: float | None) -> None:
    """The first six are on published advisories with these scores."""
    assert base_score(vector) == score


def test_a_record_says_how_bad_it_is_in_a_word_or_a_vector_or_not_at_all() -> None:
    assert level_of({"id": "GHSA-1", "database_specific": {"severity": "MODERATE"}}) == "medium"
    assert (
        level_of(
            {"id": "X", "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]}
        )
        == "critical"
    )
    assert level_of({"id": "MAL-1"}) == "critical"
    assert level_of({"id": "GO-1"}) == "unknown"


def test_the_way_out_goes_on_where_the_version_that_mends_is_affected_by_something_else() -> None:
    found = [advisory("CVE-1", fixed="1.0"), advisory("CVE-2", fixed="1.2"), advisory("CVE-3", fixed="0.8")]
    assert way_out(HERE, found) == ("1.2", "")
    later = Affected(ecosystem="PyPI", package="vllm", spans=(Span("1.1", "", "1.5"),))
    assert way_out(HERE, [*found, Advisory(id="CVE-4", summary="x", affected=(later,), source="x")]) == ("", "1.5")
    assert way_out(HERE, []) == ("", "")
