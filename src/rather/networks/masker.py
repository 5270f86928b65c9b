"""A mask network: a classifier's trunk with a head that says how much of each place to keep.

Source: Barkan et al., Learning to Explain: A Model-Agnostic Framework for Explaining Black Box
Models (LTX), ICDM 2023, arXiv:2310.16584. Differs: any trunk; a head with a channel for each class,
if wanted, so that the class is heard before it is fine-tuned.
"""

from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rather.types import Images, Labels

Grid: TypeAlias = Float[Tensor, "n 1 _ _"]


class MaskNet(nn.Module):
    """Answers with keep logits on the grid of its trunk's map.

    Args:
        trunk: from images in [0, 1] to maps (n, channels, g, g); what trains is up to its owner.
        channels: of the trunk's maps.
        hidden: width of a tanh layer before the last; 0: none, as published for CNNs.
        classes: how many classes the head tells apart; 0: it rates all alike, as published.
    """

    def __init__(self, trunk: nn.Module, channels: int, hidden: int = 0, classes: int = 0) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {"channels": channels, "hidden": hidden, "classes": classes}
        self.trunk, self.classes = trunk, classes
        enter = [nn.Conv2d(channels, hidden, 1), nn.Tanh()] if hidden else []
        self.head = nn.Sequential(*enter, nn.Conv2d(hidden or channels, max(1, classes), 1))

    def forward(self, images: Images, target: Labels) -> Grid:
        return self.chosen(self.head(self.trunk(images)), target)

    def chosen(self, logits: Float[Tensor, "n k _ _"], target: Labels) -> Grid:
        """The channel of each image's class, or the only one."""
        if not self.classes:
            return logits
        return logits[torch.arange(len(logits), device=logits.device), target][:, None]
