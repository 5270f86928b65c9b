"""What a dataset hands out."""

from dataclasses import dataclass

import torch

from rather.types import Boxes, Images, Labels, Regions


def check_images(images: Images) -> None:
    """Raise a `ValueError` unless there are images, float32, RGB, finite and in [0, 1]."""
    if not isinstance(images, torch.Tensor):
        raise ValueError(
            f"images are a tensor (n, 3, height, width), not a {type(images).__name__}"
        )
    if images.dim() != 4 or images.shape[1] != 3:
        raise ValueError(
            f"images must be (n, 3, height, width), but are {tuple(images.shape)}; repeat a grey "
            "channel three times, and put channels second"
        )
    if not len(images):
        raise ValueError("there is no image to explain; give at least one")
    if images.dtype != torch.float32:
        raise ValueError(f"images are {images.dtype}, but must be float32; call images.float()")
    low, high = images.aminmax()
    if low.isnan():
        raise ValueError("images hold NaN; replace it, by torch.nan_to_num for instance")
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"images must lie in [0, 1], but span [{low:.3g}, {high:.3g}]; divide 8-bit values by "
            "255, and leave the normalisation to the Classifier"
        )


@dataclass(frozen=True, eq=False)
class Batch:
    """Images as a dataset hands them out, with what is known about them; label -1: unknown.

    `regions` mark all that is the labelled object; `boxes` tell apart what lies in them, as
    overlapping rectangles cannot be found again in their union.
    """

    images: Images
    labels: Labels
    names: tuple[str, ...]
    regions: Regions | None = None
    boxes: tuple[Boxes, ...] | None = None

    def __post_init__(self) -> None:
        if not len(self.images) == len(self.labels) == len(self.names):
            raise ValueError(
                f"{len(self.images)} images, {len(self.labels)} labels and {len(self.names)} names "
                "do not go together; give one label (-1: unknown) and one name per image"
            )

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, rows: slice) -> "Batch":
        """Neighbouring rows."""
        return self.at(torch.arange(len(self))[rows].to(self.labels.device))

    def to(self, device: torch.device | str) -> "Batch":
        """The same on another device."""
        regions = None if self.regions is None else self.regions.to(device)
        boxes = None if self.boxes is None else tuple(each.to(device) for each in self.boxes)
        return Batch(self.images.to(device), self.labels.to(device), self.names, regions, boxes)

    def at(self, rows: Labels) -> "Batch":
        """Chosen rows."""
        return Batch(
            self.images[rows],
            self.labels[rows],
            tuple(self.names[row] for row in rows.tolist()),
            None if self.regions is None else self.regions[rows],
            None if self.boxes is None else tuple(self.boxes[row] for row in rows.tolist()),
        )
