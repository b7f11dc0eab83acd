"""Chat templates: what published ones do is written as in transformers; what fills memory or time is refused."""

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from deixis.errors import CheckpointError
from deixis.model import template_sandbox
from deixis.model.template_sandbox import render_template

MESSAGES = [
    {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Where {is} %d?"}]},
    {"role": "assistant", "content": "There."},
]
VARIABLES = {"add_generation_prompt": True, "bos_token": "<s>", "tools": None}
DOUBLE = "{% set ns = namespace(x='a', l=[1]) %}{% for i in range(60) %}%s{% endfor %}{{ ns.x }}{{ ns.l }}"


def doubled(statement):
    return DOUBLE.replace("%s", statement)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(
            "{{ bos_token }}{% for m in messages %}\n{{ m['role'] ~ ': ' ~ loop.index }}{% if m.content is string %}"
            "{{ m.content | trim }}{% endif %}{% if loop.last %}!{% endif %}{% endfor %}",
            id="turns",
        ),
        pytest.param(
            "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
            id="namespace",
        ),
        pytest.param(
            "{% for m in messages if m.role == 'user' %}{{ m.content | map(attribute='type') | join }}{% endfor %}",
            id="map_and_join",
        ),
        pytest.param(
            "{% macro f(x, y=2) %}<{{ x }}|{{ y }}>{% endmacro %}{{ f(1) }}{{ f('a', y=[1, 2]) }}", id="macro"
        ),
        pytest.param(
            "{% set x %}abc{% endset %}{{ x.replace('a', 'b').split('b')[-1] | upper }}{{ x[::-1] }}", id="set"
        ),
        pytest.param("{{ messages | tojson }}{{ [1, 2] | tojson(indent=2) }}{{ 'a\nb' | indent(2) }}", id="json"),
        pytest.param("{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}{{ (1, 2)[0] }}", id="dict"),
        pytest.param("{{ 'a' if tools else 'b' }}{{ foo is defined }}{{ foo }}{{ 7 % 2 }}{{ '-' * 5 }}", id="values"),
        pytest.param("{% for i in range(9) %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}", id="break"),
        pytest.param("{% generation %}{{ messages[1].content }}{% endgeneration %}", id="generation"),
        pytest.param("{{ ', '.join(['a', 'b']) }}{{ 'x-y'.partition('-') }}{{ messages | length }}", id="methods"),
    ],
)
def test_what_published_templates_do_is_written_as_in_transformers(source):
    theirs, _ = render_jinja_template(conversations=[MESSAGES], chat_template=source, **VARIABLES)
    assert render_template(source, {"messages": MESSAGES, **VARIABLES}) == theirs[0]


@pytest.mark.parametrize(
    ("source", "match"),
    [
        pytest.param("{{ 'a' * 10**9 }}", "texts of at most 4 million characters, got 1000000000", id="times"),
        pytest.param("{% set x = [[1] * 4000000] * 1000 %}", "at most 4 million", id="list_times"),
        pytest.param("{% for a in range(9999) %}" * 3 + "{% endfor %}" * 3, "million characters of work", id="loops"),
        pytest.param(
            "{% for a in range(9999) %}" * 2 + "a" * 90000 + "{% endfor %}" * 2,
            "writes more than 4",
            id="text_in_loops",
        ),
        pytest.param(doubled("{% set ns.x = ns.x ~ ns.x %}"), "at most 4 million", id="doubled_text"),
        pytest.param(doubled("{% set ns.x = ns.x + ns.x %}"), "at most 4 million", id="doubled_sum"),
        pytest.param(doubled("{% set ns.l = [ns.l, ns.l] %}"), "at most 4 million", id="doubled_list"),
        pytest.param(doubled("{% set ns.l = dict(a=ns.l, b=ns.l) %}"), "at most 4 million", id="doubled_dict"),
        pytest.param(
            doubled("{% set y %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x = y %}"), "at most 4 m", id="doubled_block"
        ),
        pytest.param(
            "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(99) }}",
            "characters of work",
            id="doubled_calls",
        ),
        pytest.param("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion", id="endless_macro"),
        pytest.param(
            "{% for i in range(9999) %}{% set x = range(99999) | sort %}{% endfor %}",
            "characters of work",
            id="sorting",
        ),
        pytest.param("{{ 'a' | center(10**9) }}", "No filter named 'center'", id="center"),
        pytest.param("{{ '%1000000000d' | format(1) }}", "No filter named 'format'", id="format"),
        pytest.param("{{ '%1000000000d' % 1 }}", "no formats by %", id="percent"),
        pytest.param("{{ '{:1000000000}'.format(1) }}", "'format' of 'str' object is unsafe", id="format_method"),
        pytest.param("{{ 'a'.ljust(10**9) }}", "'ljust' of 'str' object is unsafe", id="ljust"),
        pytest.param("{{ 9**9**9**9 }}", "numbers of at most", id="power"),
        pytest.param("{{ ('a' * 9999).replace('a', 'b' * 9999) }}", "at most 4 million", id="replace"),
        pytest.param("{{ ('a' * 9999) | join('b' * 9999) }}", "at most 4 million", id="join"),
        pytest.param("{{ 'a\nb' | indent(10**9) }}", "an indent of at most 64", id="indent"),
        pytest.param("{{ [1] | tojson(indent=10**9) }}", "an indent of at most 64", id="json_indent"),
        pytest.param("{{ strftime_now('%1000000000Y') }}", "a short format of a date", id="date"),
        pytest.param("{{ ''.__class__.__mro__ }}", "is unsafe", id="internals"),
        pytest.param("{{ messages.append(1) }}", "is unsafe", id="changes_messages"),
        pytest.param("{% include '/etc/passwd' %}", "no loader", id="include"),
        pytest.param("{% for %}", r"is damaged \(line 1: Expected an expression", id="syntax"),
        pytest.param("{{ nothing.at.all }}", "'nothing' is undefined", id="undefined"),
        pytest.param("{{ raise_exception('no images') }}", "no images", id="its_own_error"),
        pytest.param("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "recursion", id="deep"),
        pytest.param("{% for a in [1] %}" * 30 + "{% endfor %}" * 30, "too many statically nested", id="nested_blocks"),
        pytest.param("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "call themselves", id="recursive_loop"),
        pytest.param("a" * (template_sandbox.MAX_SOURCE + 1), "expected at most 100000 characters", id="long"),
    ],
)
def test_a_template_beyond_the_limits_is_one_sentence(source, match):
    with pytest.raises(CheckpointError, match=match) as caught:
        render_template(source, {"messages": MESSAGES, **VARIABLES})
    assert str(caught.value).startswith("the chat template: ")
    assert len(str(caught.value)) < 400


def test_limits_are_those_of_one_rendering():
    source = "{% for a in range(9999) %}{% endfor %}"
    assert [render_template(source, VARIABLES) for _ in range(3)] == [""] * 3
