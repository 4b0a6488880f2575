"""Every tool that makes something keeps its mark: all of them are looked for in the source, and each has its proof.

The proof is in two halves. That whatever a tool set says it made bears the mark of the call is proved once, for all
(`test_guarding`). That a tool says it truthfully, so that the thing is known again when it is read, is proved at its
service: by a test that calls the tool by its name and looks at what it said it made.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "src" / "isthmus"
TESTS = ROOT / "tests" / "unit" / "connectors"

_LOOKED_AT = {"made", "content_sha256"}
"""What a proof looks at, one of these."""


class Maker(NamedTuple):
    """A tool that makes something."""

    package: str
    name: str
    """Of one whose name a server says: the package and a star."""


class Proof(NamedTuple):
    """A test that looks at what was made, and the texts in it."""

    package: str
    test: str
    texts: frozenset[str]


@cache
def makers() -> tuple[Maker, ...]:
    return tuple(sorted({maker for module in SOURCE.rglob("*.py") for maker in _makers(module)}))


def _makers(module: Path) -> Iterator[Maker]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Call):
            told = {keyword.arg: keyword.value for keyword in node.keywords}
            makes = told.get("makes")
            if makes is None or (isinstance(makes, ast.Constant) and makes.value is None):
                continue
            name, package = told.get("name"), module.parent.name
            yield Maker(package, str(name.value) if isinstance(name, ast.Constant) else f"{package}/*")


@cache
def proofs() -> tuple[Proof, ...]:
    return tuple(proof for module in sorted(TESTS.rglob("test_*.py")) for proof in _proofs(module))


def _proofs(module: Path) -> Iterator[Proof]:
    tree = ast.parse(module.read_text())
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    for name, function in functions.items():
        if not name.startswith("test_"):
            continue
        nodes = [*ast.walk(function)]
        called = {node.id for node in nodes if isinstance(node, ast.Name)}
        nodes += [node for other in sorted(called & functions.keys()) for node in ast.walk(functions[other])]
        if _LOOKED_AT & {node.attr for node in nodes if isinstance(node, ast.Attribute)}:
            said = (node.value for node in nodes if isinstance(node, ast.Constant))
            yield Proof(module.parent.name, name, frozenset(one for one in said if isinstance(one, str)))


def proved(maker: Maker) -> list[str]:
    """The tests that prove it. At its own service, a tool may be called without the name of the service before it."""
    short = maker.name.partition("_")[2]
    return [
        proof.test
        for proof in proofs()
        if maker.name in proof.texts
        or (proof.package == maker.package and (short in proof.texts or maker.name.endswith("/*")))
    ]


def test_there_are_tools_that_make_something() -> None:
    assert {"mail_draft", "mail_send"} <= {maker.name for maker in makers()}


@pytest.mark.parametrize("maker", makers(), ids=lambda maker: maker.name)
def test_what_it_makes_is_known_again(maker: Maker) -> None:
    assert proved(maker), (
        f"{maker.name} makes something, and no test of its service calls it by its name and looks at what it made."
    )
