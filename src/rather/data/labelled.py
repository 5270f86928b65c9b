"""Labelled training pictures: from folders that are named after classes, or from arrays.

Every step draws the classes in turn, each from a shuffled list of its own, so batches are balanced
whatever the sizes of the classes. As in `rather.data.folder` a batch is a pure function of the seed
and the step.
"""

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path, PurePath

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from rather.batch import Batch
from rather.data.folder import Crop, Pictures, fraction, readable
from rather.data.turns import drawn, in_turn, labels_of
from rather.types import Labels
from rather.view import check_white

Name = tuple[str, str]  # root, and name inside it


@dataclass(frozen=True)
class ClassFolders:
    """Pictures whose folder names their class, such as `train/dog/7.png`.

    Args:
        roots: folders or zip files.
        classes: folders' names in the order of labels; others are passed over. Empty: all, sorted,
            and then no picture may stand outside of them.
        held: what is held out: a share, chosen by a hash of the names, or the name of a folder
            above those of the classes, such as "val".
        white: value of deep greyscale that is shown white, as in `View`.
    """

    roots: tuple[str, ...]
    classes: tuple[str, ...] = ()
    held: float | str = 0.02
    white: float | int | None = None

    def __post_init__(self) -> None:
        check_white(self.white)

    @property
    def known(self) -> tuple[str, ...]:
        """The classes in the order of labels."""
        return self.classes or _folders(self)

    def names(self, held_out: bool = False) -> tuple[Name, ...]:
        """List (root, name inside it) of one of the two parts, class by class."""
        return tuple(name for names in self.by_class(held_out) for name in names)

    def digest(self) -> str:
        """Name the set of pictures: a hash of all names with their sizes or checksums.

        Classes in another order than usual, which changes what labels mean, make another set.
        """
        found = Pictures(self.roots).digest()
        if list(self.classes) == sorted(self.classes):
            return found
        return hashlib.sha256("\n".join((found, *self.classes)).encode()).hexdigest()[:16]

    def batch(
        self, count: int, crop: Crop, seed: int, step: int, part: slice = slice(None)
    ) -> Batch:
        """Draw the training crops of one step, or a part of them, the classes in turn."""
        classes = self.by_class()

        def read(label: int, place: int) -> Image.Image:
            return readable(classes[label], place, self.white)

        return drawn(read, [len(names) for names in classes], count, crop, seed, step, part)

    def held_out(self, count: int, crop: Crop) -> Batch:
        """Read the central crops of some held-out pictures, the classes in turn."""
        classes = [sorted(names, key=lambda name: fraction(name[1])) for names in self._held()]
        chosen = list(islice(in_turn([len(names) for names in classes]), count))
        photos = (readable(classes[label], place, self.white) for label, place in chosen)
        crops = [crop.central(photo) for photo in photos]
        names = tuple(classes[label][place][1] for label, place in chosen)
        return Batch(torch.stack(crops), labels_of(chosen), names)

    @property
    def _all(self) -> tuple[Name, ...]:
        return Pictures(self.roots, held=0.0).names()

    def _held(self) -> list[list[Name]]:
        held, usual = self.by_class(True), self.by_class()
        return held if all(held) else usual

    def by_class(self, held_out: bool = False) -> list[list[Name]]:
        """The pictures of one of the two parts, one list a class."""
        return _by_class(self, held_out)

    def part(self, held_out: bool) -> dict[str, list[Name]]:
        """The same by the names of all folders."""
        found: defaultdict[str, list[Name]] = defaultdict(list)
        for root, name in self._all:
            if self._is_held(name) == held_out:
                found[PurePath(name).parent.name].append((root, name))
        return found

    def _is_held(self, name: str) -> bool:
        if isinstance(self.held, str):
            return self.held in PurePath(name).parts[:-2]
        return fraction(name) < self.held


def _folders(source: ClassFolders) -> tuple[str, ...]:
    """All folders' names, sorted."""
    found = {PurePath(name).parent.name for _, name in source._all}
    stray = [name for _, name in source._all if not PurePath(name).parent.name]
    if stray:
        there = ", ".join(sorted(found - {""})) or "none"
        raise ValueError(
            f"pictures of {source.roots} that stand in no class folder, such as {stray[0]} "
            f"({len(stray)} in all), have no class; the class folders are {there}: put them into "
            "one, or away, or choose folders: ClassFolders(roots, classes=(...))"
        )
    return tuple(sorted(found))


@lru_cache(8)
def _by_class(source: ClassFolders, held_out: bool) -> list[list[Name]]:
    found = source.part(held_out)
    missing = [one for one in source.known if one not in found]
    if missing and not held_out:
        raise ValueError(
            f"no pictures of class {missing[0]!r} in {source.roots}; each class needs a folder of "
            f"its name, and there are {', '.join(sorted(found))}"
        )
    return [found.get(one, []) for one in source.known]


@dataclass(frozen=True, eq=False, repr=False)
class Arrays:
    """Labelled pictures in memory, 8 bit a value, grey or RGB.

    Args:
        images: one picture a row.
        labels: 0, 1, ... to the last class.
        held: share held out for validation, chosen by a hash of their places.
    """

    images: UInt8[Tensor, "n c h w"]
    labels: Labels
    held: float = 0.02

    @classmethod
    def of(cls, batch: Batch, held: float = 0.02) -> "Arrays":
        """Take the images of a batch, rounded to 8 bit."""
        return cls((batch.images * 255).round().to(torch.uint8), batch.labels, held)

    @classmethod
    def from_npz(cls, path: str | Path, part: str = "train", held: float = 0.02) -> "Arrays":
        """Read `x_<part>` (n, h, w) or (n, h, w, 3), and `y_<part>`, as MNIST is often stored."""
        with np.load(path) as arrays:
            images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
        pixels = torch.from_numpy(images.reshape(*images.shape[:3], -1)).permute(0, 3, 1, 2)
        return cls(pixels.contiguous(), torch.from_numpy(labels).long(), held)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Arrays(<{len(self)} images sha256:{self.digest()}>, held={self.held})"

    def names(self, held_out: bool = False) -> tuple[str, ...]:
        """The places of one of the two parts, class by class."""
        return tuple(str(place) for rows in self._places[held_out] for place in rows)

    def digest(self) -> str:
        return self._digest

    def batch(
        self, count: int, crop: Crop, seed: int, step: int, part: slice = slice(None)
    ) -> Batch:
        """Draw the training crops of one step, or a part of them, the classes in turn."""
        places = self._places[False]

        def read(label: int, place: int) -> Image.Image:
            return self._photo(places[label][place])

        return drawn(read, [len(rows) for rows in places], count, crop, seed, step, part)

    def held_out(self, count: int, crop: Crop) -> Batch:
        """Some held-out pictures, the classes in turn."""
        held, usual = self._places[True], self._places[False]
        places = held if all(held) else usual
        chosen = list(islice(in_turn([len(rows) for rows in places]), count))
        rows = [places[label][place] for label, place in chosen]
        crops = [crop.central(self._photo(row)) for row in rows]
        return Batch(torch.stack(crops), labels_of(chosen), tuple(map(str, rows)))

    def all(self) -> Batch:
        """Every picture as it is; grey is replicated."""
        images = (self.images.float() / 255).expand(-1, 3, -1, -1)
        return Batch(images, self.labels, tuple(map(str, range(len(self)))))

    def _photo(self, row: int) -> Image.Image:
        pixels = self.images[row].permute(1, 2, 0).squeeze(2).numpy()
        return Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")

    @cached_property
    def _digest(self) -> str:
        return hashlib.sha256(self.images.numpy().tobytes()).hexdigest()[:16]

    @cached_property
    def _places(self) -> tuple[list[list[int]], list[list[int]]]:
        parts = tuple([[] for _ in range(int(self.labels.max()) + 1)] for _ in range(2))
        for place, label in enumerate(self.labels.tolist()):
            parts[fraction(str(place)) < self.held][label].append(place)
        if not all(parts[0]):
            raise ValueError(f"no image of class {[*map(len, parts[0])].index(0)}; give some")
        return parts[0], parts[1]
