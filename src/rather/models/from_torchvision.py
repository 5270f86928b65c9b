"""Classifiers of torchvision, with the preprocessing of their weights."""

from difflib import get_close_matches
from typing import Any

from rather.classifier import Classifier
from rather.models.fetching import fetching
from rather.models.imagenet import known_as
from rather.view import View


def load(name: str, pretrained: bool) -> Classifier:
    """Make a classifier by torchvision's name, such as resnet50 or resnet50.IMAGENET1K_V1."""
    from torchvision import models

    base, _, tag = name.partition(".")
    _check(base, models.list_models(module=models))
    weights = _weights(base, tag or "DEFAULT")
    with fetching(f"torchvision:{name}"):
        if pretrained:  # the builder would unpickle: what it then finds is known to be plain
            weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
        net = models.get_model(base, weights=weights if pretrained else None, progress=False)
    return wrapped(net.eval(), weights)


def wrapped(net: Any, weights: Any) -> Classifier:
    """A network with the preprocessing and the classes that its weights state."""
    asked = weights.transforms()
    names, ids = known_as(weights.meta["categories"])
    view = View(asked.crop_size[0], asked.resize_size[0], asked.interpolation.value)
    return Classifier(net, mean=asked.mean, std=asked.std, names=names, ids=ids, view=view)


def _weights(base: str, tag: str) -> Any:
    from torchvision import models

    known = models.get_model_weights(base)
    if tag not in known.__members__:
        raise ValueError(
            f"torchvision:{base} has no weights {tag!r}, only {', '.join(known.__members__)}"
        )
    return known[tag]


def _check(base: str, known: list[str]) -> None:
    if base not in known:
        near = ", ".join(get_close_matches(base, known, 5))
        hint = near or "none; see torchvision.models.list_models()"
        raise ValueError(f"torchvision knows no {base!r}; names near to it: {hint}")
