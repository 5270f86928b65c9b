"""A bank of donor images in memory, 8 bit a value; read lazily from a folder or a zip file."""

import hashlib
import warnings
import zipfile
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional as F

from rather.data.photo import doubted
from rather.types import Images
from rather.view import check_white

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".ppm", ".tif", ".tiff", ".gif"})
Bytes = UInt8[Tensor, "b 3 h w"]


@dataclass(frozen=True, eq=False, repr=False)
class Bank:
    """Donor images of one size, with names that tell who stood in."""

    images: Bytes
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.images) != len(self.names) or not len(self.images):
            raise ValueError(
                f"a bank of {len(self.images)} images and {len(self.names)} names is of no use; "
                "give at least one image, and one name each"
            )

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return self._label

    @cached_property
    def _label(self) -> str:
        return f"<{len(self)} images sha256:{digest(self.images)}>"

    def at(self, rows: Int[Tensor, " m"], like: Images) -> Float[Tensor, "m 3 h w"]:
        """Some of the images, as floats on the device of others."""
        return self.images[rows.to(self.images.device)].to(like) / 255


@dataclass(frozen=True)
class DonorFolder:
    """A folder or zip file of photos, where more than its path is to be said.

    Args:
        path: of the folder or zip file.
        white: value of deep greyscale that is shown white, as in `View`.
    """

    path: str
    white: float | int | None = None

    def __post_init__(self) -> None:
        check_white(self.white)


Donors = str | Path | DonorFolder | Bank | Images | Bytes


def banked(donors: Donors) -> str | DonorFolder | Bank:
    """Take tensors into a bank, rounded to 8 bit; a path stays as it is until it is needed."""
    if isinstance(donors, Bank | DonorFolder):
        return donors
    if not isinstance(donors, Tensor):
        return str(donors)
    if donors.is_floating_point():
        donors = (donors.detach().clamp(0, 1) * 255).round().to(torch.uint8)
    return Bank(donors, tuple(map(str, range(len(donors)))))


@lru_cache(2)
def opened(bank: str | DonorFolder | Bank, count: int, height: int, width: int) -> Bank:
    """The bank at one size; photos are cut to its shape in the middle, tensors are stretched.

    Args:
        bank: images, or a folder or zip file of photos.
        count: at most so many photos are read, spread evenly over the sorted names.
        height: of the images that will be filled.
        width: of the images that will be filled.

    Raises:
        ValueError: there is no readable photo.
    """
    if not isinstance(bank, Bank):
        folder = DonorFolder(bank) if isinstance(bank, str) else bank
        return _read(folder, count, (width, height))
    if tuple(bank.images.shape[2:]) == (height, width):
        return bank
    parts = [_stretched(part, (height, width)) for part in bank.images.split(64)]
    return Bank(torch.cat(parts), bank.names)


def digest(values: Tensor) -> str:
    """First 12 digits of the SHA-256 of a tensor's values."""
    array = np.ascontiguousarray(values.detach().cpu().numpy())
    return hashlib.sha256(array.tobytes()).hexdigest()[:12]


def _stretched(images: Bytes, size: tuple[int, int]) -> UInt8[Tensor, "b 3 height width"]:
    made = F.interpolate(images.float(), size, mode="bilinear", antialias=True)
    return made.clamp(0, 255).round().to(torch.uint8)


def _read(folder: DonorFolder, count: int, size: tuple[int, int]) -> Bank:
    root, names = folder.path, _names(folder.path)
    step = max(1.0, len(names) / count)
    chosen = [names[int(i * step)] for i in range(min(count, len(names)))]
    photos: dict[str, Tensor] = {}
    doubts: list[str] = []
    for name in chosen:
        if (found := _photo(folder, name, size)) is not None:
            photos[name], doubt = found
            doubts += [f"{root}/{name}: {doubt}"] if doubt else []
    if not photos:
        raise ValueError(
            f"no donor in {root}: none of {len(chosen)} pictures can be read; "
            f"looked for {', '.join(sorted(ENDINGS))}"
        )
    if doubts:
        more = f"{len(doubts)} of {len(photos)} donors"
        way = f"DonorFolder({root!r}, white=...) says what is white"
        warnings.warn(f"{doubts[0]} ({more}; {way})", stacklevel=2)
    return Bank(torch.stack(list(photos.values())), tuple(photos))


def _names(root: str) -> list[str]:
    path = Path(root).expanduser()
    if path.is_dir():
        names = [str(file.relative_to(path)) for file in path.rglob("*")]
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    else:
        raise ValueError(f"the bank {root} is neither a folder nor a zip file of photos")
    return sorted(name for name in names if Path(name).suffix.lower() in ENDINGS)


def _photo(
    folder: DonorFolder, name: str, size: tuple[int, int]
) -> tuple[UInt8[Tensor, "3 h w"], str] | None:
    """One photo, and what is doubtful of it; nothing if it cannot be read."""
    path = Path(folder.path).expanduser()
    try:
        file = path / name if path.is_dir() else _unzipped(path, name)
        photo, doubt = doubted(file, name, white=folder.white)
    except ValueError:  # a bank does not need every file
        return None
    fitted = ImageOps.fit(photo, size, Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(fitted)).permute(2, 0, 1), doubt


def _unzipped(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)
