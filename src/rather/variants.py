"""Many variants of a few images, a limited number at a time."""

import zlib
from collections.abc import Iterator

import torch

from rather.progress import track
from rather.types import Images, Labels


def variants(images: Images, each: int, batch: int, label: str) -> Iterator[tuple[Labels, Labels]]:
    """Yield `(row, number)` of every variant of every image, at most `batch` at a time.

    Args:
        images: what there are variants of; only its length and device count.
        each: how many variants one image has.
        batch: how many at a time.
        label: what is being done, for whoever listens to the progress.
    """
    total = len(images) * each
    for start in track(range(0, total, batch), label):
        chunk = torch.arange(start, min(start + batch, total), device=images.device)
        yield chunk // each, chunk % each


def check_batch(batch: int | None) -> None:
    """Raise a `ValueError` unless at least one variant fits a batch."""
    if batch is not None and batch < 1:
        raise ValueError(
            f"batch must be at least 1, but is {batch}; None leaves it to the classifier"
        )


def check_choice(field: str, value: str, known: tuple[str, ...]) -> None:
    """Raise a `ValueError` unless the value is one of those known."""
    if value not in known:
        raise ValueError(f"{field} is one of {', '.join(known)}, not {value!r}")


def image_seeds(images: Images, seed: int) -> list[int]:
    """A seed for each image that depends on its own content alone."""
    pixels = (images * 255).round().to(torch.uint8).cpu()
    return [seed + zlib.crc32(image.numpy().tobytes()) for image in pixels]
