"""A patch critic: judges overlapping patches of an image, each real or made, by a score.

Source: Isola et al., Image-to-Image Translation with Conditional Adversarial Networks,
arXiv:1611.07004; spectral norm of Miyato et al., arXiv:1802.05957. Differs: no batch norm.
"""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from rather.types import Images

Scores = Float[Tensor, "n 1 rows columns"]


class PatchCritic(nn.Module):
    """Scores patches; also hands out its features, to be matched by the maker.

    Args:
        widths: channels of the layers, each but the last at half the resolution of the one before.
    """

    def __init__(self, widths: tuple[int, ...] = (24, 48, 96, 96)) -> None:
        super().__init__()
        steps = [2] * (len(widths) - 1) + [1]
        sizes = zip(pairwise((3, *widths)), steps, strict=True)
        layers = (nn.Conv2d(a, b, 4 if s == 2 else 3, s, 1) for (a, b), s in sizes)
        self.layers = nn.ModuleList(spectral_norm(layer) for layer in layers)
        self.score = spectral_norm(nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, images: Images) -> tuple[Scores, list[Tensor]]:
        features, x = [], 2 * images - 1
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.score(x), features
