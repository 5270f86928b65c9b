"""ImageNet validation photos in a zip file, with the official boxes, also as regions.

Source: Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, arXiv:1409.0575. The
zip holds photos and `annotations.json`: for each photo its class `index` and the `boxes` of that
class as left, top, right, bottom, in pixels of the stored photo of `size` (width, height).
"""

import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from rather.batch import Batch
from rather.data.photo import look, read, window
from rather.types import Boxes
from rather.view import View

NOTES = "annotations.json"


@dataclass(frozen=True)
class Ilsvrc:
    """Photos in the order of their names, with labels, regions and boxes, in batches.

    Args:
        path: the zip file.
        view: what part of each photo is looked at; usually `classifier.view`. A box outside of it
            leaves an empty region, where pointing and the like make no sense.
        batch: photos held in memory at once.
        first: how many photos to take; None takes all.
    """

    path: Path
    view: View
    batch: int = 16
    first: int | None = None

    def __post_init__(self) -> None:
        if self.batch < 1 or (self.first is not None and self.first < 1):
            raise ValueError(f"batch={self.batch} and first={self.first} must be at least 1")

    def __len__(self) -> int:
        with _opened(self.path) as archive:
            return -(-len(self._notes(archive)) // self.batch)

    def __iter__(self) -> Iterator[Batch]:
        with _opened(self.path) as archive:
            files = {PurePosixPath(name).stem: name for name in archive.namelist()}
            notes = list(self._notes(archive).items())
            for start in range(0, len(notes), self.batch):
                part = dict(notes[start : start + self.batch])
                images = [read(archive.read(files[name]), name) for name in part]
                yield Batch(
                    torch.stack([look(image, self.view) for image in images]),
                    torch.tensor([note["index"] for note in part.values()]),
                    tuple(part),
                    torch.stack([_region(note, self.view) for note in part.values()]),
                    tuple(_boxes(note, self.view) for note in part.values()),
                )

    def _notes(self, archive: zipfile.ZipFile) -> dict[str, Any]:
        notes = sorted(json.loads(archive.read(NOTES)).items())
        return dict(notes[: self.first])


def union(
    boxes: Sequence[Sequence[float | int]], size: tuple[int, int], view: View
) -> Bool[Tensor, "h w"]:
    """Mark the pixels of a view whose centres lie in any of some boxes.

    Args:
        boxes: left, top, right and bottom of each, in pixels of the photo.
        size: width and height of the photo.
        view: what part of the photo is looked at.
    """
    found = torch.zeros(view.crop, view.crop, dtype=torch.bool)
    for top, bottom, left, right in seen(boxes, size, view).tolist():
        found[top:bottom, left:right] = True
    return found


def seen(boxes: Sequence[Sequence[float | int]], size: tuple[int, int], view: View) -> Boxes:
    """The pixels of a view whose centres lie in each of some boxes; those in none are left out.

    Args:
        boxes: left, top, right and bottom of each, in pixels of the photo.
        size: width and height of the photo.
        view: what part of the photo is looked at.
    """
    left, top, right, bottom = window(size, view)
    middle = (torch.arange(view.crop) + 0.5) / view.crop
    x, y = left + middle * (right - left), top + middle * (bottom - top)
    wide = torch.tensor(boxes, dtype=torch.float32).view(-1, 4, 1)
    pairs = zip((x, y, x, y), wide.unbind(1), strict=True)
    west, north, east, south = ((middle < side).sum(1) for middle, side in pairs)
    found = torch.stack([north, south, west, east], 1)
    return found[(found[:, 0] < found[:, 1]) & (found[:, 2] < found[:, 3])]


def _region(note: dict[str, Any], view: View) -> Bool[Tensor, "h w"]:
    return union(note["boxes"], tuple(note["size"]), view)


def _boxes(note: dict[str, Any], view: View) -> Boxes:
    return seen(note["boxes"], tuple(note["size"]), view)


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: {error}; give a zip of photos and {NOTES}") from error
    if NOTES not in archive.namelist():
        archive.close()
        raise ValueError(f"{path} holds no {NOTES}; give a zip of photos with their boxes")
    return archive
