"""Options from plain values: what is filled in, what is refused, and what the message says."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, no_type_check

import pytest

from deixis.errors import ConfigError
from deixis.options import Bounds, Count, Positive, check_choice, check_fields, check_known, read_options


@no_type_check
@dataclass(frozen=True, kw_only=True)
class Drink:
    """Toy options, one field per kind of annotation."""

    name: str
    size: Literal["small", "large"] | None = "small"
    cups: Count = 1
    litres: Positive = 0.5
    share: Annotated[float, Bounds(above=0, below=1)] = 0.1
    hot: bool = False
    spices: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self)


def test_lists_become_tuples_and_instances_pass():
    drink = read_options(Drink, {"name": "tea", "spices": ["mint"], "litres": 1, "size": None}, "drink.")
    assert drink == Drink(name="tea", spices=("mint",), litres=1, size=None)
    assert read_options(Drink, drink, "drink.") is drink


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param([], "drink: expected fields with values; got []", id="no_mapping"),
        pytest.param({}, "drink.name: expected text; got none", id="missing"),
        pytest.param({"name": 3}, "drink.name: expected text; got 3", id="text"),
        pytest.param({"name": "a", "size": "larg"}, "got 'larg'; did you mean 'large'?", id="near_choice"),
        pytest.param({"name": "a", "size": "big"}, "drink.size: expected one of small, large or none", id="choice"),
        pytest.param({"name": "a", "size": ["small"]}, "got ('small',)", id="list_for_a_choice"),
        pytest.param({"name": "a", "sise": "small"}, "drink.sise: unknown field; known are name, size", id="unknown"),
        pytest.param({"name": "a", "sise": "small"}, "did you mean 'size'?", id="near_field"),
        pytest.param({"name": "a", "cups": 0}, "drink.cups: expected a whole number from 1; got 0", id="too_small"),
        pytest.param({"name": "a", "cups": True}, "expected a whole number from 1; got True", id="bool_is_no_number"),
        pytest.param({"name": "a", "cups": 1.0}, "expected a whole number from 1; got 1.0", id="float_is_no_int"),
        pytest.param({"name": "a", "litres": "1e-3"}, "got '1e-3'; YAML requires 1.0e-3 for 1e-3", id="yaml_number"),
        pytest.param({"name": "a", "litres": float("nan")}, "drink.litres: expected a number above 0", id="nan"),
        pytest.param({"name": "a", "share": 1.0}, "expected a number above 0 and below 1; got 1.0", id="open_range"),
        pytest.param({"name": "a", "hot": "yes"}, "drink.hot: expected true or false; got 'yes'", id="flag"),
        pytest.param({"name": "a", "spices": [1]}, "spices: expected a list, each item text; got (1,)", id="item"),
        pytest.param({"name": "a", "cups": -(10**5000)}, "got a whole number of 16610 bits", id="digits_without_end"),
        pytest.param({"name": "a", "size": 10**5000}, "got a whole number of 16610 bits", id="endless_choice"),
        pytest.param({"name": [10**5000]}, "got a tuple with a number of thousands", id="endless_item"),
        pytest.param({"name": "a", "extra": 1}, "drink.extra: expected fields with values; got 1", id="mapping"),
    ],
)
def test_invalid_values_are_named(values, message):
    with pytest.raises(ConfigError) as error:
        read_options(Drink, values, "drink.")
    assert message in str(error.value)


def test_construction_checks_too():
    with pytest.raises(ConfigError, match=r"^size: expected .*; got 'smal'; did you mean 'small'"):
        Drink(name="tea", size="smal")


def test_choices_and_names_are_checked_alone():
    check_choice("size", None, (None, "small"))
    check_known("a.yaml: ", {"seed": 1}, ("seed",))
    with pytest.raises(ConfigError, match="size: expected one of none, small; got 'tall'"):
        check_choice("size", "tall", (None, "small"))
    with pytest.raises(ConfigError, match=r"a\.yaml: sed: unknown field; known are seed; did you mean 'seed'"):
        check_known("a.yaml: ", {"sed": 1}, ("seed",))
