"""Adapters to in-painters that take one 8-bit image at a time on the processor.

Source: `Telea`: A. Telea, J. Graphics Tools 2004; `NavierStokes`: Bertalmio et al., CVPR 2001, both
in OpenCV; `PatchMatch`: Barnes et al., SIGGRAPH 2009, in the package pypatchmatch (no arXiv ids).
A trap: 8 bits mean rounding by up to 1/510 in the hole. Differs: OpenCV reads hidden pixels at the
image's border, so a hidden frame is put around it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch

from rather import optional
from rather.types import Images, Keep

Painter = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (h, w, 3) bytes and (h, w) hole to bytes


@dataclass(frozen=True)
class OpenCv:
    """One of OpenCV's sequential in-painters.

    Args:
        method: "telea", or "ns" for Navier-Stokes.
        radius: pixels around each that it looks at; larger is smoother and slower.
    """

    method: Literal["telea", "ns"] = "telea"
    radius: int = 5

    reads_hidden: ClassVar[bool] = False
    uses_keep: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.method not in ("telea", "ns"):
            raise ValueError(f"method is {self.method!r}; OpenCV has 'telea' and 'ns'")
        if not self.radius >= 1:
            raise ValueError(f"radius is {self.radius}; it must reach at least 1 pixel")

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        cv2 = optional.need("cv2", "opencv", "OpenCv")
        flag = cv2.INPAINT_TELEA if self.method == "telea" else cv2.INPAINT_NS

        def paint(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
            framed = np.pad(image, ((1, 1), (1, 1), (0, 0)))
            mask = np.pad(hole, 1, constant_values=True).astype(np.uint8)
            return cv2.inpaint(framed, mask, self.radius, flag)[1:-1, 1:-1]

        return one_by_one(paint, images, keep)


@dataclass(frozen=True)
class Telea:
    """Fast marching in-painting: grows in from the hole's border, along its gradients.

    Args:
        radius: pixels around each that it looks at; larger is smoother and slower.
    """

    radius: int = 5

    reads_hidden: ClassVar[bool] = False
    uses_keep: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        return OpenCv("telea", self.radius)(images, keep, generator)


@dataclass(frozen=True)
class NavierStokes:
    """Transports colours into the hole along lines of equal brightness.

    Args:
        radius: pixels around each that it looks at; larger is smoother and slower.
    """

    radius: int = 5

    reads_hidden: ClassVar[bool] = False
    uses_keep: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        return OpenCv("ns", self.radius)(images, keep, generator)


@dataclass(frozen=True)
class PatchMatch:
    """Copies shown patches so that they overlap without contradiction: texture goes on.

    Args:
        patch: radius of the compared patches; larger follows larger structures, and is slower.
    """

    patch: int = 3

    reads_hidden: ClassVar[bool] = False
    uses_keep: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.patch < 1:
            raise ValueError(f"patch is {self.patch}; the radius must be at least 1 pixel")

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        patchmatch = optional.need("patchmatch", "patchmatch", "PatchMatch")
        if not patchmatch.patchmatch_available:
            raise ImportError(
                "PatchMatch needs the native library of pypatchmatch, which is missing or cannot "
                "be loaded; there is no wheel for this platform, see its README on building it"
            )
        seed = torch.randint(2**31, (), generator=generator, device=generator.device).item()

        def paint(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
            patchmatch.set_random_seed(seed)
            return patchmatch.inpaint(image, hole, patch_size=self.patch)

        return one_by_one(paint, images, keep)


def one_by_one(paint: Painter, images: Images, keep: Keep) -> Images:
    """Fill 8-bit copies in turn; hidden pixels are black before, and grey if nothing is shown."""
    shown = keep > 0.5
    pixels = (images.where(shown, 0) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    holes = (~shown[:, 0]).cpu().numpy()
    pairs = zip(pixels.cpu().numpy(), holes, strict=True)
    filled = [image if hole.all() else _painted(paint, image, hole) for image, hole in pairs]
    made = torch.from_numpy(np.stack(filled)).permute(0, 3, 1, 2).to(images) / 255
    return made.where(shown.any(3, True).any(2, True), 0.5)


def _painted(paint: Painter, image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    return paint(image, hole) if hole.any() else image
