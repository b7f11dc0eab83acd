"""Frozen dataclasses of options, filled from the plain values of a YAML or JSON file and checked at construction.

A class declares what it accepts by its annotations (`Literal` for choices, `Annotated[int, Bounds(1)]` for ranges) and
inherits from `Checked`. A message names the field, what was expected, what came and the nearest valid
name. Such classes stand under `@no_type_check`: the run-time checker of the tests would refuse a value, in words of its
own, before `__post_init__` can. It knows no recipe and no network.
"""

import json
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from difflib import get_close_matches
from functools import cache, wraps
from inspect import Parameter, get_annotations, signature
from math import isfinite
from numbers import Number
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, no_type_check

from deixis.errors import ConfigError, DeixisError, InputError

T = TypeVar("T")
P = ParamSpec("P")
VAR_POSITIONAL, VAR_KEYWORD = Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD
SHOWN_LENGTH = 80
"""Of a value in a sentence."""
NUMBER_BITS = 64
"""Of the largest whole number that a sentence writes out."""


@dataclass(frozen=True)
class Bounds:
    """The range of a number: `least` <= value <= `most`, `above` < value < `below`; None where it is unbounded."""

    least: float | None = None
    above: float | None = None
    below: float | None = None
    most: float | None = None

    def __contains__(self, value: Any) -> bool:
        # Written so that NaN, which compares as False with everything, is outside of every range.
        low = (self.least is None or value >= self.least) and (self.above is None or value > self.above)
        high = (self.below is None or value < self.below) and (self.most is None or value <= self.most)
        return low and high

    def __str__(self) -> str:
        """` from 1`, ` above 0 and below 1`: what follows "a number" in a message."""
        parts = {" from ": self.least, " above ": self.above, " below ": self.below, " at most ": self.most}
        return " and".join(f"{word}{limit:g}" for word, limit in parts.items() if limit is not None and isfinite(limit))


Count = Annotated[int, Bounds(least=1)]
Natural = Annotated[int, Bounds(least=0)]
Positive = Annotated[float, Bounds(above=0, below=float("inf"))]
NonNegative = Annotated[float, Bounds(least=0, below=float("inf"))]


def did_you_mean(value: object, known: Iterable[object]) -> str:
    """`; did you mean 'x'?` for the valid name nearest to `value`, or nothing where none is near.

    >>> did_you_mean("sofft", ("soft", "sparse"))
    "; did you mean 'soft'?"
    >>> did_you_mean("mean", ("soft", "sparse"))
    ''
    """
    text = value if isinstance(value, str) else shown(value)
    near = get_close_matches(text.lower(), [str(name) for name in known], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def check_choice(field: str, value: object, choices: Collection[object]) -> None:
    """Raises ConfigError unless `value` is one of `choices`."""
    # YAML and JSON may put a list or mapping here, which a set of choices could not be searched for.
    if not any(value == choice and type(value) is type(choice) for choice in choices):
        named = ", ".join("none" if choice is None else str(choice) for choice in choices)
        raise ConfigError(f"{field}: expected one of {named}; got {shown(value)}{did_you_mean(value, choices)}")


def check_known(where: str, names: Iterable[object], known: Collection[str]) -> None:
    """Raises ConfigError for the first of `names` that is not `known`; `where` precedes it, as in "sampler."."""
    for name in names:
        if name not in known:
            listed = f"known are {', '.join(known)}" if known else "no field is known here"
            raise ConfigError(f"{where}{name}: unknown field; {listed}{did_you_mean(name, known)}")


def check_value(field: str, value: object, hint: Any, error: type[DeixisError] = ConfigError) -> None:
    """Raises `error` unless `value` fits the annotation `hint`; an int fits float, a bool fits neither."""
    if get_origin(hint) is dict and isinstance(value, dict):
        for name, item in value.items():
            check_value(f"{field}.{name}", item, get_args(hint)[1], error)
    if not _fits(_python_number(value), hint):
        # 1e-3 without a point is text in YAML 1.1, a common slip.
        numeric = error is ConfigError and isinstance(value, str) and "number" in _expected(hint)
        cause = "; YAML requires 1.0e-3 for 1e-3" if numeric else did_you_mean(value, _choices(hint))
        raise error(f"{field}: expected {_expected(hint)}; got {shown(value)}{cause}")


def check_fields(record: Any, error: type[DeixisError] = ConfigError) -> None:
    """Raises `error` unless every field of a dataclass instance fits its annotation; numbers become Python's own."""
    for name, hint in _hints(type(record)).items():
        value = getattr(record, name)
        check_value(name, value, hint, error)
        if (own := _python_number(value)) is not value:
            object.__setattr__(record, name, own)


def checked_arguments(function: Callable[P, T]) -> Callable[P, T]:
    """The function, which raises InputError, one sentence, for an argument that does not fit its annotation.

    Numbers of NumPy become Python's own. Annotations of other classes than those of options say what fits too.
    """
    own = signature(function)

    @cache
    def hints() -> dict[str, Any]:  # at the first call: the names in annotations may be defined further down
        said = get_annotations(function, eval_str=True)
        named = {name: part for name, part in own.parameters.items() if name in said}
        return {name: said[name] for name, part in named.items() if part.kind not in (VAR_POSITIONAL, VAR_KEYWORD)}

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        given = own.bind(*args, **kwargs)
        for name, value in given.arguments.items():
            if name in hints():
                check_value(name, value, hints()[name], InputError)
                given.arguments[name] = _python_number(value)
        return function(*given.args, **given.kwargs)

    return checked


@no_type_check
class Checked:
    """Base of dataclasses of options, frozen ones too, whose fields are checked at construction (`check_fields`)."""

    def __post_init__(self):
        check_fields(self)


def read_options(cls: type[T], values: Any, where: str) -> T:
    """An instance of the dataclass `cls` from a mapping; an instance of `cls` is returned as it is.

    Lists become tuples. `where` precedes the names of fields in messages: "sampler.", "recipe.yaml: stage a: ".

    Raises:
        ConfigError: `values` is no mapping, a field is unknown or missing, or its value does not fit.
    """
    if isinstance(values, cls):
        return values
    place = where.rstrip(" .:")
    if not isinstance(values, Mapping):
        raise ConfigError(f"{place}: expected fields with values; got {shown(values)}")
    record: Any = cls  # `fields` takes dataclasses only, which a type variable cannot be bound to
    known = {field.name: field for field in fields(record) if field.init}
    check_known(where, values, known)
    for name, field in known.items():
        if field.default is MISSING and field.default_factory is MISSING and name not in values:
            raise ConfigError(f"{where}{name}: expected {_expected(_hints(cls)[name])}; got none")
    try:
        return cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})
    except ConfigError as error:
        raise ConfigError(f"{where}{error}") from None


def check_record(cls: type[T], values: Mapping[str, Any]) -> T:
    """An instance of a dataclass that does not check itself. Raises ConfigError as `read_options`."""
    record: Any = cls
    check_known("", values, {field.name for field in fields(record)})
    for name, hint in _hints(cls).items():
        check_value(name, values.get(name), hint)
    return cls(**values)


def plain_values(record: Any) -> dict[str, Any]:
    """A dataclass instance as JSON and YAML hold it, which `read_options` takes again: tuples become lists."""
    return asdict(record, dict_factory=lambda pairs: {n: list(v) if isinstance(v, tuple) else v for n, v in pairs})


def differences(earlier: Any, now: Any, name: str = "") -> Iterator[str]:
    """What differs between two records of plain values, one phrase for each field, which names it with both values.

    >>> list(differences({"a": {"b": 1}, "c": [1, 2]}, {"a": {"b": 2}, "c": [1, 3]}))
    ['its a.b is 1, now it is 2', 'its c[1] is 2, now it is 3']
    """
    if isinstance(earlier, dict) and isinstance(now, dict):
        for field in dict.fromkeys((*earlier, *now)):
            yield from differences(earlier.get(field), now.get(field), f"{name}.{field}".lstrip("."))
    elif isinstance(earlier, list) and isinstance(now, list) and len(earlier) == len(now):
        for index, pair in enumerate(zip(earlier, now, strict=True)):
            yield from differences(*pair, f"{name}[{index}]")
    elif earlier != now:
        yield f"its {name} is {_short(earlier)}, now it is {_short(now)}"


def shown(value: object) -> str:
    """A value for a sentence; of a long one its beginning, of a large number its bits, of an array its class.

    >>> shown("a"), shown(2**64), shown(object())
    ("'a'", 'a whole number of 65 bits', 'object')
    """
    if isinstance(value, int) and value.bit_length() > NUMBER_BITS:
        return f"a whole number of {value.bit_length()} bits"
    if not (value is None or isinstance(value, str | bytes | bool | Number | list | tuple | Mapping)):
        return type(value).__name__
    try:
        if isinstance(value, str | bytes | list | tuple) and len(value) > SHOWN_LENGTH:
            return f"{value[:SHOWN_LENGTH]!r:.{SHOWN_LENGTH}}... of length {len(value)}"
        return f"{value!r:.{SHOWN_LENGTH}}"
    except ValueError:  # Python writes no number of more than 4300 digits
        return f"a {type(value).__name__} with a number of thousands of digits"


def length_of(values: Any) -> int | None:
    """How many items a list, an array or the like has; None for what has no length, as an array without dimensions."""
    try:
        return len(values)
    except TypeError:
        return None


def _python_number(value: Any) -> Any:
    """A number of NumPy as Python's own; anything else as it is."""
    return value.item() if isinstance(value, Number) and hasattr(value, "item") else value


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


@cache
def _hints(cls: Any) -> dict[str, Any]:
    # `typing.get_type_hints` gives nothing for a class under `@no_type_check`.
    every = {name: hint for base in cls.__mro__[::-1] for name, hint in get_annotations(base, eval_str=True).items()}
    return {field.name: every[field.name] for field in fields(cls) if field.init}


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType)


def _choices(hint: Any) -> tuple[Any, ...]:
    """The values that a `Literal`, also one inside of a union, names."""
    if _is_union(hint):
        return tuple(choice for part in get_args(hint) for choice in _choices(part))
    return get_args(hint) if get_origin(hint) is Literal else ()


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value fits an annotation; an int fits float, a bool fits neither."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if hint is None or hint is type(None):
        return value is None
    if _is_union(hint):
        return any(_fits(value, part) for part in arguments)
    if origin is Literal:
        return any(value == choice and type(value) is type(choice) for choice in arguments)
    if origin is Annotated:
        return _fits(value, arguments[0]) and all(value in part for part in arguments[1:])
    if origin is tuple:
        items = arguments[:1] * len(value) if arguments[-1] is ... and isinstance(value, tuple) else arguments
        return isinstance(value, tuple) and len(value) == len(items) and all(map(_fits, value, items))
    if origin in (list, Sequence):
        return (
            isinstance(value, origin)
            and not isinstance(value, str)
            and all(_fits(item, arguments[0]) for item in value)
        )
    if origin is dict:
        key, own = arguments
        return isinstance(value, dict) and all(_fits(name, key) and _fits(item, own) for name, item in value.items())
    if hint in (int, float):
        return isinstance(value, int if hint is int else int | float) and not isinstance(value, bool)
    return isinstance(value, origin or hint)


def _expected(hint: Any) -> str:
    """What an annotation accepts, in words: "a whole number from 1", "one of soft, sparse"."""
    words = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "none"}
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in words:
        return words[hint]
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if _is_union(hint):
        return " or ".join(_expected(part) for part in arguments)
    if origin is Annotated:
        return _expected(arguments[0]) + "".join(map(str, arguments[1:]))
    if origin in (tuple, list, Sequence):
        return f"a list, each item {_expected(arguments[0])}"
    if (origin or hint) is Iterable:
        return "a list"
    if isinstance(hint, type) and not issubclass(hint, Checked | Mapping):
        return f"a {hint.__name__}"
    return f"fields of {hint.__name__}" if is_dataclass(hint) else "fields with values"
