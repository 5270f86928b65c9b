"""From the words of the command line to classifiers, methods and questions."""

from collections.abc import Iterable, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import torch

from rather.batch import Batch
from rather.catalogue import EDITORS, EXPLAINERS, INFILLERS, METHODS
from rather.classifier import Classifier, digest
from rather.commands import options
from rather.data.classes import resolve
from rather.data.photos import Photos
from rather.editor import Editor
from rather.explainer import Explainer
from rather.infiller import Infiller
from rather.models import load
from rather.question import Question
from rather.settling import rebuilt
from rather.spec import build
from rather.types import Labels
from rather.view import View

RUNNER_UP = "runner-up"
AT = 224  # pixels that the default method is meant for
FEW = 4  # what is kept, and shown, once it is whole has that share of the best batch


def classifier(
    name: str,
    device: str = "auto",
    engine: str = "torch",
    size: int | None = None,
    white: float | None = None,
) -> Classifier:
    """Load a classifier by name, and make it fast."""
    if engine not in ("torch", "openvino"):
        raise ValueError(f"--engine is {engine!r}; there are torch and openvino")
    found = load(name, device=place(device))
    if size is not None:
        found.view = resized(found.view, size)
    if white is not None:
        found.view = replace(found.view, white=white)
    return found.prepare(cast(Literal["torch", "openvino"], engine))


def resized(view: View, size: int) -> View:
    """The same part of the photo at another size."""
    resize = None if view.resize is None else round(size * view.resize / view.crop)
    return replace(view, crop=size, resize=resize)


def place(device: str) -> torch.device:
    """The device of that name; "auto" is the fastest there is."""
    if device == "auto":
        mps = torch.backends.mps.is_available()
        device = "cuda" if torch.cuda.is_available() else "mps" if mps else "cpu"
    try:
        return torch.ones(1, device=device).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"--device {device} is of no use here: {reason}; try cpu") from error


def identity(of: Classifier) -> dict[str, str]:
    """All of a classifier that its answers depend on."""
    return {"name": of.name, "weights": digest(of), "view": repr(of.view), "engine": of.engine}


def photos(paths: Sequence[Path], of: Classifier, at_once: int | None = None) -> Photos:
    """The photos as the classifier looks at them, by default as many as it is fastest with."""
    return Photos(paths, of.view, at_once or of.batch)


def few(paths: Sequence[Path], of: Classifier, most: int | None = None) -> Photos:
    """The photos a few at a time, for work that is kept as it goes on."""
    share = max(1, of.batch // FEW)
    return photos(paths, of, min(most or share, share))


def bounded_anew(method: Any) -> Any:
    """The method with its own bounds on what is held at once, at any depth: no result has them."""

    def change(part: Any) -> Any:
        if not is_dataclass(part) or isinstance(part, type):
            return part
        usual = {one.name: one.default for one in fields(part) if one.name == "batch"}
        if usual in ({}, {"batch": MISSING}, {"batch": getattr(part, "batch", None)}):
            return part
        return rebuilt(replace(part, **usual), change)

    return rebuilt(method, change)


def failures(found: Photos) -> list[tuple[str, str]]:
    """Files that were tried in vain; what folders hold besides photos does not count."""
    left_out = set(found.left_out)
    return [failed for failed in found.failed if failed not in left_out]


def suited(method: Explainer, by: str, view: View) -> Explainer:
    """The default method with squares of the same share of the image as at 224 pixels."""
    if by != options.BY or view.crop == AT:
        return method
    size, stride = (max(1, round(view.crop * side / AT)) for side in (48, 16))
    return cast(Explainer, changed(method, size=size, stride=stride))


def differing(
    of: Classifier, batch: Batch, target: str | None, foil: str | None
) -> tuple[Batch | None, list[tuple[str, str]]]:
    """The photos whose answer is not the foil itself, where the answer is asked about; the rest."""
    if target is not None or foil is None or foil == RUNNER_UP:
        return batch, []
    same = of(batch.images).argmax(1) == resolve(foil, of)
    reason = f"its answer is {foil!r}, the foil; give --target to ask about it"
    failed = [(batch.names[row], reason) for row in same.nonzero()[:, 0].tolist()]
    rest = (~same).nonzero()[:, 0]
    return (batch.at(rest) if len(rest) else None), failed


def on(device: torch.device, batch: Batch) -> Batch:
    """The same batch on a device."""
    return replace(batch, images=batch.images.to(device), labels=batch.labels.to(device))


def explainer(by: str, **changes: Any) -> Explainer:
    """Build a method and change fields of it."""
    found = build(by, METHODS)
    if EXPLAINERS.get(type(found).__name__) is not type(found):
        raise ValueError(f"--by {by!r} is no explainer; there are {', '.join(EXPLAINERS)}")
    return changed(found, **changes)


def infiller(text: str) -> Infiller:
    """Build an in-fill."""
    found = build(text, METHODS)
    if INFILLERS.get(type(found).__name__) is not type(found):
        raise ValueError(f"--infiller {text!r} is no in-fill; there are {', '.join(INFILLERS)}")
    return found


def editor(text: str) -> Editor:
    """Build an editor."""
    found = build(text, METHODS)
    if EDITORS.get(type(found).__name__) is not type(found):
        raise ValueError(f"--editor {text!r} is no editor; there are {', '.join(EDITORS)}")
    return found


def changed(method: Any, **changes: Any) -> Any:
    """Change fields of a method; None leaves a field as it is."""
    names = [field.name for field in fields(method)]
    if "infiller" not in names and "baseline" in names:
        changes["baseline"] = changes.pop("infiller", None)
    wanted = {name: value for name, value in changes.items() if value is not None}
    for name in wanted:
        if name not in names:
            called = "infiller" if name == "baseline" else name
            raise ValueError(
                f"--{called} does not fit {type(method).__name__}, which has no such field; "
                f"it has {', '.join(names)}"
            )
    return replace(method, **wanted)


def question(of: Classifier, batch: Batch, target: str | None, foil: str | None) -> Question:
    """Why the target, or what the classifier answers, rather than the foil, if there is one."""
    logits = of(batch.images)
    asked = logits.argmax(1) if target is None else _all(resolve(target, of), logits)
    if foil is None:
        return Question(asked)
    if foil == RUNNER_UP:
        return Question(asked, logits.scatter(1, asked[:, None], -torch.inf).argmax(1))
    other = _all(resolve(foil, of), logits)
    if (asked == other).any():
        name = of.name_of(int(other[0]))
        raise ValueError(f"target and foil are both {name!r}; ask for two classes that differ")
    return Question(asked, other)


def best(of: Classifier, logits: torch.Tensor, count: int) -> list[dict[str, Any]]:
    """The likeliest classes of one image."""
    top = logits.softmax(0).topk(min(count, len(logits)))
    pairs: Iterable[tuple[int, float]] = zip(top.indices.tolist(), top.values.tolist(), strict=True)
    return [
        {
            "class": label,
            "id": of.ids[label] if label < len(of.ids) else None,
            "name": of.name_of(label),
            "probability": chance,
        }
        for label, chance in pairs
    ]


def _all(label: int, like: torch.Tensor) -> Labels:
    return torch.full((len(like),), label, device=like.device)
