"""One photo of any kind: from a file or bytes to what a network looks at.

Upright (EXIF), RGB, 8 bit; of an animation, or of the pages of a TIFF, the first: where a TIFF has
others as large, which may be the channels of a microscope, `doubted` says so. Transparent pixels
show white, as on a page. Deep greyscale is scaled by `white`, the value that is shown white; what
is larger is clipped.
Without it, nothing is clipped: 16-bit is scaled by 1/257; 32-bit and float by the smallest of 1
(float only), 255 and 65535 that holds all values of this photo, or stretched from minimum to
maximum where none does. Where that leaves the photo nearly black (fewer than one value in a
thousand reach an eighth of the range), `doubted` says so: 12 bits in a file of 16, or a few values
of float above 1, do it; of RGB of 16 bits, of which the upper 8 alone are read, too. NaN counts as
0. Colour profiles are ignored, as they were when the classifiers were trained.
"""

import warnings
from collections.abc import Generator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from rather.view import View, check_white

MOST_PIXELS = 80_000_000  # 240 MB as RGB; below Pillow's own limit, 89 million
DIM, RARE = 1 / 8, 1 / 1000  # share of the range that is nearly black; share of values that may err


def read(
    source: Path | str | bytes,
    name: str = "",
    most: int = MOST_PIXELS,
    white: float | int | None = None,
) -> Image.Image:
    """Read a photo as upright 8-bit RGB.

    Args:
        source: a file, or the bytes of one.
        name: what errors call it; by default the file's path.
        most: pixels it may have; a small file can unpack to more than memory holds.
        white: value of deep greyscale that is shown white; usually `view.white`.

    Raises:
        ValueError: it cannot be read; the message holds its name, the reason and the way out.
    """
    return doubted(source, name, most, white)[0]


def doubted(
    source: Path | str | bytes,
    name: str = "",
    most: int = MOST_PIXELS,
    white: float | int | None = None,
) -> tuple[Image.Image, str]:
    """Read a photo as `read` does, and say why it is likely not all, or too dark; else nothing."""
    check_white(white)
    name = name or ("the image" if isinstance(source, bytes) else str(source))
    with _explained(name):
        stream = BytesIO(_filled(source)) if isinstance(source, bytes) else _found(Path(source))
        with Image.open(stream) as image:
            _check_opened(image, most)
            unseen, halved = _unseen(image), _halved(image)
            image.load()
            photo, dark = _rgb(_upright(image), white)
            dark = _doubt_halved(photo) if halved else dark
            return photo, "; and ".join(filter(None, (unseen, dark)))


def look(photo: Image.Image, view: View) -> Float[Tensor, "3 h w"]:
    """Scale and crop a photo to [0, 1], bit for bit as torchvision does it.

    Raises:
        ValueError: one side is so much longer than the other that the scaled photo is enormous.
    """
    scaled, (left, top) = _scaled(photo.size, view)
    if scaled[0] * scaled[1] > MOST_PIXELS:
        raise ValueError(
            f"{photo.width} x {photo.height} pixels scale to {scaled[0]} x {scaled[1]}, more than "
            f"the limit of {MOST_PIXELS}; cut out the part that matters, or use View(resize=None)"
        )
    sampling = Image.Resampling[view.interpolation.upper()]
    large = photo.convert("RGB").resize(scaled, sampling)
    square = large.crop((left, top, left + view.crop, top + view.crop))
    return torch.from_numpy(np.array(square)).permute(2, 0, 1).float() / 255


def window(size: tuple[int, int], view: View) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what a view shows, in pixels of a photo of (width, height)."""
    scaled, (left, top) = _scaled(size, view)
    x, y = size[0] / scaled[0], size[1] / scaled[1]
    return left * x, top * y, (left + view.crop) * x, (top + view.crop) * y


def _scaled(size: tuple[int, int], view: View) -> tuple[tuple[int, int], tuple[int, int]]:
    """Size of the scaled photo, and where its crop starts; rounded as torchvision rounds."""
    if view.resize is None:
        return (view.crop, view.crop), (0, 0)
    width, height = (view.resize * side // min(size) for side in size)
    return (width, height), (round((width - view.crop) / 2), round((height - view.crop) / 2))


def _filled(source: bytes) -> bytes:
    if not source:
        raise ValueError("it is empty: 0 bytes; give the bytes of an image file")
    return source


def _found(path: Path) -> Path:
    if not path.exists():
        raise ValueError("there is no such file; check the path")
    if path.is_dir():
        raise ValueError("it is a folder; give a file, or read the folder with Photos")
    if not path.is_file():
        raise ValueError("it is no regular file; save the image to a file first")
    if path.stat().st_size == 0:
        raise ValueError("it is empty: 0 bytes; fetch or save it again")
    return path


def _check_opened(image: Image.Image, most: int) -> None:
    if image.format == "EPS":
        raise ValueError("EPS is a program that draws, not pixels; save it as PNG first")
    if image.width * image.height > most:
        raise ValueError(
            f"it has {image.width} x {image.height} pixels, more than the limit of {most}; "
            "shrink it, or pass most= to rather.data.photo.read if you trust it"
        )


@contextmanager
def _explained(name: str) -> Generator[None]:
    """Turn whatever Pillow and its plugins raise into one error; keep their warnings quiet."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UnidentifiedImageError as error:
        reason = "it is no image that Pillow can read; save it as PNG or JPEG first"
        raise ValueError(f"{name}: {reason}") from error
    except Image.DecompressionBombError as error:
        limit = "more pixels than Pillow allows; shrink it, or raise PIL.Image.MAX_IMAGE_PIXELS"
        raise ValueError(f"{name}: it has {limit} and pass most= if you trust it") from error
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    except Exception as error:
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        way = "it is damaged or of a rare kind; fetch it again, or save it as PNG first"
        raise ValueError(f"{name}: {reason}; {way}") from error


def _unseen(image: Image.Image) -> str:
    """What is to be said of further pages of the same size."""
    pages = 1
    if image.format == "TIFF":
        with suppress(Exception):  # damage behind the first page, which can be read
            size, pages = image.size, getattr(image, "n_frames", 1)
            image.seek(pages - 1)
            pages = pages if image.size == size else 1
        image.seek(0)
    if pages == 1:
        return ""
    return (
        f"it holds {pages} pages as large as the first, which alone is seen; save the page that "
        "matters, or three as the channels of one RGB image"
    )


def _halved(image: Image.Image) -> bool:
    """Whether colours have 16 bits in the file, of which Pillow reads the upper 8."""
    return image.mode in ("RGB", "RGBA") and any(
        ";16" in str(part[3]) for part in getattr(image, "tile", ())
    )


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # broken EXIF beside good pixels
        return image


def _rgb(image: Image.Image, white: float | int | None) -> tuple[Image.Image, str]:
    """The photo, and what is doubtful about its brightness."""
    if image.mode[0] in "IF":
        return _from_deep(np.asarray(image), image.mode, white)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        page = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(page, image)
    return image.convert("RGB"), ""


def _from_deep(values: np.ndarray, mode: str, white: float | int | None) -> tuple[Image.Image, str]:
    values = np.nan_to_num(values.astype(np.float32), posinf=0, neginf=0)
    start, span = _scale(values, mode) if white is None else (0.0, float(white))
    shown = ((values - start) / span).clip(0, 1)
    photo = Image.fromarray(np.rint(shown * 255).astype(np.uint8)).convert("RGB")
    return photo, _doubt(values, shown, start + span) if white is None else ""


def _scale(values: np.ndarray, mode: str) -> tuple[float, float]:
    """Which value is shown black, and how far above it is white."""
    low, high = float(values.min()), float(values.max())
    tops = (65535,) if mode.startswith("I;16") else (1, 255, 65535) if mode == "F" else (255, 65535)
    fits = [top for top in tops if low >= 0 and high <= top]
    return (0.0, float(fits[0])) if fits else (low, (high - low) or 1.0)


def _doubt(values: np.ndarray, shown: np.ndarray, white: float) -> str:
    if not _dark(shown):
        return ""
    usual = float(np.quantile(values, 1 - RARE, method="lower"))
    return (
        f"it comes out nearly black: its largest value is {values.max():g}, 999 of 1000 are at "
        f"most {usual:g}, and {white:g} is shown white; say what is white (1 for float, "
        "4095 for 12 bits) with --white or white="
    )


def _doubt_halved(photo: Image.Image) -> str:
    values = np.asarray(photo)
    if not _dark(values / 255):
        return ""
    return (
        f"it comes out nearly black: its colours have 16 bits, of which the upper 8 are read, at "
        f"most {values.max()} of 255; scale them and save it with 8 bits a colour"
    )


def _dark(shown: np.ndarray) -> bool:
    """Whether nearly all is black, and not quite all."""
    return bool(shown.any() and (shown >= DIM).mean() < RARE)
