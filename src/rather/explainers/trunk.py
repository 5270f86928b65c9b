"""Mask networks for a classifier: its own trunk, copied, and a head; fresh, or from a file.

The copy has its batch norms folded, so that they cannot learn, and files fit a classifier whether
or not it was prepared.
"""

import copy
from contextlib import suppress
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rather.classifier import Classifier
from rather.explainers.grad_cam import Tokens
from rather.explainers.layers import find_layer, hooks, last_feature_map
from rather.folding import find, fold
from rather.networks.masker import MaskNet
from rather.networks.weights import located, read
from rather.types import Images

FROZEN = ("patch_embed", "pos_embed", "cls_token", "embeddings")  # of transformers, as published


class Reached(Exception):
    """The layer has answered; what lies behind it need not run."""


class Trunk(nn.Module):
    """A copy of a classifier that answers with one layer's map.

    Args:
        classifier: what is copied; it is never changed.
        layer: dotted name of the layer; what lies behind it does not run.
        tokens: how many tokens come before the grid's, where the layer answers with tokens.
    """

    def __init__(self, classifier: Classifier, layer: str, tokens: int | None = None) -> None:
        super().__init__()
        self.classifier, self.layer = classifier, layer
        self.grid = None if tokens is None else Tokens(tokens)

    def forward(self, images: Images) -> Float[Tensor, "n c _ _"]:
        seen: list[Tensor] = []

        def look(_module: nn.Module, _inputs: object, output: Any) -> None:
            seen.append(output)
            raise Reached

        layer = find_layer(self.classifier, self.layer)
        with hooks(layer.register_forward_hook(look)), suppress(Reached):
            self.classifier.through_net(images)
        found = seen[-1] if self.grid is None else self.grid(seen[-1])
        if found.dim() != 4:
            raise ValueError(
                f"layer {self.layer!r} answers {tuple(found.shape)}, no map; say how many tokens "
                "come before the grid's (tokens=1), or name another layer"
            )
        return found


def fresh(
    classifier: Classifier,
    images: Images,
    layer: str = "",
    tokens: int | None = None,
    hidden: int = 0,
    classes: int = 0,
    seed: int = 0,
) -> MaskNet:
    """A mask network with the classifier's weights and a head that knows nothing yet.

    Args:
        classifier: whose trunk is copied.
        images: one or more of the size that it will see.
        layer: whose map is read; empty: the last that answers with a feature map.
        tokens: how many tokens come before the grid's; None: the layer answers with a map.
        hidden: width of the head's tanh layer; 0: none.
        classes: that the head tells apart; 0: none.
        seed: of the head.
    """
    own = copied(classifier, images)
    trunk = Trunk(own, layer or last_feature_map(own, images[:1]), tokens)
    with torch.no_grad():
        channels = trunk(images[:1]).shape[1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = MaskNet(trunk, channels, hidden, classes)
    net.settings |= {"layer": trunk.layer, "tokens": tokens}
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(not any(part in name for part in FROZEN))
    slim(net.trunk, images)
    return net.to(images.device).to(memory_format=torch.channels_last).eval()


@torch.enable_grad()
def slim(trunk: nn.Module, images: Images) -> None:
    """Take out layers that have no part in the map, so that files need not hold them."""
    named = {name: each for name, each in trunk.named_parameters() if each.requires_grad}
    slopes = torch.autograd.grad(trunk(images[:1]).sum(), list(named.values()), allow_unused=True)
    idle = {name for name, slope in zip(named, slopes, strict=True) if slope is None}
    for path, module in list(trunk.named_modules()):
        own = {f"{path}.{name}" for name, _ in module.named_parameters(recurse=False)}
        if own and own <= idle and next(module.children(), None) is None:
            trunk.set_submodule(path, nn.Identity())


def loaded(weights: str, classifier: Classifier, images: Images) -> MaskNet:
    """The mask network that a recipe trained for this classifier.

    Raises:
        ValueError: the file holds something else, or was trained for another classifier.
    """
    tensors, card = read(located(weights))
    if card.get("network") != MaskNet.__name__:
        raise ValueError(
            f"{weights} holds a {card.get('network')}, but a MaskNet is needed; give the file that "
            "MaskRecipe wrote"
        )
    settings = {name: value for name, value in card["settings"].items() if name != "channels"}
    try:
        net = fresh(classifier, images, **settings)
        net.load_state_dict({name: value.float() for name, value in tensors.items()})
    except (RuntimeError, ValueError) as error:
        made = card.get("recipe", "another recipe")
        raise ValueError(
            f"{weights} does not fit {classifier.name}: it was trained by {made}; train one for "
            f"this classifier with `rather fit MaskRecipe` ({str(error).splitlines()[0]})"
        ) from error
    return net


@torch.no_grad()
def copied(classifier: Classifier, images: Images) -> Classifier:
    """A copy with its batch norms folded, on torch."""
    own = copy.deepcopy(classifier)
    own.without_gradient = None
    own.folded = {}  # a layer may be named by what it now answers, its batch norm included
    for pair in find(own.net, lambda: own.through_net(images[:1])):
        fold(own.net, pair)
    return own
