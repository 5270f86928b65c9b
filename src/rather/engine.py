"""The same classifier, faster: what `Classifier.prepare` does, and how it checks itself."""

import copy
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from rather.classifier import Classifier, gradient
from rather.folding import Pair, find, fold
from rather.lean import lean
from rather.question import Question
from rather.types import Images, Logits

LOGITS = 1e-4  # largest difference, as a share of the largest logit or of 1
# Norm of the difference, as a share of the gradient's, for the image where it is less. Rounding
# alone turns a few ReLUs on or off, and a gradient jumps: by 1 % in one of two images where
# parameters change by one part in ten million. A wrong gradient is wrong in both.
GRADIENT = 0.02


def prepared(
    classifier: Classifier, engine: Literal["torch", "openvino"], batch: int | None
) -> Classifier:
    """A faster copy of a classifier; see `Classifier.prepare`."""
    check = Check.of(classifier)
    faster, done = _in_torch(classifier, check)
    faster.batch = batch or (16 if faster.device.type == "cpu" else 64)
    faster.engine = ", ".join(("torch", *done))
    if engine == "openvino":
        _attach_openvino(faster, check)
    return faster


def _attach_openvino(faster: Classifier, check: "Check") -> None:
    from rather.openvino_engine import OpenVino

    faster.without_gradient = OpenVino(faster, check.images)
    if check.same_logits(faster):
        faster.engine = f"openvino, with gradients from {faster.engine}"
    else:
        faster.without_gradient = None
        faster.engine += ", openvino left out: it answers otherwise"


@dataclass(frozen=True, eq=False)
class Check:
    """Made-up images, and what a classifier answers to them: others must answer the same."""

    images: Images
    question: Question
    logits: Logits
    gradient: Images | None

    @classmethod
    def of(cls, classifier: Classifier) -> "Check":
        images = made_up(classifier)
        with torch.no_grad():
            logits = _answer(classifier, images)
        question = Question(logits.argmax(1))
        return cls(images, question, logits, _slope(classifier, images, question))

    @torch.no_grad()
    def same_logits(self, classifier: Classifier) -> bool:
        answer = classifier(self.images)
        limit = LOGITS * self.logits.abs().max().clamp(min=1)
        return bool((answer - self.logits).abs().max() <= limit)

    def same_gradient(self, classifier: Classifier) -> bool:
        if self.gradient is None:
            return True
        slope = gradient(classifier, self.images, self.question)
        off, size = (part.flatten(1).norm(dim=1) for part in (slope - self.gradient, self.gradient))
        return bool((off <= GRADIENT * size).any())

    def passes(self, classifier: Classifier) -> bool:
        return self.same_logits(classifier) and self.same_gradient(classifier)


def made_up(classifier: Classifier) -> Images:
    """A smooth image with a little noise, and one of noise, of the size it looks at."""
    size = classifier.view.crop
    noise = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    coarse = F.interpolate(noise[:1, :, :8, :8], size=(size, size), mode="bilinear")
    return torch.cat([coarse.lerp(noise[:1], 0.2), noise[1:]]).to(classifier.device)


def _answer(classifier: Classifier, images: Images) -> Logits:
    try:
        return classifier(images)
    except (RuntimeError, AssertionError) as error:
        size = classifier.view.crop
        says = unlike(classifier, error) or (
            f"cannot read images of {size} x {size} pixels, so it cannot be prepared "
            f"({reason(error)}); say what it reads: --size, or "
            "Classifier(net, view=View(crop=...))"
        )
        raise ValueError(f"{classifier.name} {says}") from error


def unlike(classifier: Classifier, error: Exception) -> str:
    """Why an error comes of weights that are not float32, in words; empty: it does not."""
    every = {part.dtype for part in classifier.net.parameters() if part.is_floating_point()}
    kinds = ", ".join(sorted(str(kind).removeprefix("torch.") for kind in every - {torch.float32}))
    if not kinds or "type" not in str(error):
        return ""
    return (
        f"has weights of {kinds}, and images are float32 ({reason(error)}); use it, or save it, in "
        "single precision: net.float()"
    )


def reason(error: Exception) -> str:
    """What an error says, in a line: TorchScript says last what went wrong, others first."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1 if "TorchScript" in lines[0] else 0][:200]


def _slope(classifier: Classifier, images: Images, question: Question) -> Tensor | None:
    try:
        return gradient(classifier, images, question)
    except (RuntimeError, ValueError):  # it has no gradient
        return None


def _in_torch(classifier: Classifier, check: Check) -> tuple[Classifier, tuple[str, ...]]:
    try:
        faster = copy.deepcopy(classifier).requires_grad_(False)
    except (RuntimeError, TypeError):
        return copy.copy(classifier), ("as it is: the network cannot be copied",)
    found = find(faster.net, lambda: faster(check.images[:1]))
    faster.folded = _fold(faster, found, check)
    if not check.same_gradient(faster):
        faster = copy.deepcopy(classifier).requires_grad_(False)
    done = (f"{len(faster.folded)} of {len(found)} batch norms folded",) if found else ()
    undo = lean(faster.net)
    if not check.passes(faster):
        undo()
    faster.net.to(memory_format=torch.channels_last)
    if check.passes(faster):
        return faster, (*done, "channels last")
    faster.net.to(memory_format=torch.contiguous_format)
    return faster, done


def _fold(faster: Classifier, found: list[Pair], check: Check) -> dict[str, str]:
    """Fold all pairs, or where that changes the answers, those that do not; return their names."""
    names = {module: name for name, module in faster.net.named_modules()}
    undone = [fold(faster.net, pair) for pair in found]
    kept = found
    if not check.same_logits(faster):
        for undo in reversed(undone):
            undo()
        kept = [pair for pair in found if _fold_one(faster, pair, check)]
    return {names[pair.layer]: names[pair.norm] for pair in kept}


def _fold_one(faster: Classifier, pair: Pair, check: Check) -> bool:
    undo = fold(faster.net, pair)
    same = check.same_logits(faster)
    if not same:
        undo()
    return same
