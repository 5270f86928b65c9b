"""What a dataset hands out."""

from dataclasses import dataclass

import torch

from rather.types import Boxes, Images, Labels, Regions


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
