"""The distance between images in the features of a frozen SqueezeNet 1.1.

The judges of fills are EfficientNets, so an in-painter must not be trained against one of those.

Source: Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric,
arXiv:1801.03924; SqueezeNet: Iandola et al., arXiv:1602.07360. Differs: features are not scaled to
unit length place by place, which blows flat regions up; layers count the same, and the mean of the
last one, which says what is seen and not where, is compared as well.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rather.types import Images, PerImage

LAYERS = (1, 4, 7, 9, 10, 11, 12)


def features(net: nn.Sequential, images: Images) -> list[Tensor]:
    """Features of several depths; the last is the mean over all places."""
    x = images.flip(1) * 255 - images.new_tensor([104.0, 117.0, 123.0]).view(3, 1, 1)
    found = list(_chosen(net, x))
    return [*found, found[-1].mean((2, 3), keepdim=True)]


def distance(features: list[Tensor], truth: list[Tensor]) -> PerImage:
    """Sum over depths of the squared distance, as a share of the truth's squared length."""
    pairs = zip(features, truth, strict=True)
    return torch.stack([((a - b) ** 2).sum((1, 2, 3)) / _energy(b) for a, b in pairs]).sum(0)


@cache
def squeezenet(path: str, device: str) -> nn.Sequential:
    """Load the frozen feature part of SqueezeNet 1.1 from a state dict of torchvision's layout."""
    from torchvision.models import squeezenet1_1

    if not Path(path).is_file():
        raise ValueError(
            f"no SqueezeNet weights at {path}; pass features=None to train without, or the path "
            "of a state dict of torchvision's squeezenet1_1 (input BGR, 0-255, less 104, 117, 123)"
        )
    net = squeezenet1_1(weights=None)
    state = torch.load(path, map_location="cpu", weights_only=True)
    net.load_state_dict({name: value.float() for name, value in state.items()})
    kept = net.features.eval().requires_grad_(False)
    for layer in kept.modules():
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
    return kept.to(device).to(memory_format=torch.channels_last)


def _chosen(net: nn.Sequential, x: Float[Tensor, "n 3 h w"]) -> Iterator[Tensor]:
    for place, layer in enumerate(net):
        x = layer(x)
        if place in LAYERS:
            yield x


def _energy(x: Tensor) -> PerImage:
    return (x**2).sum((1, 2, 3)).clamp(min=1e-6)
