"""The check of types while the tests run: jaxtyping's of functions with arrays, and beartype alone of all others.

jaxtyping binds the arguments in Python and has them checked twice, so as to compare the axes of arrays; of seven
functions one has any.
"""

import inspect
from typing import Any, ForwardRef, Literal, Self, get_args, get_origin

import jaxtyping
from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray, TypeCheckError, _decorator

_of_arrays: Any = jaxtyping.jaxtyped
_MISSING = object()
_BY_BEARTYPE = beartype(conf=BeartypeConf(is_pep484_tower=True, violation_type=TypeCheckError))


def checked(fn: Any = _MISSING, *, typechecker: Any) -> Any:
    """`fn` checked, in the place of `jaxtyping.jaxtyped`."""
    if fn is _MISSING:
        return _of_arrays(typechecker=typechecker)
    if inspect.isfunction(fn) and not any(map(_needs_jaxtyping, fn.__annotations__.values())):
        return _BY_BEARTYPE(fn)
    return _of_arrays(fn, typechecker=typechecker)


def _needs_jaxtyping(hint: Any) -> bool:
    """Whether a hint names an array, or a class by its name alone, which may not be imported at run time."""
    if isinstance(hint, (str, ForwardRef)) or hint is Self:
        return True
    if inspect.isclass(hint) and issubclass(hint, AbstractArray):
        return True
    parts = hint if isinstance(hint, list) else () if get_origin(hint) is Literal else get_args(hint)
    return any(map(_needs_jaxtyping, parts))


def install() -> None:
    """Lets the import hook, and jaxtyping itself within classes, use `checked`."""
    jaxtyping.jaxtyped = _decorator.jaxtyped = checked
