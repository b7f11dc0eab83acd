"""YAML of strangers: nothing is run, nothing grows without bound, and what is wrong has its line."""

import pytest

from deixis.errors import ConfigError
from deixis.files.yaml_text import read_yaml

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 200))

BAD = [
    pytest.param("a: [1\nb: 2\n", r"r.yaml:2: expected YAML; expected ',' or ']'", id="cut"),
    pytest.param(
        "a: !!python/object/apply:os.system [ls]\n", r"r.yaml:1: .*could not determine a constructor", id="python"
    ),
    pytest.param(BOMB, r"at most 200000 values, .* with aliases written out; got more", id="alias_bomb"),
    pytest.param(CHAIN, "nested at most 100 deep, with aliases written out; got more", id="alias_chain"),
    pytest.param("a: &a [1, *a]\n", r"r.yaml:1: .* an alias of what contains it", id="contains_itself"),
    pytest.param("[" * 50_000, "nested at most 100 deep", id="nested_too_deep_to_parse"),
    pytest.param("[" * 150 + "]" * 150, "nested at most 100 deep", id="nested_too_deep_to_walk"),
    pytest.param("a:\n  lr: 1\n  lr: 2\n", "r.yaml:3: expected YAML; the key 'lr' is repeated", id="repeated_key"),
    pytest.param("a: [.inf]\n", r"r.yaml: a\[0\]: expected a finite number, got inf", id="infinity"),
    pytest.param("a: .nan\n", "r.yaml: a: expected a finite number, got nan", id="nan"),
    pytest.param(f"a: {'9' * 5000}\n", "r.yaml: expected YAML; .*integer string conversion", id="thousands_of_digits"),
    pytest.param("a: 2020-99-99\n", "r.yaml: expected YAML; month must be in 1..12", id="no_date"),
    pytest.param("\na: !!bool maybe\n", "r.yaml:2: .* a value of the type bool, got 'maybe'$", id="no_bool"),
    pytest.param("a: !!int ''\n", "r.yaml:1: .* a value of the type int, got ''$", id="empty_int"),
    pytest.param("a: !!float ''\n", "r.yaml:1: .* a value of the type float, got ''$", id="empty_float"),
    pytest.param("a: !!timestamp x\n", "r.yaml:1: .* a value of the type timestamp, got 'x'$", id="no_timestamp"),
    pytest.param("a: !!timestamp {=: b}\n", "of the type timestamp, got a mapping$", id="timestamp_of_a_mapping"),
    pytest.param(f"a: {'1:' * 200}1.0\n", "of the type float, got '1:1:.{55}$", id="sexagesimal_beyond_a_float"),
    pytest.param('a: "\\ud800"\n', "r.yaml: a: expected text, got", id="lone_surrogate"),
    pytest.param("a: \x00\n", "r.yaml: expected YAML; unacceptable character", id="control_character"),
    pytest.param("? [a, b]\n: 1\n", "r.yaml:1: expected YAML; found unhashable key", id="list_as_key"),
    pytest.param("# " + "x" * (3 << 20), "at most 2097152 characters, got 3145730", id="too_large"),
]


@pytest.mark.parametrize(("text", "sentence"), BAD)
def test_what_is_no_safe_yaml_says_where_and_why(tmp_path, text, sentence):
    path = tmp_path / "r.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=sentence) as raised:
        read_yaml(path)
    assert "\n" not in str(raised.value)


def test_another_encoding_is_one_sentence(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_bytes(b"a: \xff\xfe")
    with pytest.raises(ConfigError, match="expected text in UTF-8"):
        read_yaml(path)


def test_aliases_and_merges_are_taken(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(
        "\ufeffbase: &base {lr: 1, steps: 2}\none: {<<: *base, lr: 3}\ntwo: [*base, *base]\n", encoding="utf-8"
    )
    base = {"lr": 1, "steps": 2}
    assert read_yaml(path) == {"base": base, "one": {"lr": 3, "steps": 2}, "two": [base, base]}
