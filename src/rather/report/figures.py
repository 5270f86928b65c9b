"""Figures of one image of a study, as Pillow images with a title and a description."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from rather.report import colours, words
from rather.study import Study

Heat: TypeAlias = Float[Tensor, "h w"]
Photo: TypeAlias = Float[Tensor, "3 h w"]

SIDE = 440  # smaller images are enlarged until their longer side has so many pixels
CLIPPED = 0.995  # share of a map's pixels that lies within the scale


@dataclass(frozen=True, eq=False)
class Figure:
    """A picture with what a caption and a reader who cannot see it need.

    `key` is its part in file names, `note` says in a few words how to read it.
    """

    key: str
    title: str
    description: str
    picture: Image.Image
    note: str = ""


def figures(study: Study, row: int) -> list[Figure]:
    """Every figure of one image: photo, maps on one scale, counterfactual, trials, regions."""
    asked = [photo(study, row), *maps(study, row), *counterfactuals(study, row)]
    return [*asked, *trials(study, row), *regions(study, row)]


def photo(study: Study, row: int) -> Figure:
    batch = study.answer.batch
    return Figure("photo", "The image", f"The image {batch.names[row]}", shown(batch.images[row]))


def maps(study: Study, row: int) -> Iterator[Figure]:
    """The maps; orange always leans towards the target, blue towards the foil."""
    image, scale = study.answer.batch.images[row], scale_of(study, row)
    target, foil = words.asked(study.answer.question, row, study.answer.classes)
    sides = [("target", target, study.target, 1), ("foil", foil, study.foil, -1)]
    for key, name, part, sign in sides:
        if part is not None:
            heat, note = part.evidence[row], words.legend(sign)
            picture = mapped(sign * heat, image, scale)
            yield Figure(key, f"For {name}", f"{note}; most so {place(heat)}", picture, note)
    heat = study.answer.evidence[row]
    title, note = (
        (f"For {target}", words.legend(1)) if foil is None else words.balance(target, foil)
    )
    about = f"{note}; most orange {place(heat)}, most blue {place(-heat)}"
    yield Figure("answer", title, about, mapped(heat, image, scale), note)


def counterfactuals(study: Study, row: int) -> Iterator[Figure]:
    """The image edited towards the foil, and where it was changed, where there is such an edit."""
    pair = study.answer.counterfactual
    if pair is None:
        return
    _, foil = words.asked(study.answer.question, row, study.answer.classes)
    note = words.flipped(pair, row, study.answer.classes)
    about = f"The image, edited towards {foil} by {pair.editor}. {note}"
    yield Figure("edited", f"Edited towards {foil}", about, shown(pair.edited[row]), note)
    change, largest = pair.change[row], float(pair.change[row].max())
    note = f"The stronger, the more; the most is {words.percent(largest)} of the range"
    about = f"{note}, {place(change)}"
    picture = mapped(change, pair.images[row], largest or 1.0)
    yield Figure("change", "What was changed", about, picture, note)


def trials(study: Study, row: int) -> Iterator[Figure]:
    """The image with parts of it filled in."""
    target, _ = words.asked(study.answer.question, row, study.answer.classes)
    for removal in study.removals:
        title = words.trial(removal.part, removal.share, target)
        about = f"{title}; the rest is filled in by {removal.infiller}"
        yield Figure(f"without-{removal.part}", title, about, shown(removal.images[row]))


def regions(study: Study, row: int) -> Iterator[Figure]:
    """What is left of the image by the smallest regions that decide the answer."""
    for region in study.regions:
        title = words.region(region, row)
        about = f"{title} The rest is filled in by {region.infiller}"
        if region.kind == "removed":
            about = f"{title} It is filled in by {region.infiller}"
        picture = shown(region.images[row])
        yield Figure(f"region-{region.kind}", title, about, picture)


def scale_of(study: Study, row: int) -> float:
    """The rating with the strongest colour: nearly the largest of all maps of the image."""
    sizes = [part.evidence[row].abs().flatten() for part in study.explanations().values()]
    return max(float(size.quantile(CLIPPED)) for size in sizes) or 1.0


def mapped(heat: Heat, image: Photo, scale: float) -> Image.Image:
    """A map over the paled image."""
    size = _size(image)
    values = Image.fromarray((heat / scale).cpu().numpy().astype(np.float32))
    wide = np.asarray(values.resize(size, Image.Resampling.BILINEAR))
    under = np.asarray(shown(image), dtype=np.float32) / 255
    return Image.fromarray(colours.overlay(wide, under))


def shown(image: Photo) -> Image.Image:
    """An image tensor as a picture, enlarged if it is small."""
    pixels = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(pixels).resize(_size(image), Image.Resampling.LANCZOS)


def place(heat: Heat) -> str:
    """Where in the image a map is highest, in words.

    >>> import torch
    >>> place(torch.eye(9)[:3] * 2)
    'at the top left'
    """
    height, width = heat.shape
    top, left = divmod(int(heat.argmax()), width)
    rows, columns = ("at the top", "in the middle", "at the bottom"), (" left", "", " right")
    return rows[3 * top // height] + columns[3 * left // width]


def _size(image: Photo) -> tuple[int, int]:
    height, width = image.shape[1:]
    times = max(1, -(-SIDE // max(height, width)))
    return width * times, height * times
