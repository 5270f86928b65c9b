"""What a layer inside a classifier answers, and what follows if it answered something else."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from rather.classifier import Classifier
from rather.types import Images, Logits


@torch.no_grad()
def answer_of(classifier: Classifier, layer: str, images: Images) -> Tensor:
    """A layer's answer to images; the name "" means what the last linear layer reads."""
    found: list[Tensor] = []

    def note(_module: nn.Module, inputs: tuple[Tensor, ...], *answer: Tensor) -> None:
        found.append(answer[0] if answer else inputs[0])

    module = named(classifier, layer) if layer else last_linear(classifier)
    handle = (module.register_forward_hook if layer else module.register_forward_pre_hook)(note)
    try:
        classifier.through_net(images)
    finally:
        handle.remove()
    return found[-1]


@torch.no_grad()
def logits_with(classifier: Classifier, layer: str, images: Images, answer: Tensor) -> Logits:
    """The logits if a layer answered something else; the layers before it run all the same."""
    with replaced(named(classifier, layer), lambda _m, _i, _out: answer):
        return classifier.through_net(images)


@contextmanager
def replaced(module: nn.Module, answer: Callable[..., Any]) -> Generator[None]:
    handle = module.register_forward_hook(answer)
    try:
        yield
    finally:
        handle.remove()


def named(classifier: Classifier, layer: str) -> nn.Module:
    """The layer of that name.

    Raises:
        ValueError: there is none.
    """
    layers = dict(classifier.net.named_modules())
    if layer not in layers:
        names = ", ".join(list(layers)[-6:])
        raise ValueError(f"the network has no layer {layer!r}; the last ones are {names}")
    return layers[layer]


def last_linear(classifier: Classifier) -> nn.Module:
    """The last linear layer.

    Raises:
        ValueError: there is none.
    """
    linear = [module for module in classifier.net.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise ValueError(f"{classifier.name} has no linear layer; name the layer with the features")
    return linear[-1]
