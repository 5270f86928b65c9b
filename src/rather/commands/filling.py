"""What `rather fill` does: holes by name, and every in-fill that needs nothing more."""

import math
from collections.abc import Callable
from dataclasses import MISSING, fields
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from rather.atomic import written
from rather.catalogue import INFILLERS
from rather.commands import asking
from rather.data.photo import look, read
from rather.data.segments import slic
from rather.infiller import Infiller, fill, seeded
from rather.progress import track
from rather.report.sheet import in_rows, sheet
from rather.types import Images, Keep
from rather.view import View

SEGMENTS, TILE, ACROSS = 100, 28, 6  # about how many; pixels; pictures in a row
Pictures = dict[str, Image.Image]


def filled(
    photo: Image.Image, hole: str, infiller: str, view: View, seed: int, device: str
) -> tuple[Pictures, dict[str, str]]:
    """The photo, its hole and every fill as pictures, and what was left out with the reason."""
    image = look(photo, view)[None].to(asking.place(device))
    keep = holed(hole, image, seed, view, photo.size)
    chosen, left = every() if infiller == "all" else ({infiller: asking.infiller(infiller)}, {})
    made = {"the photo": picture(image), "the hole": picture(image * keep + 0.5 * (1 - keep))}
    for name, method in track(chosen.items(), "fills", len(chosen)):
        try:
            made[name] = picture(fill(method, image, keep, seeded(seed, image)))
        except (ImportError, ValueError, OSError) as error:
            if infiller != "all":
                raise
            left[name] = " ".join(str(error).split())
    return made, left


def save(made: Pictures, file: Path, force: bool) -> None:
    """Write one fill as it is, or all as a contact sheet."""
    kind = Image.registered_extensions().get(file.suffix.lower())
    if kind not in Image.SAVE:
        raise ValueError(f"--out {file} has no ending of a picture; call it {file.stem}.png")
    few = len(made) == 3
    stream = BytesIO()
    drawn = list(made.values())[-1] if few else sheet(in_rows(made, ACROSS))
    drawn.save(stream, kind)
    written(file, stream.getvalue(), force)


def every() -> tuple[dict[str, Infiller], dict[str, str]]:
    """The in-fills that can be made without arguments, and why the others cannot."""
    needs = {name: _needed(method) for name, method in INFILLERS.items()}
    left = {name: f"it needs {', '.join(needed)}" for name, needed in needs.items() if needed}
    return {name: INFILLERS[name]() for name, needed in needs.items() if not needed}, left


def holed(hole: str, image: Images, seed: int, view: View, size: tuple[int, int]) -> Keep:
    """The mask that a word, four numbers or an image stands for.

    Args:
        hole: the word, the numbers, or the file of an image.
        image: what is filled, as the view shows it.
        seed: of holes that are drawn.
        view: what part of the photo is looked at, and so of a hole that is an image.
        size: width and height of the photo, which such a hole must have too.
    """
    made: dict[str, Callable[[Images, torch.Generator], Keep]] = {
        "box": lambda image, _: box(image, image.shape[3] // 4, image.shape[2] // 4),
        "segments": segments,
        "tiles": tiles,
        "noise": noise,
    }
    generator = torch.Generator().manual_seed(seed)
    if hole in made:
        return made[hole](image, generator).to(image)
    if hole.count(",") == 3:
        return numbered(hole, image)
    if not Path(hole).exists():
        raise ValueError(
            f"--hole {hole!r} is none of {', '.join(made)}, four numbers x,y,w,h, or an image file"
        )
    return (look(masked(hole, size), view).mean(0) > 0.5)[None, None].to(image)


def masked(hole: str, size: tuple[int, int]) -> Image.Image:
    """An image that says what is kept, as large as the photo and not dark all over."""
    mask = read(Path(hole))
    if mask.size != size:
        raise ValueError(
            f"--hole {hole} has {mask.width} x {mask.height} pixels, but the photo, turned "
            f"upright, {size[0]} x {size[1]}; draw it on the photo itself, in its full size"
        )
    largest = float(np.asarray(mask).mean(2).max())
    if largest <= 127.5:
        raise ValueError(
            f"--hole {hole} has no value above {largest:.3g} of 255, so the whole photo would be "
            "filled; white is kept, black is filled (a mask of 0 and 1: multiply it by 255)"
        )
    return mask


def numbered(text: str, image: Images) -> Keep:
    """A box from its left, top, width and height in pixels."""
    try:
        left, top, width, height = (int(part) for part in text.split(","))
    except ValueError as error:
        raise ValueError(f"--hole {text!r} is not four whole numbers x,y,w,h") from error
    high, wide = image.shape[2:]
    if min(left, top) < 0 or min(width, height) < 1 or left + width > wide or top + height > high:
        raise ValueError(f"--hole {text!r} leaves the picture, which is {wide} x {high} pixels")
    return box(image, left, top, width, height)


def box(
    image: Images, left: int, top: int, width: int | None = None, height: int | None = None
) -> Keep:
    """A box; by default as large as half of each side."""
    high, wide = image.shape[2:]
    keep = torch.ones_like(image[:, :1])
    keep[..., top : top + (height or high // 2), left : left + (width or wide // 2)] = 0
    return keep


def segments(image: Images, generator: torch.Generator) -> Keep:
    """Half of the superpixels."""
    labels = slic(image, SEGMENTS).cpu()
    count = int(labels.max()) + 1
    shown = torch.randperm(count, generator=generator) >= count / 2
    return shown[labels][:, None].float()


def tiles(image: Images, generator: torch.Generator) -> Keep:
    """Half of the tiles of a grid."""
    high, wide = image.shape[2:]
    rows, columns = math.ceil(high / TILE), math.ceil(wide / TILE)
    shown = torch.randperm(rows * columns, generator=generator) >= rows * columns / 2
    grid = shown.view(1, 1, rows, columns).float()
    return grid.repeat_interleave(TILE, 2).repeat_interleave(TILE, 3)[..., :high, :wide]


def noise(image: Images, generator: torch.Generator) -> Keep:
    """Half of the pixels, one by one."""
    return (torch.rand(image[:, :1].shape, generator=generator) >= 0.5).float()


def picture(image: Images) -> Image.Image:
    pixels = (image[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0)
    return Image.fromarray(pixels.cpu().numpy())


def _needed(method: Any) -> list[str]:
    return [
        field.name
        for field in fields(method)
        if field.init and field.default is MISSING and field.default_factory is MISSING
    ]
