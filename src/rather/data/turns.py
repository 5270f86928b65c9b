"""The classes in turn, each from a shuffled list of its own: whose picture is drawn when."""

from collections.abc import Callable, Iterator, Sequence

import torch
from PIL import Image

from rather.batch import Batch
from rather.data.folder import Crop, shuffled, stepped
from rather.types import Labels


def drawn(
    read: Callable[[int, int], Image.Image],
    sizes: Sequence[int],
    count: int,
    crop: Crop,
    seed: int,
    step: int,
    part: slice,
) -> Batch:
    """Crops of the pictures (label, place) of one step, or of a part of them."""
    dice = torch.rand(count, 5, generator=stepped(seed, step))[part].tolist()
    chosen = [_chosen(sizes, seed, n) for n in range(step * count, (step + 1) * count)[part]]
    pairs = zip(chosen, dice, strict=True)
    crops = [crop.draw(read(*one), *throw) for one, throw in pairs]
    return Batch(torch.stack(crops), labels_of(chosen), tuple(f"{a}/{b}" for a, b in chosen))


def _chosen(sizes: Sequence[int], seed: int, number: int) -> tuple[int, int]:
    turn, label = divmod(number, len(sizes))
    return label, shuffled(sizes[label], seed, turn)


def in_turn(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Every (label, place), the classes in turn until they are used up."""
    for place in range(max(sizes)):
        yield from ((label, place) for label, size in enumerate(sizes) if place < size)


def labels_of(chosen: Sequence[tuple[int, int]]) -> Labels:
    """The labels of some (label, place)."""
    return torch.tensor([label for label, _ in chosen])
