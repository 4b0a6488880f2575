"""A pytest plugin that runs inside a suite's own environment: it skips by name, and writes down how each test ended.

For the suites of the vendors' clients it also makes what their tests name. They were written against a server that
answers anything, and ask for things by ids of no meaning (`file_id`); isthmus keeps what was made through it, and knows
nothing else. So where a test names such a thing, one is made through isthmus first, and the request bears its id.

Environment: `CONFORMANCE_RESULTS` is the file for the results, `CONFORMANCE_SKIPS` a JSON list of pairs of a pattern
of test names and a reason, `CONFORMANCE_MAKES` the module that knows what to make, where one does.
"""

from __future__ import annotations

import importlib
import json
import os
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

RESULTS = Path(os.environ["CONFORMANCE_RESULTS"])
MOCKS = {"respx_mock", "respx2_mock"}
SKIPS = json.loads(os.environ.get("CONFORMANCE_SKIPS", "[]"))


def pytest_configure():
    if name := os.environ.get("CONFORMANCE_MAKES"):
        importlib.import_module(name).install()


def pytest_collection_modifyitems(items):
    for item in items:
        if MOCKS & set(item.fixturenames):
            item.add_marker(pytest.mark.skip(reason="answered by the test's own mock: no server is asked"))
            continue
        for pattern, reason in SKIPS:
            if fnmatchcase(item.nodeid, pattern):
                item.add_marker(pytest.mark.skip(reason=reason))
                break


def pytest_runtest_logreport(report):
    """A test is written down once: when it was called, or when it failed or was skipped before or after that."""
    if report.when == "call" or report.outcome != "passed":
        reason = ""
        if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
            reason = report.longrepr[2].removeprefix("Skipped: ")
        elif report.outcome == "skipped":
            reason = getattr(report, "wasxfail", "")
        elif report.outcome == "failed":
            reason = report.longreprtext
        line = {"test": report.nodeid, "outcome": report.outcome, "reason": reason}
        with RESULTS.open("a") as results:
            results.write(json.dumps(line) + "\n")


def pytest_collectreport(report):
    if report.outcome == "failed":
        with RESULTS.open("a") as results:
            line = {"test": report.nodeid, "outcome": "failed", "reason": report.longreprtext}
            results.write(json.dumps(line) + "\n")
