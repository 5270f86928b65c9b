"""`NearestSample`: the most similar real image that is of the class wanted.

The control for closeness: it is real and it is of the class, but it is another scene.

Source: MDTS of Shih, Tien and Karnin, GANMEX, arXiv:2011.06015. Differs: who belongs to a class is
asked of the classifier (published: the label), so that the edit always flips.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from rather.classifier import Classifier
from rather.editors.layer import answer_of
from rather.editors.members import members
from rather.infillers.bank import Bank, Donors, banked, opened
from rather.infillers.donor import picks
from rather.types import Images, Labels

COPY = 1e-8  # mean square distance below which a bank image is the image itself
SPARE = 8  # candidates beside the k nearest, so that copies of the image hide none


@dataclass(frozen=True)
class NearestSample:
    """The image of a bank that is nearest among those of the class wanted.

    Args:
        bank: path of a folder or zip file, or `DonorFolder`, read on the first call, or images.
        labels: classes of the bank's images, in order; None asks the classifier.
        metric: "pixel" (Euclidean), or "features" (cosine, of the classifier's own).
        layer: whose answer the features are; "" means what the last linear layer reads.
        k: one of so many nearest, at random; 1 is deterministic.
        seed: for `k` above 1.
        count: at most so many photos are read from a path; memory is linear in it.
        batch: bank images compared at once; it changes no result.
    """

    bank: Donors
    labels: Labels | None = field(default=None, compare=False)
    metric: str = "pixel"
    layer: str = ""
    k: int = 1
    seed: int = 0
    count: int = 1000
    batch: int = 256

    def __post_init__(self) -> None:
        if self.metric not in ("pixel", "features"):
            raise ValueError(f"metric is {self.metric!r}; it is 'pixel' or 'features'")
        if min(self.k, self.count, self.batch) < 1:
            raise ValueError(f"k={self.k}, count={self.count}, batch={self.batch}; at least 1 each")
        object.__setattr__(self, "bank", banked(self.bank))

    @classmethod
    def as_published(cls, bank: Donors, labels: Labels) -> "NearestSample":
        """By the labels of the data."""
        return cls(bank, labels)

    @torch.no_grad()
    def __call__(self, classifier: Classifier, images: Images, target: Labels) -> Images:
        bank = opened(banked(self.bank), self.count, images.shape[2], images.shape[3])
        made = torch.empty_like(images)
        for label in target.unique().tolist():
            asked = (target == label).nonzero()[:, 0]
            rows = members(classifier, bank, label, self.labels)
            nearest = self._nearest(classifier, bank, rows, images[asked])
            made[asked] = bank.at(rows[nearest], images)
        return made

    def _nearest(self, classifier: Classifier, bank: Bank, rows: Tensor, images: Images) -> Tensor:
        """Places in `rows` of the nearest that is no copy, one for each image."""
        wanted = self._seen(classifier, images)
        parts = [
            distances(wanted, self._seen(classifier, bank.at(part, images)))
            for part in rows.split(self.batch)
        ]
        k = min(self.k, len(rows))
        found = torch.cat(parts, 1).cpu().topk(min(k + SPARE, len(rows)), largest=False).indices
        pairs = zip(found, images, strict=True)
        copies = torch.stack([self._copies(bank, rows[one], image) for one, image in pairs])
        if copies.all(1).any():
            raise ValueError("the bank holds but the image itself of the class wanted; add others")
        order = copies.int().argsort(dim=1, stable=True)
        generator = torch.Generator().manual_seed(self.seed)
        pick = int(picks((1,), k, images[:0].cpu(), generator)) if k > 1 else 0
        return found.gather(1, order)[:, pick]

    def _copies(self, bank: Bank, rows: Tensor, image: Tensor) -> Tensor:
        """Which bank images are the image itself; they come last."""
        return ((bank.at(rows, image[None]) - image) ** 2).mean((1, 2, 3)).cpu() <= COPY

    def _seen(self, classifier: Classifier, images: Images) -> Tensor:
        if self.metric == "pixel":
            return images.flatten(1)
        return F.normalize(answer_of(classifier, self.layer, images).flatten(1))

    def arrays(self) -> dict[str, Tensor]:
        """What a record must keep beside the `repr`, by field."""
        bank = banked(self.bank)
        held = {"bank": bank.images} if isinstance(bank, Bank) else {}
        return held if self.labels is None else held | {"labels": self.labels}


def distances(one: Tensor, other: Tensor) -> Tensor:
    """Euclidean, and the same for every pair whatever else is compared."""
    return torch.cdist(one, other, compute_mode="donot_use_mm_for_euclid_dist")


@dataclass(frozen=True)
class ClassMean:
    """The mean image of the class wanted, the same for every image: a blur, and no one's face.

    Args:
        bank: path of a folder or zip file, or `DonorFolder`, read on the first call, or images.
        labels: classes of the bank's images, in order; None asks the classifier.
        count: at most so many photos are read from a path.
        batch: images summed at once; it changes no result.
    """

    bank: Donors
    labels: Labels | None = field(default=None, compare=False)
    count: int = 1000
    batch: int = 1024

    def __post_init__(self) -> None:
        object.__setattr__(self, "bank", banked(self.bank))

    @torch.no_grad()
    def __call__(self, classifier: Classifier, images: Images, target: Labels) -> Images:
        bank = opened(banked(self.bank), self.count, images.shape[2], images.shape[3])
        made = torch.empty_like(images)
        for label in target.unique().tolist():
            rows = members(classifier, bank, label, self.labels)
            total = sum(bank.at(part, images).sum(0) for part in rows.split(self.batch))
            made[target == label] = total / len(rows)
        return made
