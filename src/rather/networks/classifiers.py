"""Small classifiers that are trained here, of the two kinds that the papers used.

Source: Shih, Tien and Karnin, GANMEX, arXiv:2011.06015 (strided convolutions for MNIST and SVHN);
Eckstein et al., Discriminative Attribution from Counterfactuals, arXiv:2109.13412 (VGG). Differs:
the hidden layers of the VGG are 128 wide instead of twice 4096, so that weights are small; logits
come out, never probabilities.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from rather.types import Logits


class StridedNet(nn.Module):
    """Strided convolutions and one hidden layer: no pooling, no norm.

    Args:
        names: of the classes, in order.
        side: of the images.
        widths: channels of the convolutions.
        kernels: sides of their kernels; each takes every second place.
        hidden: width of the hidden layer.
        channels: 1 reads grey, 3 colour.
    """

    def __init__(
        self,
        names: Sequence[str],
        side: int = 28,
        widths: Sequence[int] = (32, 64),
        kernels: Sequence[int] = (6, 6),
        hidden: int = 256,
        channels: int = 1,
    ) -> None:
        super().__init__()
        self.settings = {"names": list(names), "side": side, "widths": list(widths)}
        self.settings |= {"kernels": list(kernels), "hidden": hidden, "channels": channels}
        layers: list[nn.Module] = []
        for (enter, leave), kernel in zip(pairwise((channels, *widths)), kernels, strict=True):
            layers += [nn.Conv2d(enter, leave, kernel, 2), nn.ReLU()]
        self.trunk = nn.Sequential(*layers, nn.Flatten())
        self.head = _head(_length(self.trunk, channels, side), hidden, len(names))

    def forward(self, images: Tensor) -> Logits:
        return self.head(self.trunk(images))


class VggNet(nn.Module):
    """Pairs of 3x3 convolutions with batch norm, each pair followed by max-pooling.

    Args:
        names: of the classes, in order.
        side: of the images.
        widths: channels of each pair.
        pools: by how much each pair's map is shrunk.
        hidden: width of the hidden layer.
        channels: 1 reads grey, 3 colour.
    """

    def __init__(
        self,
        names: Sequence[str],
        side: int = 28,
        widths: Sequence[int] = (12, 24, 48, 96),
        pools: Sequence[int] = (2, 2, 1, 1),
        hidden: int = 128,
        channels: int = 1,
    ) -> None:
        super().__init__()
        self.settings = {"names": list(names), "side": side, "widths": list(widths)}
        self.settings |= {"pools": list(pools), "hidden": hidden, "channels": channels}
        layers: list[nn.Module] = []
        for (enter, leave), pool in zip(pairwise((channels, *widths)), pools, strict=True):
            layers += [*_unit(enter, leave), *_unit(leave, leave)]
            layers += [nn.MaxPool2d(pool)] if pool > 1 else []
        self.trunk = nn.Sequential(*layers, nn.Flatten())
        self.head = _head(_length(self.trunk, channels, side), hidden, len(names))

    def forward(self, images: Tensor) -> Logits:
        return self.head(self.trunk(images))


def _unit(enter: int, leave: int) -> list[nn.Module]:
    return [nn.Conv2d(enter, leave, 3, padding=1), nn.BatchNorm2d(leave), nn.ReLU()]


def _head(enter: int, hidden: int, classes: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(enter, hidden), nn.ReLU(), nn.Dropout(0.5), nn.Linear(hidden, classes)
    )


@torch.no_grad()
def _length(trunk: nn.Sequential, channels: int, side: int) -> int:
    """How many features a trunk makes of an image; it is left in training mode, as it was made."""
    length = trunk.eval()(torch.zeros(1, channels, side, side)).shape[1]
    trunk.train()
    return length
