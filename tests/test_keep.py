"""What `keep` must be, in words: its type, its range, and which end of it keeps."""

import re

import pytest
import torch
from torch import Tensor

from rather import fill, infiller
from rather.infillers import MeanColour

IMAGES = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
KEEP = IMAGES[:, :1] > 0.5
MEANING = "1 keeps a pixel, 0 replaces it"


@pytest.mark.parametrize(
    "keep", [KEEP, KEEP.long(), KEEP.byte() * 255, KEEP.double()], ids=lambda keep: str(keep.dtype)
)
def test_keep_has_the_type_of_the_images(keep: Tensor) -> None:
    said = f"keep is {keep.dtype}, but must be floating point, torch.float32 as the images are"
    message = f"{said}; {MEANING}; use keep.float()"
    with pytest.raises(ValueError, match=re.escape(message)):  # `fill` is stricter under beartype
        infiller._check(keep, IMAGES, "keep")
    infiller._check(KEEP.float(), IMAGES, "keep")


def test_the_range_of_keep_says_which_end_keeps() -> None:
    message = f"keep must lie in [0, 1], but spans [0, 255]; {MEANING}: divide 8-bit values by 255"
    with pytest.raises(ValueError, match=re.escape(message)):
        fill(MeanColour(), IMAGES, KEEP.float() * 255, torch.Generator())


def test_a_proposal_of_bytes_is_refused() -> None:
    message = "the proposal of it is torch.uint8, but must be floating point"
    with pytest.raises(ValueError, match=message):
        infiller._check(IMAGES.byte(), IMAGES, "the proposal of it")
    infiller._check(IMAGES.half(), IMAGES, "the proposal of it")
