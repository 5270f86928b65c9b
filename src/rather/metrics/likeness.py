"""How alike two images are, pixel by pixel: PSNR and SSIM, where a hole was.

Source: Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity,
IEEE TIP 2004, with a uniform window, K = 0.01 and 0.03.
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from rather.types import Images, Keep, PerImage


def inside(values: Float[Tensor, "n c h w"], keep: Keep) -> PerImage:
    """Mean over the hidden pixels of each image; NaN where nothing is hidden."""
    hidden = (keep < 0.5).to(values)
    return (values.mean(1, keepdim=True) * hidden).sum((1, 2, 3)) / hidden.sum((1, 2, 3))


def psnr(images: Images, truth: Images, keep: Keep) -> PerImage:
    """Peak signal to noise ratio on hidden pixels, in decibels; at most 100."""
    return -10 * inside((images - truth).square(), keep).clamp(min=1e-10).log10()


def ssim(images: Images, truth: Images, window: int = 7) -> Images:
    """Structural similarity around each pixel, in [-1, 1]; 1 for equal images.

    Args:
        images: what is judged.
        truth: what it is held against.
        window: side of the square of pixels that is compared, odd; larger looks at coarser things.
    """
    mean_a, mean_b = _box(images, window), _box(truth, window)
    var_a = _box(images * images, window) - mean_a**2
    var_b = _box(truth * truth, window) - mean_b**2
    both = _box(images * truth, window) - mean_a * mean_b
    light = (2 * mean_a * mean_b + 1e-4) / (mean_a**2 + mean_b**2 + 1e-4)
    return light * (2 * both + 9e-4) / (var_a + var_b + 9e-4)


def _box(values: Tensor, window: int) -> Tensor:
    return F.avg_pool2d(values, window, 1, window // 2, count_include_pad=False)
