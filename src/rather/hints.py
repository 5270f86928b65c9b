"""Whether values fit the types that a method declares for its fields."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

PLAIN = (bool, int, float, str, NoneType)
WORDS = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Path: "a path",
    NoneType: "None",
    tuple: "several values in brackets",
}


def check(name: str, method: Callable[..., Any], values: Mapping[str, Any]) -> None:
    """Raise a `ValueError` for the first value that does not fit the field of its name.

    >>> from rather.explainers import Rise
    >>> check("Rise", Rise, {"samples": 50.5})
    Traceback (most recent call last):
    ...
    ValueError: samples of Rise is a whole number, not 50.5
    """
    hints = _hints(method)
    for field, value in values.items():
        if field in hints and not fits(value, hints[field]):
            raise ValueError(f"{field} of {name} is {words(hints[field])}, not {value!r}")


def fits(value: Any, hint: Any) -> bool:
    """Whether a value may stand where the hint does; of what is no literal, it cannot tell."""
    kind = get_origin(hint) or hint
    if kind in (Union, UnionType):
        return any(fits(value, part) for part in get_args(hint))
    if kind is Literal:
        return value in get_args(hint)
    if kind is float:
        return type(value) in (int, float)
    if kind is Path:
        return isinstance(value, str | Path)
    if kind in PLAIN or kind is tuple:
        return type(value) is kind
    return hint is Any or not isinstance(value, PLAIN)


def words(hint: Any) -> str:
    """What may stand where the hint does.

    >>> words(int | None), words(Literal["a", "b"])
    ('a whole number or None', "'a' or 'b'")
    """
    kind = get_origin(hint) or hint
    if kind in (Union, UnionType):
        return " or ".join(map(words, get_args(hint)))
    if kind is Literal:
        return " or ".join(map(repr, get_args(hint)))
    return WORDS.get(kind) or f"of the kind {getattr(kind, '__name__', kind)}"


def _hints(method: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(method)
    except NameError:  # of names that are only there for a type checker
        return {}
