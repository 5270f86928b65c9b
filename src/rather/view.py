"""How a photo of any size becomes the square that a network wants to see."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class View:
    """The crop of a photo that a classifier was trained to look at.

    Args:
        crop: side of the square that the network sees, in pixels.
        resize: the shorter side is scaled to this before the centre is cropped, in pixels; larger
            values look at less of the photo. None squeezes the whole photo into the square.
        interpolation: how it is scaled.
    """

    crop: int = 224
    resize: int | None = 256
    interpolation: Literal["bicubic", "bilinear", "nearest"] = "bicubic"

    def __post_init__(self) -> None:
        if self.crop < 1 or (self.resize is not None and self.resize < self.crop):
            raise ValueError(
                f"View(crop={self.crop}, resize={self.resize}) leaves a border without pixels; "
                "crop must be at least 1 and resize at least crop"
            )
