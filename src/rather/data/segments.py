"""Superpixels: the regions of like colour that segment-based methods hide and rate.

Source: Achanta et al., SLIC Superpixels, TPAMI 2012, through scikit-image.
"""

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from rather.types import Images


def slic(
    images: Images, count: int, compactness: float = 10.0, sigma: float = 0.0
) -> Int[Tensor, "n h w"]:
    """Number the superpixels of each image from 0, without gaps.

    Args:
        images: what is divided.
        count: about how many regions an image gets; never more than it has pixels.
        compactness: larger makes regions squarer, smaller lets them follow colours.
        sigma: of a Gaussian that smooths images before, in pixels.
    """
    if count < 1 or not sigma >= 0:
        raise ValueError(
            f"slic needs at least 1 segment and a sigma of 0 or more, but count is {count} and "
            f"sigma {sigma}"
        )
    photos = images.permute(0, 2, 3, 1).cpu()
    labels = [_slic(photo, count, compactness, sigma) for photo in photos]
    return torch.stack(labels).to(images.device)


def _slic(photo: Tensor, count: int, compactness: float, sigma: float) -> Tensor:
    from skimage.segmentation import slic as divide  # half a second that few callers need

    pixels = photo.detach().double().numpy()
    most = min(count, pixels.shape[0] * pixels.shape[1])
    found = divide(pixels, n_segments=most, compactness=compactness, sigma=sigma, start_label=0)
    numbered = np.unique(found, return_inverse=True)[1].reshape(found.shape)
    return torch.from_numpy(numbered.astype(np.int64))
