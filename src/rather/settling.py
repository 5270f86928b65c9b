"""In-fills that must know the question, such as an edit towards its foil: `explain` settles them.

An explainer with such an in-fill in a field, at any depth, runs as a copy in which the in-fill that
it came to stands instead; the explanation keeps both, and the counterfactual.
"""

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, Protocol, TypeVar, runtime_checkable

from rather.classifier import Classifier
from rather.editor import Counterfactual, Editor
from rather.infiller import Infiller
from rather.question import Question
from rather.types import Images, Labels

Method = TypeVar("Method")


@runtime_checkable
class Pending(Protocol):
    """An in-fill that cannot fill before it knows who is asked what, of which images."""

    def settled(
        self, classifier: Classifier, images: Images, question: Question, /
    ) -> tuple[Infiller, Counterfactual | None]: ...


@runtime_checkable
class Bound(Protocol):
    """An in-fill that holds something for each image, in order; `at` chooses among them."""

    def at(self, rows: Labels, /) -> Infiller: ...


def settle(
    method: Method, classifier: Classifier, images: Images, question: Question
) -> tuple[Method, Counterfactual | None]:
    """The method with every pending in-fill settled, and the first counterfactual among them."""
    pairs: list[Counterfactual] = []

    def change(part: Any) -> Any:
        if not isinstance(part, Pending):
            return part
        infiller, pair = part.settled(classifier, images, question)
        pairs.extend([] if pair is None else [pair])
        return infiller

    return rebuilt(method, change), next(iter(pairs), None)


def at_rows(method: Method, rows: Labels) -> Method:
    """The method for chosen images alone, for whoever explains a few at a time."""
    return rebuilt(method, lambda part: part.at(rows) if isinstance(part, Bound) else part)


def rebuilt(method: Any, change: Callable[[Any], Any]) -> Any:
    """Change parts of a method at any depth; what has no changed part stays the very same object.

    >>> from rather.infillers import Blur, Samples
    >>> rebuilt(Samples(Blur(2.0)), lambda part: Blur(3.0) if part == Blur(2.0) else part)
    Samples(infiller=Blur(sigma=3.0), k=4)
    """
    changed = change(method)
    if changed is not method:
        return changed
    if isinstance(method, tuple):
        parts = tuple(rebuilt(part, change) for part in method)
        return method if _same(parts, method) else parts
    if not is_dataclass(method) or isinstance(method, type):
        return method
    old = {field.name: getattr(method, field.name) for field in fields(method) if field.init}
    new = {name: rebuilt(part, change) for name, part in old.items()}
    return method if _same(new.values(), old.values()) else replace(method, **new)


def reseeded(editor: Editor, count: int) -> list[Editor]:
    """The editor with as many seeds, its own first.

    Raises:
        ValueError: several are asked for, and it has no seed.
    """
    if count == 1:
        return [editor]
    seed = getattr(editor, "seed", None)
    if seed is None or not is_dataclass(editor) or isinstance(editor, type):
        raise ValueError(
            f"{editor} has no seed, so {count} edits of an image would be the same; take 1"
        )
    return [replace(editor, seed=seed + extra) for extra in range(count)]


def _same(new: Any, old: Any) -> bool:
    return all(one is other for one, other in zip(new, old, strict=True))
