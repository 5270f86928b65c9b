"""The two generators and the two critics of a CycleGAN, and the fakes that the critics remember.

Source: Zhu et al., Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks,
arXiv:1703.10593. Differs: 6 residual blocks below 128 px; sides are padded to a multiple of 4.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rather.types import Images, Labels

START = 0.02  # standard deviation of the starting weights
POOL = 50


class CyclePair(nn.Module):
    """One generator into each of two classes.

    Args:
        labels: the classifier's numbers of the two classes.
        width: channels at full resolution; cost grows with its square.
        blocks: residual blocks at a quarter of the resolution.
        channels: 1 makes grey images, 3 colour.
    """

    def __init__(
        self, labels: Sequence[int], width: int = 64, blocks: int = 9, channels: int = 3
    ) -> None:
        super().__init__()
        self.settings = {"labels": list(labels), "width": width, "blocks": blocks}
        self.settings |= {"channels": channels}
        self.labels, self.channels = tuple(labels), channels
        self.into = nn.ModuleList(generator(width, blocks, channels) for _ in labels)
        drawn(self)

    def forward(self, images: Images, wanted: Labels) -> Images:
        """Images of the class at the place `wanted` of `labels`, each through its generator."""
        made = torch.empty_like(images)
        for place, net in enumerate(self.into):
            rows = wanted == place
            if rows.any():
                made[rows] = self._made(net, images[rows])
        return made

    def _made(self, net: nn.Module, images: Images) -> Images:
        height, width = images.shape[2:]
        shown = images.mean(1, keepdim=True) if self.channels == 1 else images
        padded = F.pad(2 * shown - 1, (0, -width % 4, 0, -height % 4), mode="replicate")
        return ((net(padded)[..., :height, :width] + 1) / 2).expand(-1, 3, -1, -1)


class CriticPair(nn.Module):
    """One patch critic for each of two classes.

    Args:
        width: channels of the first layer.
        channels: 1 looks at grey, 3 at colour.
    """

    def __init__(self, width: int = 64, channels: int = 3) -> None:
        super().__init__()
        self.channels = channels
        self.of = nn.ModuleList(critic(width, channels) for _ in range(2))
        drawn(self)

    def forward(self, images: Images, place: int) -> Tensor:
        """How much each patch looks like the class: towards 1 real, towards 0 made."""
        shown = images[:, :1] if self.channels == 1 else images
        return self.of[place](2 * shown - 1)


class Fakes(nn.Module):
    """Past fakes of each class, half of which are shown to the critics again.

    They stand in buffers, so that a checkpoint holds them.
    """

    images: Tensor
    count: Tensor

    def __init__(self, side: int, size: int = POOL) -> None:
        super().__init__()
        self.register_buffer("images", torch.zeros(2, size, 3, side, side))
        self.register_buffer("count", torch.zeros(2, dtype=torch.long))

    @torch.no_grad()
    def swapped(self, fakes: Images, place: int, generator: torch.Generator) -> Images:
        """Take fakes in, and hand out as many: new or old ones, by a coin."""
        shown = fakes.detach().clone()
        for row, fake in enumerate(fakes.detach()):
            coin, slot = torch.rand(2, generator=generator).tolist()
            kept, full = int(self.count[place]), self.images.shape[1]
            if kept < full:
                self.images[place, kept] = fake
                self.count[place] += 1
            elif coin < 0.5:
                at = int(slot * full)
                shown[row] = self.images[place, at].to(fake)
                self.images[place, at] = fake
        return shown


def generator(width: int, blocks: int, channels: int) -> nn.Sequential:
    """From [-1, 1] to [-1, 1], at the same size."""
    w = width
    return nn.Sequential(
        nn.ReflectionPad2d(3),
        *_unit(nn.Conv2d(channels, w, 7), w),
        *_unit(nn.Conv2d(w, 2 * w, 3, 2, 1), 2 * w),
        *_unit(nn.Conv2d(2 * w, 4 * w, 3, 2, 1), 4 * w),
        *(Block(4 * w) for _ in range(blocks)),
        *_unit(nn.ConvTranspose2d(4 * w, 2 * w, 3, 2, 1, output_padding=1), 2 * w),
        *_unit(nn.ConvTranspose2d(2 * w, w, 3, 2, 1, output_padding=1), w),
        *(nn.ReflectionPad2d(3), nn.Conv2d(w, channels, 7), nn.Tanh()),
    )


def critic(width: int, channels: int) -> nn.Sequential:
    """Patches of 70 pixels; 28 px and more."""
    w = width
    return nn.Sequential(
        *(nn.Conv2d(channels, w, 4, 2, 1), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(w, 2 * w, 4, 2, 1), nn.InstanceNorm2d(2 * w), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(2 * w, 4 * w, 4, 2, 1), nn.InstanceNorm2d(4 * w), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(4 * w, 8 * w, 4, 1, 1), nn.InstanceNorm2d(8 * w), nn.LeakyReLU(0.2)),
        nn.Conv2d(8 * w, 1, 4, 1, 1),
    )


class Block(nn.Module):
    """Two convolutions beside a shortcut, mirrored at the border."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.ReflectionPad2d(1), *_unit(nn.Conv2d(channels, channels, 3), channels)),
            *(nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3)),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def drawn(net: nn.Module) -> None:
    """Draw the starting weights of all convolutions."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0, START)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def _unit(layer: nn.Module, channels: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    return layer, nn.InstanceNorm2d(channels), nn.ReLU()
