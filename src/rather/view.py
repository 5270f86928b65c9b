"""How a photo of any size becomes the square that a network wants to see."""

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class View:
    """The crop of a photo that a classifier was trained to look at, and how bright it is seen.

    Args:
        crop: side of the square that the network sees, in pixels.
        resize: the shorter side is scaled to this before the centre is cropped, in pixels; larger
            values look at less of the photo. None squeezes the whole photo into the square.
        interpolation: how it is scaled.
        white: value of deep greyscale (16 bit, 32 bit, float) that is shown white, the same for
            all photos: 4095 for a camera of 12 bits. 0 is shown black, larger values are clipped.
            None goes by the kind of file and its largest value (`rather.data.photo`). Photos of 8
            bits and in colour are as they are.
    """

    crop: int = 224
    resize: int | None = 256
    interpolation: Literal["bicubic", "bilinear", "nearest"] = "bicubic"
    white: float | int | None = None

    def __post_init__(self) -> None:
        if self.crop < 1 or (self.resize is not None and self.resize < self.crop):
            raise ValueError(
                f"View(crop={self.crop}, resize={self.resize}) leaves a border without pixels; "
                "crop must be at least 1 and resize at least crop"
            )
        check_white(self.white)


def check_white(white: float | int | None) -> None:
    """Raise a `ValueError` unless it is a value that can be shown white, or None."""
    if white is not None and not 0 < white < math.inf:
        raise ValueError(
            f"white is {white}, but must be above 0 and finite: the value that is shown white, "
            "such as 4095 for 12 bits, or None"
        )
