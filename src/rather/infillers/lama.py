"""`TorchScriptLama`: a LaMa in-painter from a TorchScript file.

Source: Suvorov et al., Resolution-robust Large Mask Inpainting with Fourier Convolutions,
arXiv:2109.07161. Such files are foreign: they bring their own code and need no package. Differs
from their usual wrappers: the image is never resized or rounded to 8 bit, and without refinement,
which needs tens of gigabytes.
"""

import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from rather.types import Images, Keep


@dataclass(frozen=True)
class TorchScriptLama:
    """Runs a file that takes the image and its hole (1 = hidden) and returns the filled image.

    Args:
        path: the TorchScript file, which runs code of its own: use only one that you trust.
        batch: images at once; memory is linear in it, the result does not depend on it.
    """

    path: str
    batch: int = 4

    reads_hidden: ClassVar[bool] = False
    uses_keep: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False

    @torch.no_grad()
    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        height, width = images.shape[2:]
        hole = padded(1 - (keep > 0.5).to(images), 8)
        shown = padded(images, 8)
        model = _loaded(self.path, str(images.device), tuple(shown.shape[2:]))
        parts = zip(shown.split(self.batch), hole.split(self.batch), strict=True)
        filled = torch.cat([self._checked(model(*part), part[0]) for part in parts])
        return filled[..., :height, :width].float().clamp(0, 1)

    def _checked(self, answer: Tensor, images: Images) -> Images:
        if not isinstance(answer, Tensor) or answer.shape != images.shape:
            found = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
            raise ValueError(
                f"{self.path} answered {found} to images {tuple(images.shape)}; it must take "
                "(image, hole) and return an image of the same shape"
            )
        if not answer.isfinite().all() or answer.max() > 2:
            raise ValueError(
                f"{self.path} answered values up to {float(answer.max()):.3g}; they must lie in "
                "[0, 1], and exporters that answer 0 to 255 are not supported"
            )
        return answer


def padded(x: Tensor, multiple: int) -> Tensor:
    """Mirror the lower and right edge until both sides are a multiple; tiny images repeat it."""
    down, right = (-side % multiple for side in x.shape[2:])
    mirror = down < x.shape[2] and right < x.shape[3]
    return F.pad(x, (0, right, 0, down), mode="reflect" if mirror else "replicate")


@lru_cache(4)
def _loaded(path: str, device: str, size: tuple[int, int]) -> torch.jit.ScriptModule:
    """Load once, and warm up: TorchScript specialises itself in the first two calls of a size."""
    model = _read(path, device)
    image, hole = torch.zeros(1, 3, *size, device=device), torch.ones(1, 1, *size, device=device)
    for _ in range(2):
        model(image, hole)
    return model


@lru_cache(2)
def _read(path: str, device: str) -> torch.jit.ScriptModule:
    if not Path(path).is_file():
        raise ValueError(f"no TorchScript file at {path}; nothing is downloaded, give a path")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`torch.jit", FutureWarning)
            return torch.jit.load(path, map_location=device).eval()
    except RuntimeError as error:
        raise ValueError(
            f"{path} cannot be read as TorchScript ({str(error).splitlines()[0]}); it must be a "
            "file that torch.jit.save wrote, not a checkpoint of weights"
        ) from error
