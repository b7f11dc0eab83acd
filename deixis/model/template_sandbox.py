"""Chat templates of strangers, rendered within limits: Jinja that reads messages and writes text, and can do no more.

Jinja's sandbox keeps a template from Python's internals, not from filling the memory: `'a' * 10**9`, loops in loops, a
text that is doubled forty times. Here every step and every character that a template writes is charged to a budget
before it is made. Filters and methods are those that chat templates use, and none that pads or formats.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from datetime import datetime
from functools import lru_cache
from typing import Any

from jinja2 import Environment, Template, nodes, pass_context
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.ext import Extension
from jinja2.filters import do_indent
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from deixis.errors import CheckpointError, one_line

MAX_SOURCE = 100_000
"""Characters of a template; the longest published ones, with tools, have a fifth of it."""
MAX_TEXT = 4_000_000
"""Characters of a conversation, and of a value on the way: more than any language model reads."""
MAX_WORK = 20_000_000
"""Characters that a rendering may read and write; a long conversation takes a hundredth."""
STEP = 1000
"""Characters that a step of a loop and a call count as, beside a tenth of the template."""
VALUE = 10
"""Characters that a value in a list counts as."""
MAX_DIGITS = 1000  # of a number
MAX_INDENT = 64
FILTERS = (
    *("abs", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float", "groupby", "int"),
    *("items", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "round"),
    *("safe", "select", "selectattr", "sort", "string", "striptags", "title", "trim", "unique", "upper", "wordcount"),
)
METHODS: dict[type, frozenset[str]] = {
    str: frozenset(
        (
            *("capitalize", "casefold", "count", "endswith", "find", "index", "isalnum", "isalpha", "isdecimal"),
            *("isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper", "join", "lower", "lstrip"),
            *("partition", "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rpartition", "rsplit"),
            *("rstrip", "split", "splitlines", "startswith", "strip", "swapcase", "title", "upper"),
        )
    ),
    dict: frozenset(("get", "items", "keys", "values")),
    list: frozenset(("count", "index")),
    tuple: frozenset(("count", "index")),
    int: frozenset(),
    float: frozenset(),
}
"""What may be called of a value."""
_DATE_FORMAT = re.compile(r"(?:[^%]|%-?[A-Za-z%])*")


class _Budget:
    """What a rendering of a template of `length` characters has left of `MAX_WORK`."""

    def __init__(self, length: int):
        self.left, self.step = MAX_WORK, STEP + length // 10

    def charge(self, amount: int) -> None:
        self.left -= amount
        if self.left < 0:
            raise SecurityError(f"it takes more than {MAX_WORK // 10**6} million characters of work")


_BUDGET: ContextVar[_Budget] = ContextVar("budget of the rendering")


def render_template(source: str, variables: Mapping[str, Any]) -> str:
    """The text that a template writes of plain values.

    Raises CheckpointError for one that is no template, fails, or goes beyond the limits.
    """
    template = compiled(source)
    pieces, length = [], 0
    before = _BUDGET.set(_Budget(len(source)))
    try:
        for piece in template.generate(**variables):
            pieces.append(piece)
            length += len(piece)
            if length > MAX_TEXT:
                raise SecurityError(f"it writes more than {MAX_TEXT // 10**6} million characters")
    except Exception as error:  # what a template does may end in any error
        raise _refused("cannot be rendered", error) from error
    finally:
        _BUDGET.reset(before)
    return "".join(pieces)


@lru_cache(maxsize=8)
def compiled(source: str) -> Template:
    """The template, whose loops, texts and lists are counted. Raises CheckpointError for text that is none."""
    if len(source) > MAX_SOURCE:
        raise CheckpointError(f"the chat template: expected at most {MAX_SOURCE} characters, got {len(source)}")
    try:
        return _ENVIRONMENT.from_string(_Counted().visit(_ENVIRONMENT.parse(source)))
    except Exception as error:  # of Jinja, and of Python's compiler behind it
        raise _refused("is damaged", error) from error


def _refused(what: str, error: Exception) -> CheckpointError:
    line = getattr(error, "lineno", None)
    where = f"line {line}: " if isinstance(line, int) else ""
    return CheckpointError(
        f"the chat template: it {what} ({where}{one_line(error, 200)}); take the template of the published model"
    )


class _Counted(NodeTransformer):
    """Sends what loops run over, and what is put together, filtered, compared and cut, through filters that count."""

    def visit_For(self, node: nodes.For) -> nodes.For:
        if node.recursive:
            raise SecurityError(f"expected loops that do not call themselves, got one in line {node.lineno}")
        self.generic_visit(node)
        node.iter = _filter(node.iter, "_counted")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:
        self.generic_visit(node)
        return _filter(nodes.List(node.nodes, lineno=node.lineno), "join")

    def visit_List(self, node: nodes.List) -> nodes.Expr:
        self.generic_visit(node)
        return _filter(node, "_weighed")

    def visit_Dict(self, node: nodes.Dict) -> nodes.Expr:
        self.generic_visit(node)
        return _filter(node, "_weighed")

    def visit_Filter(self, node: nodes.Filter) -> nodes.Expr:
        self.generic_visit(node)
        node.node = None if node.node is None else _filter(node.node, "_passed")
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:
        self.generic_visit(node)
        node.node = _filter(node.node, "_passed")
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Expr:
        self.generic_visit(node)
        node.expr = _filter(node.expr, "_passed")
        for operand in node.ops:
            operand.expr = _filter(operand.expr, "_passed")
        return node

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Expr:
        self.generic_visit(node)
        return _filter(node, "_weighed") if node.ctx == "load" else node


def _filter(node: Any, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


class _Generation(Extension):
    """`{% generation %}`, which marks answers for training elsewhere: what is inside is written as it is."""

    tags = {"generation"}

    def parse(self, parser: Any) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(("+", "*", "**", "%"))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        _check_operands(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        names = next((names for kind, names in METHODS.items() if isinstance(obj, kind)), None)
        return super().is_safe_attribute(obj, attr, value) if names is None else attr in names

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        return None  # then it is a method like others, and none of `METHODS`

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        budget = _BUDGET.get()
        budget.charge(budget.step)
        owner, name = getattr(obj, "__self__", None), getattr(obj, "__name__", "")
        if isinstance(owner, str):
            budget.charge(len(owner))
            if name == "replace":
                return _replaced(context, owner, *args, **kwargs)
            if name == "join":
                return _joined(context, *args, d=owner, **kwargs)
        made = super().call(context, obj, *args, **kwargs)
        if isinstance(made, range | dict):
            budget.charge(VALUE * len(made) if isinstance(made, range) else _weight(made))
        return made


def _check_operands(operator: str, left: Any, right: Any) -> None:
    """Raises SecurityError for an operation whose result would be large."""
    sizes = [len(value) for value in (left, right) if isinstance(value, str | list | tuple)]
    if operator == "%" and isinstance(left, str):
        raise SecurityError("expected no formats by %")
    if operator == "*" and sizes:
        _check_length(sizes[0] * max((n for n in (left, right) if isinstance(n, int)), default=1))
        _BUDGET.get().charge(_weight(left if isinstance(left, list | tuple) else 0))
    elif operator == "+" and sizes:
        _check_length(sum(sizes))
    elif operator in ("*", "**") and isinstance(left, int) and isinstance(right, int):
        digits = left.bit_length() * (right if operator == "**" else 1) + right.bit_length()
        if digits > MAX_DIGITS:
            raise SecurityError(f"expected numbers of at most {MAX_DIGITS} binary digits")


def _check_length(length: int) -> None:
    if length > MAX_TEXT:
        raise SecurityError(f"expected texts of at most {MAX_TEXT // 10**6} million characters, got {length}")
    _BUDGET.get().charge(length)


def _weight(value: Any) -> int:
    """Characters in a value written out, about. Raises SecurityError for more than `MAX_TEXT`."""
    waiting, weight = [value], 0
    while waiting:
        own = waiting.pop()
        weight += VALUE + (len(own) if isinstance(own, str) else 0)
        if isinstance(own, dict):
            waiting += [*own, *own.values()]
        elif isinstance(own, list | tuple):
            waiting += own
        if weight + VALUE * len(waiting) > MAX_TEXT:
            raise SecurityError(f"expected values of at most {MAX_TEXT // 10**6} million characters")
    return weight


# with the context, so that Jinja does not compute them already while it compiles


@pass_context
def _counted(context: Context, values: Iterable[Any]) -> Iterator[Any]:
    budget = _BUDGET.get()
    for value in () if isinstance(values, Undefined) else values:
        budget.charge(budget.step)
        yield value


@pass_context
def _passed(context: Context, value: Any) -> Any:
    if isinstance(value, str | list | tuple | dict | range):
        _BUDGET.get().charge(len(value) * (1 if isinstance(value, str) else VALUE))
    return value


@pass_context
def _weighed(context: Context, value: Any) -> Any:
    _BUDGET.get().charge(_weight(value))
    return value


@pass_context
def _written(context: Context, value: Any) -> Any:
    if not isinstance(value, Undefined):
        _BUDGET.get().charge(_weight(value))
    return value


@pass_context
def _joined(context: Context, value: Iterable[Any], d: str = "", attribute: str | None = None) -> str:
    if attribute is not None:
        raise SecurityError("expected join without an attribute")
    items = [str(_written(context, item)) for item in value]
    _check_length(sum(map(len, items)) + len(d) * len(items))
    return d.join(items)


@pass_context
def _replaced(context: Context, text: Any, old: str, new: str, count: int = -1) -> str:
    text, old, new = str(_written(context, text)), str(old), str(new)
    found = text.count(old)
    _check_length(
        len(text) + max(len(new) - len(old), 0) * (found if count is None or count < 0 else min(found, count))
    )
    return text.replace(old, new, -1 if count is None else count)


@pass_context
def _as_json(context: Context, value: Any, indent: int | None = None, **options: Any) -> str:
    _written(context, value)
    known: dict[str, Any] = {"ensure_ascii": False, "indent": indent}
    known |= {name: options[name] for name in ("ensure_ascii", "separators", "sort_keys") if name in options}
    if indent is not None and not 0 <= indent <= MAX_INDENT:
        raise SecurityError(f"expected an indent of at most {MAX_INDENT}, got {indent}")
    return json.dumps(value, **known)


@pass_context
def _indented(context: Context, text: str, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    if not (len(width) if isinstance(width, str) else width) <= MAX_INDENT:
        raise SecurityError(f"expected an indent of at most {MAX_INDENT}, got {str(width)[:40]}")
    return do_indent(str(_written(context, text)), width, first, blank)


def _raise(message: Any) -> None:
    raise TemplateError(str(message)[:200])


def _now(style: str) -> str:
    if len(style) > MAX_INDENT or not _DATE_FORMAT.fullmatch(style):
        raise SecurityError("expected a short format of a date")
    return datetime.now().strftime(style)


def _environment() -> Environment:
    made = _Sandbox(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, "jinja2.ext.loopcontrols"], finalize=_written
    )
    made.filters = {name: made.filters[name] for name in FILTERS} | {
        **{"_counted": _counted, "_passed": _passed, "_weighed": _weighed, "join": _joined, "replace": _replaced},
        **{"tojson": _as_json, "indent": _indented},
    }
    for name in ("lipsum", "cycler", "joiner"):
        del made.globals[name]
    names: dict[str, Any] = made.globals
    names |= {"dict": dict, "raise_exception": _raise, "strftime_now": _now}
    return made


_ENVIRONMENT = _environment()
