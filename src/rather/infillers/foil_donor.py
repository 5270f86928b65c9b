"""`FoilDonor`: a real image of the foil, as the baseline of expected gradients.

Source: the baselines of class t of Shih, Tien and Karnin, GANMEX, ICML 2021, arXiv:2011.06015.
Differs: an image is of the class that the classifier calls it, as the question is about that.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rather.classifier import Classifier
from rather.editor import Counterfactual
from rather.infiller import Infiller
from rather.infillers.bank import Bank, Donors, banked, opened
from rather.infillers.donor import picks
from rather.question import Question
from rather.types import Images, Keep, Labels


@dataclass(frozen=True)
class FoilDonor:
    """One random image of a bank, among those that the classifier calls the question's foil.

    It stands in a field of an explainer; `explain` asks the classifier about the bank.

    Args:
        bank: path of a folder or zip file, or `DonorFolder`, or images.
        count: at most so many photos are read from a path; memory is linear in it.
    """

    bank: Donors
    count: int = 1000

    reads_hidden: ClassVar[bool] = False
    uses_keep: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count is {self.count}; a bank needs at least 1 image")
        object.__setattr__(self, "bank", banked(self.bank))

    @torch.no_grad()
    def settled(
        self, classifier: Classifier, images: Images, question: Question
    ) -> tuple[Infiller, Counterfactual | None]:
        """The members of each image's foil.

        Raises:
            ValueError: the question has no foil, or the bank no image of it.
        """
        if question.foil is None:
            raise ValueError(
                "FoilDonor draws images of the foil, and the question has none; ask "
                "Question(target, foil), or on the command line --rather-than CLASS"
            )
        bank = opened(banked(self.bank), self.count, images.shape[2], images.shape[3])
        rows = torch.arange(len(bank)).split(classifier.batch)
        answers = torch.cat([classifier(bank.at(row, images)).argmax(1).cpu() for row in rows])
        members = tuple((answers == foil).nonzero()[:, 0] for foil in question.foil.tolist())
        for foil, those in zip(question.foil.tolist(), members, strict=True):
            if not len(those):
                raise ValueError(
                    f"{classifier.name} calls none of {len(bank)} donors "
                    f"{classifier.name_of(foil)!r}; give a bank that has some"
                )
        return Members(bank, members), None

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        raise ValueError(
            "FoilDonor fills nothing before it knows the classifier and the foil: give it to an "
            "explainer and call explain(...)"
        )


@dataclass(frozen=True, eq=False)
class Members:
    """What `FoilDonor` settles to: for every image the donors that it draws from."""

    bank: Bank
    rows: tuple[Tensor, ...]

    reads_hidden: ClassVar[bool] = False
    uses_keep: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def at(self, rows: Labels) -> "Members":
        """Chosen rows, for chosen images."""
        return Members(self.bank, tuple(self.rows[row] for row in rows.tolist()))

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        share = picks((1,), 2**20, images, generator).cpu() / 2**20
        drawn = [those[(share * len(those)).long()] for those in self.rows]
        return self.bank.at(torch.cat(drawn), images)
