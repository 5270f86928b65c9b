"""Interpolating fills: smooth across the hole, and nothing but the shown pixels in them.

Source: `NoisyLinear` is Rong et al., A Consistent and Efficient Evaluation Strategy for Attribution
Methods (ROAD), arXiv:2202.00449; harmonic and biharmonic in-painting are folklore, see Chan and
Shen, SIAM J. Applied Mathematics 2002. Differs: one iterative solver for whole batches (see
`rather.infillers.conjugate`) instead of a sparse direct solve an image; its preconditioner copes
with wide biharmonic holes, which need no detour over half the resolution.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from rather.infillers.conjugate import Smoothness
from rather.infillers.noise import normal
from rather.types import Images, Keep


@dataclass(frozen=True)
class Harmonic:
    """Every hidden pixel is the mean of its 4 neighbours: the smoothest membrane.

    Args:
        tolerance: largest difference from that mean where it stops; smaller is slower.
        iterations: most steps; it rarely takes more than 40.
    """

    tolerance: float = 1e-5
    iterations: int = 500

    reads_hidden: ClassVar[bool] = False
    uses_keep: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        return (
            Smoothness(0.0, False, self.tolerance, self.iterations).fill(images, keep).clamp(0, 1)
        )


@dataclass(frozen=True)
class Biharmonic:
    """Least curvature: slopes go on into the hole, as in a thin plate.

    Args:
        tolerance: largest difference of a pixel from what its neighbours demand; smaller is slower.
        iterations: most steps; wide holes that reach the border take them all.
    """

    tolerance: float = 1e-6
    iterations: int = 200

    reads_hidden: ClassVar[bool] = False
    uses_keep: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        return Smoothness(0.0, True, self.tolerance, self.iterations).fill(images, keep).clamp(0, 1)


@dataclass(frozen=True)
class NoisyLinear:
    """Every hidden pixel is the weighted mean of its 8 neighbours, plus noise (ROAD).

    Args:
        noise: deviation of the noise, which is the same for all images of a batch; 0 for none.
        tolerance: largest difference from that mean where it stops; smaller is slower.
        iterations: most steps; it rarely takes more than 40.
    """

    noise: float = 0.01
    tolerance: float = 1e-5
    iterations: int = 500

    reads_hidden: ClassVar[bool] = False
    uses_keep: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.noise >= 0:
            raise ValueError(f"noise is {self.noise}; a deviation is 0 or more")

    @property
    def stochastic(self) -> bool:
        return self.noise > 0

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        smooth = Smoothness(0.5, False, self.tolerance, self.iterations).fill(images, keep)
        if self.noise:
            smooth = smooth + self.noise * normal((1, *images.shape[1:]), images, generator)
        return smooth.clamp(0, 1)
