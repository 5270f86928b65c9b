"""Methods from text and to text: what `repr` prints, the command line reads."""

import ast
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from inspect import signature
from pathlib import Path
from typing import Any

from torch import Tensor

from rather.hints import check

FIRST = ""  # the keyword of what stands first without one
READY = "as_"  # how the class methods begin that give settings which belong together


@dataclass(frozen=True)
class Opaque:
    """Stands for a method that text cannot hold, such as a function of the user's own."""

    name: str

    def __call__(self, *_: Any) -> Any:
        raise ValueError(
            f"{self.name} was recorded by its name alone, so it cannot run again; make it anew"
        )


def build(text: str, known: Mapping[str, Any]) -> Any:
    """Build a method from a call of known names with keywords, nested at will; nothing is run.

    A bare name is a call without keywords. Values are literals, methods, or tuples of them; a
    method or a string may stand first without its keyword, as in `Edited(PixelAscent())`. A method
    with a paper's settings has them as `Fido.as_published(objective="sdr")`; so it is with all
    class methods whose names begin with `as_`.

    >>> from rather import explainers, infillers
    >>> known = {name: getattr(explainers, name) for name in explainers.__all__}
    >>> known |= {name: getattr(infillers, name) for name in infillers.__all__}
    >>> build("Occlusion(size=8, stride=4, infiller=Constant(value=0.0))", known).size
    8
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise ValueError(f"cannot read {text!r}: {error.msg}") from error
    return _value(tree.body, text, known)


def text(method: Any, known: Mapping[str, Any], hold: Callable[[Tensor], str]) -> str:
    """Write a method such that `build` reads it; what it cannot read becomes `Opaque`.

    Args:
        method: a method, or a value of one of its fields.
        known: the methods that `build` will know.
        hold: keeps a tensor elsewhere and answers with the text that brings it back.
    """
    match method:
        case Tensor():
            return hold(method)
        case None | bool() | int() | float() | str():
            return repr(method)
        case Path():
            return repr(str(method))
        case tuple() | list():
            return "(" + "".join(f"{text(part, known, hold)}, " for part in method) + ")"
    name = type(method).__name__
    if not is_dataclass(method) or known.get(name) is not type(method):
        return repr(Opaque(_called(method)))
    kept = [field.name for field in fields(method) if field.init]
    parts = [f"{field}={text(getattr(method, field), known, hold)}" for field in kept]
    return f"{name}({', '.join(parts)})"


def _called(method: Any) -> str:
    name = getattr(method, "__qualname__", None)
    return repr(method) if name is None else f"{method.__module__}.{name}"


def _value(node: ast.expr, text: str, known: Mapping[str, Any]) -> Any:
    match node:
        case ast.Call(func=func, args=[], keywords=keywords):
            return _method(func, keywords, text, known)
        case ast.Call(
            func=func,
            args=[ast.Call() | ast.Name() | ast.Constant(value=str()) as first],
            keywords=keywords,
        ):
            return _method(func, [ast.keyword(FIRST, first), *keywords], text, known)
        case ast.Name():
            return _method(node, [], text, known)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return tuple(_value(part, text, known) for part in parts)
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case _:
            raise _unreadable(node, text)


def _unreadable(node: ast.expr, text: str) -> ValueError:
    part = ast.get_source_segment(text.strip(), node)
    return ValueError(f"{part!r} is neither a literal nor Name(keyword=value, ...)")


def _method(
    func: ast.expr, keywords: list[ast.keyword], text: str, known: Mapping[str, Any]
) -> Any:
    match func:
        case ast.Name(id=name):
            return _made(name, known[_one_of(known, "method", name)], keywords, text, known)
        case ast.Attribute(value=ast.Name(id=name), attr=attr) if attr.startswith(READY):
            method = known[_one_of(known, "method", name)]
            ready = [each for each in dir(method) if each.startswith(READY)]
            if not ready:
                raise ValueError(f"{name} has no settings of a paper; leave out .{attr}")
            make = getattr(method, _one_of(ready, f"setting of {name}", attr))
            return _made(f"{name}.{attr}", make, keywords, text, known)
        case _:
            raise _unreadable(func, text)


def _made(
    name: str, method: Any, keywords: list[ast.keyword], text: str, known: Mapping[str, Any]
) -> Any:
    names = list(signature(method).parameters)
    chosen = {
        _one_of(names, f"field of {name}", _field(keyword, names)): _value(
            keyword.value, text, known
        )
        for keyword in keywords
    }
    check(name, method, chosen)
    try:
        return method(**chosen)
    except TypeError as error:
        raise ValueError(f"cannot make {name} from {text!r}: {error}") from error


def _field(keyword: ast.keyword, names: list[str]) -> str:
    return str(keyword.arg) if keyword.arg != FIRST else next(iter(names), FIRST)


def _one_of(names: Collection[str], kind: str, name: str) -> str:
    if name not in names:
        near = get_close_matches(name, names, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ";"
        listed = ", ".join(sorted(names))
        raise ValueError(f"no {kind} is called {name!r}{hint} there are {listed}")
    return name
