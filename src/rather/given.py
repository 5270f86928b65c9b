"""What the verbs are given: likely mix-ups are said with the way out, before anything is asked."""

from typing import Any

from torch import nn

from rather.batch import Batch
from rather.classifier import Classifier


def check_given(method: Any, classifier: Any) -> None:
    """Raise a `TypeError` where a class stands for a method, or a network for a classifier."""
    if isinstance(method, type):
        name = method.__name__
        raise TypeError(f"{name} is a class, and one of it is needed: {name}(...)")
    if not isinstance(classifier, Classifier):
        bare = isinstance(classifier, nn.Module)
        wrap = "wrap the network: Classifier(net, mean=..., std=..., names=...)"
        way = wrap if bare else "the method comes first, and then the classifier"
        raise TypeError(f"a {type(classifier).__name__} is given as the classifier; {way}")


def check_batch_given(batch: Any) -> None:
    """Raise a `TypeError` where something else stands for a batch, such as its images."""
    if not isinstance(batch, Batch):
        raise TypeError(
            f"a {type(batch).__name__} is given as the batch; make one of images, labels and "
            "names: Batch(images, labels, names), or take those that Photos yields"
        )
