"""Cascading randomisation: does a map change when the network forgets what it learnt?

Source: Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018, arXiv:1810.03292. Differs:
every layer is initialised from a seed of its own, or layers of one shape would become equal; maps
are compared one by one.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, TypeAlias, get_args

import torch
from torch import nn

from rather.classifier import Classifier
from rather.editor import Editor
from rather.explainer import Explanation
from rather.explainers.layers import hooks
from rather.infillers import Edited
from rather.metrics.curve import Curves
from rather.metrics.similarity import similarity
from rather.progress import track
from rather.settling import rebuilt, settle
from rather.types import Heatmaps, Images, PerImage
from rather.variants import check_choice

Likeness: TypeAlias = Literal["spearman_abs", "spearman", "ssim", "hog"]


@dataclass(frozen=True)
class Mprt:
    """Mean likeness of the map to those of ever more randomised copies of the network.

    Lower is better: a map that stays shows the image, not what the network made of it.

    Args:
        order: "top_down" randomises from the logits on, and keeps what it randomised; "bottom_up"
            begins at the image; "independent" randomises each layer alone.
        likeness: rank correlation of absolute values ("spearman_abs", the published choice) or of
            signed ones ("spearman"), structure ("ssim"), or edges ("hog").
        editor: where the explainer edits, "kept" pastes the same counterfactuals at every depth,
            "again" lets the editor edit against the randomised network.
        refit: makes an editor for a randomised network, such as one trained for it; it implies
            "again". State in tables which of the three was done.
        seed: of the first layer's weights.
    """

    order: Literal["top_down", "bottom_up", "independent"] = "top_down"
    likeness: Likeness = "spearman_abs"
    editor: Literal["kept", "again"] = "kept"
    refit: Callable[[Classifier], Editor] | None = None
    seed: int = 0
    higher_is_better: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_choice("order", self.order, ("top_down", "bottom_up", "independent"))
        check_choice("likeness", self.likeness, get_args(Likeness))
        check_choice("editor", self.editor, ("kept", "again"))

    def __call__(self, classifier: Classifier, explanation: Explanation) -> PerImage:
        return self.curve(classifier, explanation).mean(1)

    def curve(self, classifier: Classifier, explanation: Explanation) -> Curves:
        """Likeness at every depth, the shallowest first; a column a layer."""
        images = explanation.batch.images
        copies = self.randomised(classifier, images)
        total = len(layers(classifier, images))
        points = [
            self.alike(explanation.heatmaps, self.rerun(each, explanation))
            for each in track(copies, "randomised networks", total)
        ]
        return torch.stack(points, 1)

    def alike(self, one: Heatmaps, other: Heatmaps) -> PerImage:
        """How alike two maps of each image are."""
        if self.likeness == "spearman_abs":
            return similarity(one.abs(), other.abs(), "spearman")
        return similarity(one, other, self.likeness)

    def randomised(self, classifier: Classifier, images: Images) -> Iterator[Classifier]:
        """A copy of the network for every depth; the one that is given keeps its weights."""
        names = layers(classifier, images)
        if self.order == "top_down":
            names.reverse()
        copied = duplicate(classifier)
        for number, name in enumerate(names):
            copied = duplicate(classifier if self.order == "independent" else copied)
            with torch.random.fork_rng():
                torch.manual_seed(self.seed + number)
                restart(copied.net.get_submodule(name))
            yield copied

    def rerun(self, classifier: Classifier, explanation: Explanation) -> Heatmaps:
        """The map of the same question from another network."""
        images, question = explanation.batch.images, explanation.question
        ran: Any = explanation.ran
        refit = self.refit
        if refit is not None or self.editor == "again":
            fitted = None if refit is None else refit(classifier)
            edited = explanation.explainer if fitted is None else given(explanation, fitted)
            ran, _ = settle(edited, classifier, images, question)
        return ran(classifier, images, question)


def given(explanation: Explanation, editor: Editor) -> Any:
    """The explainer with another editor in place of its own."""
    return rebuilt(
        explanation.explainer,
        lambda part: replace(part, editor=editor) if isinstance(part, Edited) else part,
    )


def layers(classifier: Classifier, images: Images) -> list[str]:
    """The names of layers that can be initialised anew, in the order in which they run.

    Raises:
        ValueError: there are none.
    """
    names = {module: name for name, module in classifier.net.named_modules() if can_reset(module)}
    ran: dict[str, None] = {}
    handles = [
        module.register_forward_hook(lambda module, *_: ran.setdefault(names[module]))
        for module in names
    ]
    with hooks(*handles), torch.no_grad():
        classifier.through_net(images[:1])
    if not ran:
        raise ValueError(f"{classifier.name} has no layer with reset_parameters to randomise")
    return list(ran)


def untouched(classifier: Classifier, images: Images) -> list[str]:
    """Parameters that no depth randomises, such as class tokens and position embeddings."""
    inside = tuple(f"{name}." for name in layers(classifier, images))
    return [name for name, _ in classifier.net.named_parameters() if not name.startswith(inside)]


def can_reset(module: nn.Module) -> bool:
    """Whether it is a layer of its own that knows how to begin."""
    own = next(module.parameters(recurse=False), None) is not None
    public = hasattr(module, "reset_parameters") and bool(module.state_dict())
    return beginning(module) is not None and (public or own)


def beginning(module: nn.Module) -> Callable[[], object] | None:
    """What initialises it; attention of torch has it under a private name."""
    found = getattr(module, "reset_parameters", getattr(module, "_reset_parameters", None))
    return found if callable(found) else None


def restart(module: nn.Module) -> None:
    """Initialise a layer and what lies in it, such as a projection that attention calls itself."""
    for part in module.modules():
        begin = beginning(part)
        if begin is not None:
            begin()


def duplicate(classifier: Classifier) -> Classifier:
    """A copy on torch, with weights of its own."""
    copied = copy.deepcopy(classifier)
    copied.without_gradient, copied.engine = None, ""
    return copied
