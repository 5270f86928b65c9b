"""The budgets of the design, measured: `make check` fails where one is exceeded.

A function's length is its lines of code below the signature, without docstring, comments and blank
lines. Cyclomatic complexity is ruff's part (C90).
"""

import ast
import io
import statistics
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

SOURCE = Path(__file__).resolve().parent.parent / "src" / "rather"
MEDIAN, NINTH, LONGEST, FILE = 6, 15, 40, 250
PARENTS = {"Module", "Protocol", "Exception", "ValueError", "RuntimeError", "Generic", "NamedTuple"}
PARENTS |= {"ReLU6", "SiLU", "Hardswish", "Conv2dSame", "Function"}  # leaner layers of a kind
PRINTERS = ("cli.py", "commands")  # what may write to the screen
SILENT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
SUPPRESSIONS = ("no" + "qa", "type" + ": ignore", "pyright" + ": ignore", "TO" + "DO", "FIX" + "ME")

Def: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class File:
    """A source file, parsed once."""

    path: Path
    text: str
    tree: ast.Module
    lines: frozenset[int]  # those with code

    @classmethod
    def read(cls, path: Path) -> "File":
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        return cls(path, text, tree, frozenset(_code(text)) - frozenset(_docstrings(tree)))

    def functions(self) -> Iterator[Def]:
        return (node for node in ast.walk(self.tree) if isinstance(node, Def))

    def length(self, function: Def) -> int:
        end = function.body[-1].end_lineno or function.lineno
        return sum(function.body[0].lineno <= line <= end for line in self.lines)

    def at(self, node: Def | ast.ClassDef | ast.Call) -> str:
        return f"{self.path.relative_to(SOURCE)}:{node.lineno}"


def breaches(files: list[File]) -> list[str]:
    """Every budget that is exceeded, in words."""
    lengths = sorted(file.length(function) for file in files for function in file.functions())
    median, ninth = statistics.median(lengths), statistics.quantiles(lengths, n=10)[-1]
    size = max(file.text.count("\n") for file in files)
    sys.stdout.write(
        f"{len(files)} files, the longest of {size} lines (at most {FILE}); {len(lengths)} "
        f"functions: median {median:g} (at most {MEDIAN}), 90th percentile {ninth:g} (at most "
        f"{NINTH}), longest {lengths[-1]} lines of code (at most {LONGEST})\n"
    )
    found = [f"the median function has {median:g} lines"] if median > MEDIAN else []
    found += [f"the 90th percentile is {ninth:g} lines"] if ninth > NINTH else []
    return found + [breach for file in files for breach in of_file(file)]


def of_file(file: File) -> Iterator[str]:
    """What is wrong with one file."""
    name, lines = file.path.relative_to(SOURCE), file.text.splitlines()
    if len(lines) > FILE:
        yield f"{name} has {len(lines)} lines"
    for number, line in enumerate(lines, start=1):
        yield from (f"{name}:{number} has {word!r}" for word in SUPPRESSIONS if word in line)
    for node in ast.walk(file.tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from of_function(file, node)
            case ast.ClassDef():
                yield from of_class(file, node)
            case ast.Call(func=ast.Name(id="print")) if name.parts[0] not in PRINTERS:
                yield f"{file.at(node)} prints"


def of_function(file: File, function: Def) -> Iterator[str]:
    length = file.length(function)
    if length > LONGEST:
        yield f"{file.at(function)} {function.name} has {length} lines of code"
    every = function.args
    named = [*every.posonlyargs, *every.args, *every.kwonlyargs, every.vararg, every.kwarg]
    for argument in named:
        if argument and not argument.annotation and argument.arg not in ("self", "cls"):
            yield f"{file.at(function)} {function.name}({argument.arg}) is not annotated"
    if function.returns is None:
        yield f"{file.at(function)} {function.name} does not say what it returns"


def of_class(file: File, node: ast.ClassDef) -> Iterator[str]:
    for base in node.bases:
        inner = base.value if isinstance(base, ast.Subscript) else base
        name = inner.attr if isinstance(inner, ast.Attribute) else getattr(inner, "id", "?")
        if name not in PARENTS:
            yield f"{file.at(node)} {node.name} inherits from {name}"


def _code(text: str) -> Iterator[int]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in SILENT and token.type != tokenize.ENDMARKER:
            yield from range(token.start[0], token.end[0] + 1)


def _docstrings(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, Def | ast.ClassDef | ast.Module) and ast.get_docstring(node):
            first = node.body[0]
            yield from range(first.lineno, (first.end_lineno or first.lineno) + 1)


def main() -> int:
    found = breaches([File.read(path) for path in sorted(SOURCE.rglob("*.py"))])
    for breach in found:
        sys.stdout.write(f"{breach}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
