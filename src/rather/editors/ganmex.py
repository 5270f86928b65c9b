"""`Ganmex`: the same image as a member of another class, by a generator that was trained for it.

Source: Shih, Tien and Karnin, GANMEX, arXiv:2011.06015. Differs: edits stay floats (the published
ones went through 8-bit files); what `edit` reports as flipped is the classifier's own answer.
"""

from dataclasses import dataclass
from pathlib import Path

import torch

from rather.classifier import Classifier
from rather.networks.chosen import chosen
from rather.networks.ganmex import StarGenerator
from rather.types import Images, Labels


@dataclass(frozen=True)
class Ganmex:
    """One pass of a generator that was trained against the classifier.

    Args:
        weights: shipped are "mnist" (looks real), "mnist-near" (stays closer, looks worse), "disc",
            "composite", and for EfficientNet-Lite0 "dogs" (golden retriever, Samoyed) and "fruits"
            (orange, lemon); or the path of the file that `rather fit GanmexRecipe` wrote. For
            another classifier than the one it was trained with it may fail.
        quantise: round to 8 bit, as published.
        batch: images at a time; it changes memory, no result.
    """

    weights: str = "mnist"
    quantise: bool = False
    batch: int = 64

    @torch.no_grad()
    def __call__(self, classifier: Classifier, images: Images, target: Labels) -> Images:
        net = chosen(StarGenerator, shipped(self.weights, "ganmex"), images)
        wanted = places(target, net.labels)
        parts = zip(images.split(self.batch), wanted.split(self.batch), strict=True)
        made = torch.cat([net(part.float(), one) for part, one in parts]).to(images.dtype)
        return (made * 255).round() / 255 if self.quantise else made


def shipped(weights: str, method: str) -> str:
    """The name of shipped weights of a method: classifiers' have the same short names."""
    given = Path(weights)
    return weights if given.suffix or given.is_file() else f"{method}-{weights}"


def places(target: Labels, labels: tuple[int, ...]) -> Labels:
    """Where the wanted classes stand among those that a generator knows."""
    found = target[:, None] == torch.tensor(labels, device=target.device)
    if not found.any(1).all():
        wrong = int(target[~found.any(1)][0])
        raise ValueError(
            f"the generator makes no images of class {wrong}, only of {', '.join(map(str, labels))}"
        )
    return found.int().argmax(1)
