"""Whole squares of labelled photos, small and in memory, with masks where there are some."""

import io
from collections.abc import Callable
from pathlib import Path, PurePath

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from rather.batch import Batch
from rather.data.folder import archive, read_or_warn
from rather.data.labelled import ClassFolders
from rather.progress import track


def beside(name: str) -> str:
    """Where the mask of a photo lies: at the same place, as PNG."""
    return str(PurePath(name).with_suffix(".png"))


def squares(
    source: ClassFolders,
    side: int,
    held_out: bool = False,
    masks: str | Path | None = None,
    mask_of: Callable[[str], str] = beside,
    count: int | None = None,
) -> Batch:
    """Read the central squares of photos, class by class; what cannot be read is left out.

    Args:
        source: the photos.
        side: of the squares, in pixels.
        held_out: which of the two parts.
        masks: folder or zip file of masks, white on the object; they become the regions.
        mask_of: from a photo's name to its mask's.
        count: photos of a class; None takes all.
    """
    kept = [name for names in source.by_class(held_out) for name in names[:count]]
    places = [i for i, names in enumerate(source.by_class(held_out)) for _ in names[:count]]
    images, labels, names, regions = [], [], [], []
    for (root, name), label in track(zip(kept, places, strict=True), "squares", len(kept)):
        photo = read_or_warn(root, name)
        if photo is None:
            continue
        images.append(_square(photo, side, Image.Resampling.BICUBIC))
        labels.append(label)
        names.append(name)
        if masks is not None:
            mask = _mask(str(masks), mask_of(name)).resize(photo.size)
            regions.append(_square(mask, side, Image.Resampling.BILINEAR)[0] > 0.5)
    region = torch.stack(regions) if regions else None
    return Batch(torch.stack(images), torch.tensor(labels), tuple(names), region)


def _square(photo: Image.Image, side: int, sampling: Image.Resampling) -> Tensor:
    small = ImageOps.fit(photo.convert("RGB"), (side, side), sampling)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1).float() / 255


def _mask(root: str, name: str) -> Image.Image:
    if Path(root).is_dir():
        return Image.open(Path(root, name)).convert("L")
    return Image.open(io.BytesIO(archive(root).read(name))).convert("L")
