"""Contact sheets: small pictures in a grid, with words above, small enough to be committed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

WORDS = 14  # height of a line of words, in pixels
# Purple, white, green: told apart by colour-blind eyes, and white is nothing.
SCALE = torch.tensor([[0.46, 0.16, 0.51], [1.0, 1.0, 1.0], [0.10, 0.47, 0.22]])


def overlay(photo: Tensor, heat: Tensor) -> Tensor:
    """A heatmap over the greyed photo: green speaks for the target, purple against it."""
    heat = F.avg_pool2d(heat[None, None], 9, 1, 4)[0, 0]  # single pixels do not show on a sheet
    most = (
        heat.abs().flatten().quantile(0.995).clamp(min=1e-12)
    )  # a few bright pixels hide the rest
    share = (heat / most).clamp(-1, 1)
    end = torch.where(share[None] > 0, SCALE[2][:, None, None], SCALE[0][:, None, None])
    colour = torch.lerp(SCALE[1][:, None, None], end, share.abs()[None])
    grey = photo.mean(0, keepdim=True) * 0.7 + 0.3
    return torch.lerp(grey.expand_as(photo), colour, 0.35 + 0.65 * share.abs()[None])


def outlined(photo: Tensor, region: Tensor) -> Tensor:
    """The photo with the border of a region in yellow."""
    wide = F.max_pool2d(region[None, None].float(), 5, 1, 2)[0, 0]
    edge = (wide > 0) & ~region
    inner = region & (F.max_pool2d((~region)[None, None].float(), 5, 1, 2)[0, 0] > 0)
    colour = torch.tensor([1.0, 0.85, 0.0])[:, None, None]
    return torch.where((edge | inner)[None], colour, photo)


def dot(photo: Tensor, point: tuple[int, int], reach: int = 6) -> Tensor:
    """The photo with a red dot at (row, column)."""
    rows, columns = (torch.arange(side) for side in photo.shape[1:])
    near = (rows - point[0])[:, None] ** 2 + (columns - point[1]) ** 2 < reach**2
    return torch.where(near[None], torch.tensor([0.9, 0.0, 0.1])[:, None, None], photo)


def sheet(
    path: Path,
    grid: Sequence[Sequence[Tensor]],
    columns: Sequence[str],
    rows: Sequence[str],
    cell: int = 112,
    colours: int = 256,
) -> Path:
    """Write a grid of photos, names of columns on top and of rows on the left.

    Args:
        path: the PNG file.
        grid: rows of photos, (3, h, w) in [0, 1].
        columns: words above each column.
        rows: words on the left of each row.
        cell: side of a photo on the sheet, in pixels.
        colours: colours of the palette; fewer make a smaller file.
    """
    left = 8 + 6 * max((len(row) for row in rows), default=0)
    size = (left + cell * len(columns), WORDS + cell * len(grid))
    canvas = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(canvas)
    for place, words in enumerate(columns):
        pen.text((left + cell * place + 2, 1), words, fill="black")
    for line, (photos, words) in enumerate(zip(grid, rows, strict=True)):
        top = WORDS + cell * line
        pen.text((2, top + cell // 2), words, fill="black")
        for place, photo in enumerate(photos):
            canvas.paste(_small(photo, cell - 2), (left + cell * place, top))
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.quantize(colours, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)
    return path


def _small(photo: Tensor, side: int) -> Image.Image:
    pixels = (photo.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(np.ascontiguousarray(pixels)).resize((side, side), Image.Resampling.BOX)
