"""Explaining: how much each pixel speaks for a class, rather than another."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Protocol, runtime_checkable

import torch

from rather.batch import Batch, check_images
from rather.classifier import Classifier
from rather.cost import Cost, counting
from rather.editor import Counterfactual
from rather.given import check_batch_given, check_given
from rather.inference import tracked
from rather.notes import noting
from rather.question import Question
from rather.settling import settle
from rather.types import Flags, Heatmaps, Images, Logits, PerImage


@runtime_checkable
class Explainer(Protocol):
    """Rates every pixel by how much it speaks for the target, rather than the foil."""

    def __call__(
        self, classifier: Classifier, images: Images, question: Question, /
    ) -> Heatmaps: ...


def versions() -> dict[str, str]:
    """The versions that a result depends on."""
    packages = {name: version(name) for name in ("rather", "torch", "timm", "numpy", "pillow")}
    return {"python": platform.python_version(), **packages}


@dataclass(frozen=True, eq=False)
class Explanation:
    """What `explain` returns: the heatmaps with everything a metric or a report needs.

    `classifier` and `classes` are the classifier's name and its classes' names, `cost` is what
    the whole batch cost; the seed is a field of the explainer. Where the explainer edits, as with
    `baseline=Edited(...)`, `counterfactual` is what it came to, and `settled` the explainer as it
    ran, with the edited pixels pasted. `notes` are numbers of the method's own, as LIME's R2.
    """

    batch: Batch
    question: Question
    logits: Logits
    heatmaps: Heatmaps
    explainer: Explainer
    classifier: str = ""
    classes: tuple[str, ...] = ()
    cost: Cost = field(default_factory=Cost)
    versions: Mapping[str, str] = field(default_factory=versions)
    settled: Explainer | None = None
    counterfactual: Counterfactual | None = None
    notes: Mapping[str, PerImage] = field(default_factory=dict)

    @property
    def evidence(self) -> Heatmaps:
        """The heatmaps from where nothing is said: 0 for what plays no part, as a figure needs.

        That is a rating of 0, unless the explainer declares another as `nothing`: one that chooses
        a region is sure of what it leaves out.
        """
        return self.heatmaps - getattr(self.explainer, "nothing", 0.0)

    @property
    def empty(self) -> Flags:
        """Whether a region was to be chosen, and none was: all is likelier out of it than in."""
        chooses = hasattr(self.explainer, "nothing")
        return (self.heatmaps.amax((1, 2)) <= 0) & chooses

    @property
    def ran(self) -> Explainer:
        """The explainer as it ran, for whoever asks it again about the same images."""
        return self.explainer if self.settled is None else self.settled

    @property
    def seed(self) -> int | None:
        """The seed that all randomness came from; None where there was none."""
        return getattr(self.explainer, "seed", None)


@torch.inference_mode(False)
@torch.no_grad()
def explain(
    explainer: Explainer, classifier: Classifier, batch: Batch, question: Question | None = None
) -> Explanation:
    """Answer the question for each image; by default: why the class that it answers?

    Raises:
        ValueError: the images are not finite in [0, 1], the question does not fit them, or the
            explainer answered with heatmaps of another shape, or with NaN.
        TypeError: a class stands for a method, a network for a classifier, images for a batch.
    """
    check_given(explainer, classifier)
    check_batch_given(batch)
    batch = tracked(batch)
    images = batch.images
    check_images(images)
    classifier.check_mode()
    with counting(classifier) as cost, noting() as notes:
        logits = classifier(images)
        asked = Question(logits.argmax(1)) if question is None else tracked(question)
        asked.check(*logits.shape)
        settled, pair = settle(explainer, classifier, images, asked)
        heatmaps = settled(classifier, images, asked)
    _check_heatmaps(heatmaps, batch, explainer)
    about = classifier.name, classifier.names, cost, versions()
    return Explanation(batch, asked, logits, heatmaps, explainer, *about, settled, pair, notes)


def _check_heatmaps(heatmaps: Any, batch: Batch, explainer: Explainer) -> None:
    if not isinstance(heatmaps, torch.Tensor) or not heatmaps.is_floating_point():
        said = heatmaps.dtype if isinstance(heatmaps, torch.Tensor) else type(heatmaps).__name__
        raise ValueError(f"{explainer} gave heatmaps of {said}; give a float32 tensor (n, h, w)")
    wanted = (len(batch.images), *batch.images.shape[2:])
    if tuple(heatmaps.shape) != wanted:
        raise ValueError(f"{explainer} gave heatmaps {tuple(heatmaps.shape)} instead of {wanted}")
    finite = heatmaps.isfinite().flatten(1).all(1).tolist()
    broken = [name for name, ok in zip(batch.names, finite, strict=True) if not ok]
    if broken:
        raise ValueError(f"{explainer} gave NaN or infinite heatmaps for {', '.join(broken)}")
