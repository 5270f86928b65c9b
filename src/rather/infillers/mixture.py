"""`Mixture`: one of several in-fills, drawn anew each time."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from rather.infiller import Infiller, reads_hidden, uses_keep
from rather.types import Images, Keep


@dataclass(frozen=True)
class Mixture:
    """Picks one in-fill a draw, so that no single one shapes the answer.

    Args:
        infillers: what is picked from, with equal chances; name one twice to double its chance.
    """

    infillers: tuple[Infiller, ...]

    stochastic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.infillers:
            raise ValueError("a mixture of 0 in-fills fills nothing; name at least one")
        bound = [one for one in self.infillers if hasattr(one, "at")]
        if bound and self.uses_keep:
            raise ValueError(
                f"{bound[0]} holds pixels for each image in order, and cannot be mixed with what "
                "reads the mask, as that is asked of each variant anew; take Pastes, or none"
            )

    @property
    def reads_hidden(self) -> bool:
        return any(map(reads_hidden, self.infillers))

    @property
    def uses_keep(self) -> bool:
        return any(map(uses_keep, self.infillers))

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        device = generator.device
        pick = torch.randint(len(self.infillers), (), generator=generator, device=device).item()
        chosen = self.infillers[int(pick)]
        visible = images if reads_hidden(chosen) else images.where(keep > 0.5, 0.5)
        return chosen(visible, keep, generator)
