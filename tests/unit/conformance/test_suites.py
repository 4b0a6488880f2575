from conformance.environments import Environment
from conformance.run import CLIENTS
from conformance.suites import SUITES


def test_no_two_suites_have_the_same_name() -> None:
    assert len({suite.name for suite in SUITES}) == len(SUITES)


def test_what_a_suite_is_made_of_is_there() -> None:
    for suite in SUITES:
        locked = suite.environment.versions()
        assert set(suite.packages) <= locked.keys(), suite.name
        if suite.source is None:
            assert all((CLIENTS / test).exists() for test in suite.tests), suite.name
        else:
            # Its tests run with the package they were shipped with.
            assert locked[suite.source.name] == suite.source.version, suite.name


def test_what_is_locked_is_read_without_comments_and_extras() -> None:
    versions = Environment("sdk").versions()
    assert versions["openai"].count(".") == 2
    assert not any(name.startswith("#") or "[" in name for name in versions)
