"""Chat templates (Jinja), looked at for what none needs: the way from a value to the insides of Python.

A template is a programme that comes with the weights and runs in whatever shows a conversation to the model. Engines
run it in a sandbox, and sandboxes have had holes; a template of a model's maker reads the fields of messages, and never
an attribute that begins with an underscore.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from isthmus.doctor.modelfiles.judgement import Fault, quoted

TEMPLATE_MAX = 1 << 20
"""Characters. The longest in use have 40,000."""

_FAULTS_MAX = 10
_BLOCK = re.compile(r"\{#.*?(?:#\}|\Z)|\{%(.*?)(?:%\}|\Z)|\{\{(.*?)(?:\}\}|\Z)", re.DOTALL)
_TOKEN = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<name>[^\W\d]\w*)|(?P<number>\d[\d_.]*)|(?P<sign>\S)""",
    re.DOTALL,
)
_INSIDES = re.compile(r"(?:\A|[\s.,(\[\"'])__[A-Za-z]\w*?__(?:\Z|[\s.,)\]\"'])|\A__[A-Za-z]|[A-Za-z]__\Z")
"""A name with two underscores at both ends, alone or in a path; or a half of one, to be put together. Marks such as
`<__media__>` are none."""

_DOORS = frozenset({"cycler", "joiner", "lipsum", "get_flashed_messages", "url_for", "self"})
"""Globals whose attributes lead to modules. Calling them, as templates do, leads nowhere."""
_METHODS = frozenset(
    """
    popen mro subclasses globals builtins getattr setattr eval exec execfile compile import_module load_module
    read_text write_text check_output Popen run_path gi_frame gi_code f_globals f_builtins cr_frame ag_frame
    tb_frame func_globals im_func
    """.split()  # noqa: SIM905  # read as a list
)
_LOADING = frozenset({"import", "include", "extends", "from"})


@dataclass(frozen=True, slots=True)
class _Token:
    kind: Literal["text", "name", "number", "sign"]
    value: str
    """Of a text, without quotes and escapes."""


def lint(template: str, where: str = "chat template") -> tuple[Fault, ...]:
    """What a template reaches for that it should not."""
    if len(template) > TEMPLATE_MAX:
        return (Fault("not-judged", f"{where}: is longer than {TEMPLATE_MAX:,} characters.", "high"),)
    faults: list[Fault] = []
    for says in _findings(template):
        found = Fault("template-access", f"{where}: {says}.", "high")
        if found not in faults:
            faults.append(found)
        if len(faults) == _FAULTS_MAX:
            break
    return tuple(faults)


def _findings(template: str) -> Iterator[str]:
    for block in _BLOCK.finditer(template):
        statement = block[1] is not None
        tokens = _tokens(block[1] or block[2] or "")
        if statement and tokens and tokens[0].value in _LOADING:
            yield f"loads another template with {quoted(tokens[0].value)}"
        yield from _in_block(tokens)


def _in_block(tokens: Sequence[_Token]) -> Iterator[str]:
    for at, token in enumerate(tokens):
        before = tokens[at - 1].value if at else ""
        after = tokens[at + 1].value if at + 1 < len(tokens) else ""
        if token.kind == "name":
            yield from _name(token.value, before, after)
        elif token.kind == "text":
            yield from _text(token.value, before, after)


def _name(name: str, before: str, after: str) -> Iterator[str]:
    if before == "." and (name.startswith("_") or name in _METHODS):
        yield f"reads the attribute {quoted('.' + name)}"
    elif before == "|" and name == "attr":
        yield "reads an attribute by a computed name (`|attr`)"
    elif before not in {".", "|"} and name.startswith("__"):
        yield f"uses the name {quoted(name)}"
    elif before not in {".", "|"} and name in _DOORS and after in {".", "[", "|"}:
        yield f"uses {quoted(name)}, from which modules can be reached"


def _text(text: str, before: str, after: str) -> Iterator[str]:
    if _INSIDES.search(text):
        yield f"has the text {quoted(text)}, the name of something inside an object"
    elif text == "attr" and before == "(":
        yield "reads an attribute by a computed name (`attr`, handed to another filter)"
    elif "%c" in text:
        yield f"builds a text out of numbers ({quoted(text)})"
    elif text and set(text) == {"_"} and (before in _JOINING or after in _JOINING):
        yield f"builds a name out of underscores ({quoted(text)})"


_JOINING = frozenset("~+*%")


def _tokens(code: str) -> list[_Token]:
    found: list[_Token] = []
    for match in _TOKEN.finditer(code):
        kind = match.lastgroup
        if kind == "text":
            found.append(_Token("text", _unescaped(match[0][1:-1])))
        elif kind == "name":
            found.append(_Token("name", match[0]))
        elif kind == "number":
            found.append(_Token("number", match[0]))
        else:
            found.append(_Token("sign", match[0]))
    return found


def _unescaped(text: str) -> str:
    r"""A text as Jinja reads it, `\x5f` and `\N{LOW LINE}` included (jinja2, `lexer.Lexer.wrap`)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an escape that is none
            return text.encode("ascii", "backslashreplace").decode("unicode-escape")
    except UnicodeDecodeError:
        return text
