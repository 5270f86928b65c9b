"""The holes that DeepFill v1 and FIDO's VAE were trained on: one large box, or half of the pixels.

Source: Yu et al., arXiv:1801.07892 (boxes of 96 to 128 of 256 px); Chang et al., arXiv:1807.08024
(the same, and pixel noise for half of the images). For `as_published()`; `HoleMixture` covers what
explainers hide.
"""

from dataclasses import dataclass

import torch

from rather.types import Images, Keep


@dataclass(frozen=True)
class OneBox:
    """One rectangle an image, with sides of 3/8 to 1/2 of the image's.

    Args:
        noise: share of images in which every pixel is hidden with probability one half instead.
    """

    noise: float = 0.0

    def __call__(self, images: Images, generator: torch.Generator) -> Keep:
        drawn = torch.rand(len(images), 5, generator=generator, device=generator.device).tolist()
        height, width = images.shape[2:]
        keep = torch.ones_like(images[:, :1])
        for shown, (kind, *place) in zip(keep[:, 0], drawn, strict=True):
            top, bottom = _span(height, *place[:2])
            left, right = _span(width, *place[2:])
            shown[top:bottom, left:right] = 0
            if kind < self.noise:
                coin = torch.rand(height, width, generator=generator, device=generator.device)
                shown.copy_(coin > 0.5)
        return keep


def _span(length: int, size: float, place: float) -> tuple[int, int]:
    side = max(1, round(length * (3 + size) / 8))
    start = round(place * (length - side))
    return start, start + side
