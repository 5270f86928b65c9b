"""Classifiers that `fit` trained with `ClassifierRecipe`; some small ones are shipped by name."""

import copy
from importlib import resources
from pathlib import Path

import torch

from rather.classifier import Classifier
from rather.networks import weights
from rather.networks.classifiers import StridedNet, VggNet
from rather.view import View

SHIPPED = ("mnist", "mnist-judge", "disc", "disc-judge", "composite")


def names() -> list[str]:
    """The shipped ones that are there."""
    folder = Path(str(resources.files("rather"))) / "weights"
    return [name for name in SHIPPED if (folder / f"{name}.safetensors").is_file()]


def load(name: str, place: torch.device) -> Classifier:
    """Load a shipped name, or a safetensors file that `fit` wrote.

    Raises:
        ValueError: it holds no classifier.
    """
    net, card = weights.load(name, str(place))
    if not isinstance(net, StridedNet | VggNet):
        raise ValueError(
            f"{name} holds a {type(net).__name__}, which is no classifier; give the file that "
            "`rather fit ClassifierRecipe ...` wrote"
        )
    settings = net.settings
    half = (0.5,) * settings["channels"]
    return Classifier(
        copy.deepcopy(net),
        mean=half,
        std=half,
        names=settings["names"],
        view=View(settings["side"], settings["side"], white=card.get("white")),
        name=name,
        batch=64,
    )
