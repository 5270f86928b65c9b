"""Photos with human masks of the salient object: ECSSD, asked why what the classifier answers."""

import zipfile
from collections.abc import Iterator

import torch
from harness import DATA, digest

from rather import Batch, Classifier
from rather.data.photo import look, read

PHOTOS = DATA / "ecssd_0001-0500_224.zip"


@torch.no_grad()
def photos(classifier: Classifier) -> Iterator[Batch]:
    """One by one, as the classifier looks at them; no object lies outside of what it sees."""
    with zipfile.ZipFile(PHOTOS) as packed:
        for name in sorted(packed.namelist()):
            if not name.startswith("images/"):
                continue
            number = name.removeprefix("images/").removesuffix(".webp")
            image, mask = (
                look(read(packed.read(path), path), classifier.view)[None]
                for path in (name, f"masks/{number}.png")
            )
            region = mask[:, 0] > 0.5
            if region.any():
                yield Batch(image, classifier(image).argmax(1), (f"ecssd{number}",), region)


def data(count: int) -> str:
    """The photos in words."""
    return f"{PHOTOS.name} sha256:{digest(PHOTOS)}, the first {count}"
