import pytest
from bench.model_file_set import PLAIN_TEMPLATE, TEMPLATES
from hypothesis import given
from hypothesis import strategies as st

from isthmus.doctor.modelfiles.templates import TEMPLATE_MAX, lint


def test_an_ordinary_template_has_no_fault() -> None:
    assert lint(PLAIN_TEMPLATE) == ()


@pytest.mark.parametrize(("name", "template"), TEMPLATES, ids=[name for name, _ in TEMPLATES])
def test_a_way_to_the_insides_of_python_is_found(name: str, template: str) -> None:
    assert lint(PLAIN_TEMPLATE + template)


@pytest.mark.parametrize(
    "template",
    [
        "{{ '<|tool▁calls▁begin|>__' }}",
        "{{ messages | map(attribute='content') | join('_') }}",
        "{% for message in messages %}{{ message.content.replace('_', ' ') }}{% endfor %}",
        "{{ strftime_now('%d %b %Y') }}{{ '</s>' if loop.last else '' }}",
        "{{ '<__media__>' ~ message.content ~ '<|__end|>' }}{{ '%s of %d' % (1, 2) }}",
        "{# cycler.__init__ is only spoken of #}",
        "{{ '{{ user }}' }}{{ bos_token }}",
        "__class__ as plain text, and lipsum",
        "{% set comma = joiner(', ') %}{{ comma() }}{% set ns.system = message.call %}",
        "{% set cycle = 1 %}{{ message['tool_calls'][0]['function']['name'] }}",
    ],
)
def test_what_templates_do_is_let_through(template: str) -> None:
    assert lint(template) == ()


@pytest.mark.parametrize(
    "template",
    [
        "{{ x.__class__ }}",
        "{{ x._private }}",
        "{{ x ['\\x5f_class__'] }}",
        "{{ x[\"__glo\" ~ 'bals__'] }}",
        "{%- set a = '__' ~ 'init__' %}",
        "{{ lipsum['x'] }}",
        "{{ x|attr('y') }}",
        "{{ x['\\N{LOW LINE}\\N{LOW LINE}class__'] }}",
        "{{ x|map('attr', y) }}",
        "{{ x[('%c' * 9) % (95, 95, 99, 108, 97, 115, 115, 95, 95)] }}",
        "{{ x|groupby('a.__class__') }}",
        "{% from 'a' import b %}",
        "{{ x.os.popen('y') }}",
        "{{ unfinished.__class__",
        "{{ x\n.\n__class__ }}",
    ],
)
def test_what_none_needs_is_found(template: str) -> None:
    assert [fault.code for fault in lint(template)][:1] == ["template-access"]


def test_a_template_of_megabytes_is_not_read() -> None:
    assert lint("x" * (TEMPLATE_MAX + 1))[0].code == "not-judged"


@given(st.text())
def test_any_text_is_looked_at(text: str) -> None:
    lint(text)
    lint("{{" + text + "}}")


def test_many_unfinished_blocks_take_no_time() -> None:
    lint("{{ '" * 50_000)
    lint("{#" * 100_000 + "{%" * 100_000)
