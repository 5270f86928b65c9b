"""Training pictures from folders and zip files: listed once, decoded one by one when asked for.

A batch is a pure function of the seed and the step, so that training resumes exactly; a file that
cannot be read is named in a warning, and its successor takes its place.
"""

import hashlib
import os
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from rather.data.photo import doubted
from rather.types import Images
from rather.view import check_white

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".ppm", ".tif", ".tiff", ".gif"})
UNREADABLE = (OSError, SyntaxError, ValueError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Pictures:
    """All pictures below some folders or inside some zip files, a part of them held out.

    Args:
        roots: folders or zip files.
        held: share of pictures held out for validation, chosen by a hash of their names.
        white: value of deep greyscale that is shown white, as in `View`.
    """

    roots: tuple[str, ...]
    held: float = 0.02
    white: float | int | None = None

    def __post_init__(self) -> None:
        check_white(self.white)

    def names(self, held_out: bool = False) -> tuple[tuple[str, str], ...]:
        """List (root, name inside it) of one of the two parts; the order never changes."""
        return _split(self.roots, self.held)[held_out]

    def digest(self) -> str:
        """Name the set of pictures: a hash of all names with their sizes or checksums."""
        every = sorted(f"{name} {stamp}" for root in self.roots for name, stamp in _stamps(root))
        return hashlib.sha256("\n".join(every).encode()).hexdigest()[:16]

    def batch(
        self, count: int, crop: "Crop", seed: int, step: int, part: slice = slice(None)
    ) -> Images:
        """Draw the training crops of one step, or a part of them; an epoch sees every picture."""
        dice = torch.rand(count, 5, generator=stepped(seed, step))
        order = range(step * count, (step + 1) * count)
        chosen = zip(order[part], dice[part].tolist(), strict=True)
        return torch.stack([crop.draw(self._readable(seed, n), *throw) for n, throw in chosen])

    def held_out(self, count: int, crop: "Crop") -> Images:
        """Read the central crops of some held-out pictures, always the same ones."""
        names = sorted(self.names(True) or self.names(), key=lambda pair: fraction(pair[1] + "v"))
        found = (read_or_warn(*pair, self.white) for pair in names)
        photos = islice((photo for photo in found if photo is not None), count)
        crops = [crop.central(photo) for photo in photos]
        return torch.stack(crops or [crop.central(self._readable(0, 0))])

    def _readable(self, seed: int, number: int) -> Image.Image:
        return readable(self.names(), shuffled(len(self.names()), seed, number), self.white)


@dataclass(frozen=True)
class Crop:
    """Square crops of one size.

    Args:
        size: side of the crop in pixels.
        zoom: largest enlargement of usual crops; 1 shows as much of the picture as possible.
        rare_zoom: largest enlargement of one crop in seven.
        flip: mirror half of the crops; not for digits or text.
    """

    size: int = 128
    zoom: float = 1.3
    rare_zoom: float = 1.75
    flip: bool = True

    def draw(
        self, photo: Image.Image, a: float, b: float, c: float, d: float, e: float
    ) -> torch.Tensor:
        """Crop at random, as five dice in [0, 1) say."""
        zoom = 1 + a * ((self.rare_zoom if b < 1 / 7 else self.zoom) - 1)
        x = self.cut(photo, zoom, c, d)
        return x.flip(-1) if self.flip and e < 0.5 else x

    def central(self, photo: Image.Image) -> torch.Tensor:
        return self.cut(photo, 1.0, 0.5, 0.5)

    def cut(self, photo: Image.Image, zoom: float, x: float, y: float) -> torch.Tensor:
        """Cut a square, at most 1.25 times as many pixels wide as the crop, and resize it."""
        side = min(*photo.size, 1.25 * self.size) / zoom
        left, top = x * (photo.width - side), y * (photo.height - side)
        box = (left, top, left + side, top + side)
        small = photo.resize((self.size, self.size), Image.Resampling.BICUBIC, box)
        return torch.from_numpy(np.array(small)).permute(2, 0, 1).float() / 255


def stepped(seed: int, step: int) -> torch.Generator:
    """Make the generator of one step: independent of all others, and of how often one resumed."""
    text = f"{seed}/{step}".encode()
    return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(text).digest()[:7], "big"))


def readable(
    names: Sequence[tuple[str, str]], first: int, white: float | int | None = None
) -> Image.Image:
    """Decode one of some pictures, or the next that can be read."""
    for offset in range(len(names)):
        photo = read_or_warn(*names[(first + offset) % len(names)], white)
        if photo is not None:
            return photo
    raise ValueError(f"none of the {len(names)} pictures, such as {names[0]}, can be read")


def shuffled(count: int, seed: int, number: int) -> int:
    """Which of `count` things comes at a place of an endless list that holds all in each epoch."""
    epoch, place = divmod(number, count)
    return int(_permutation(count, seed, epoch)[place])


def read_or_warn(root: str, name: str, white: float | int | None = None) -> Image.Image | None:
    """Decode one picture to RGB; one that cannot be read is named in a warning."""
    try:
        return _read(root, name, white)[0]
    except UNREADABLE as error:
        warnings.warn(f"skipped {root}/{name}, which cannot be read: {error}", stacklevel=2)
        return None


def doubtful(names: Sequence[tuple[str, str]], white: float | int | None) -> str:
    """Why the first of some pictures, and so likely all, are too dark or not all; else nothing."""
    root, name = names[0]
    with suppress(*UNREADABLE):
        doubt = _read(root, name, white)[1]
        return f"{root}/{name}: {doubt}" if doubt else ""
    return ""


def _read(root: str, name: str, white: float | int | None) -> tuple[Image.Image, str]:
    file = Path(root, name) if Path(root).is_dir() else archive(root).read(name)
    return doubted(file, f"{root}/{name}", white=white)


@cache
def archive(root: str) -> zipfile.ZipFile:
    """A zip file whose list of contents is read once."""
    return zipfile.ZipFile(root)


@lru_cache(32)
def _permutation(count: int, seed: int, epoch: int) -> torch.Tensor:
    return torch.randperm(count, generator=stepped(seed, -1 - epoch))


@lru_cache(8)
def _split(
    roots: tuple[str, ...], held: float
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    every = [(root, name) for root in roots for name in _listed(root)]
    if not every:
        raise ValueError(f"no pictures in {roots}; looked for {', '.join(sorted(ENDINGS))}")
    train = tuple(pair for pair in every if fraction(pair[1]) >= held)
    rest = tuple(pair for pair in every if fraction(pair[1]) < held)
    return train or tuple(every), rest


def _listed(root: str) -> list[str]:
    return sorted(name for name, _ in _files(root) if Path(name).suffix.lower() in ENDINGS)


def _stamps(root: str) -> Iterator[tuple[str, int]]:
    for name, stamp in _files(root):
        if Path(name).suffix.lower() in ENDINGS:
            yield name, stamp()


def _files(root: str) -> Iterator[tuple[str, Callable[[], int]]]:
    """List all names, each with what tells its size or its checksum."""
    path = Path(root)
    if path.is_dir():
        for folder, below, names in os.walk(path):
            below[:] = [
                name for name in below if not name.endswith(".fit")
            ]  # samples of a training
            for file in (Path(folder, name) for name in names):
                yield str(file.relative_to(path)), lambda file=file: file.stat().st_size
    elif zipfile.is_zipfile(path):
        for info in archive(root).infolist():
            yield info.filename, lambda info=info: info.CRC
    else:
        raise ValueError(f"{root} is neither a folder nor a zip file of pictures")


def fraction(name: str) -> float:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") / 2**48
