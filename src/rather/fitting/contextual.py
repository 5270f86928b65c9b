"""`ContextualRecipe`: trains DeepFill v1 by L1 in two stages and against a critic.

Source: Yu et al., Generative Image Inpainting with Contextual Attention, arXiv:1801.07892.
Differs: holes of all shapes, so the local critic of the box gives way to a patch critic with
hinge loss and one step; the L1 weight falls with the distance to the nearest shown pixel, which in
a box is theirs. `as_published()` has the box, both critics and the Wasserstein loss, but takes the
critic's five steps on the same pictures with fresh holes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam, Optimizer

from rather.data.folder import stepped
from rather.data.holes import HoleMixture
from rather.fitting.boxes import OneBox
from rather.fitting.inpainter import critic_loss, hidden_error, made_losses
from rather.fitting.recipe import Loss, Nets, frozen
from rather.networks.contextual import BoxCritic, ContextualNet
from rather.networks.patch_critic import PatchCritic
from rather.types import Images, Keep

WIDTHS = (64, 128, 256, 512)  # of the published local critic; the last of the global one is 256


@dataclass(frozen=True)
class ContextualRecipe:
    """What is trained, on which holes, against which critic.

    Args:
        width: channels at full resolution; cost grows with its square.
        renormalise: whether attention weights over shown patches sum to 1.
        critic: "patch" (hinge), or the published "box" (Wasserstein, local and global).
        critic_steps: steps of the critic before each of the in-painter.
        side: side of the training pictures; only the critic "box" needs it.
        adversarial: weight of the critic; more is sharper and less faithful.
        matching: weight of the distance in the patch critic's features.
        discount: factor of the L1 weight a pixel deeper in the hole; less leaves depth free.
        rate: learning rate.
        holes: the distribution of masks.
    """

    product: ClassVar[str] = "contextual"

    width: int = 24
    renormalise: bool = True
    critic: str = "patch"
    critic_steps: int = 1
    side: int = 64
    adversarial: float = 0.02
    matching: float = 0.0
    discount: float = 0.9
    rate: float = 1e-4
    holes: HoleMixture | OneBox = field(default_factory=HoleMixture)

    def __post_init__(self) -> None:
        if self.critic not in ("patch", "box"):
            raise ValueError(f"critic is {self.critic!r}; it is 'patch' or 'box'")

    @classmethod
    def as_published(cls) -> "ContextualRecipe":
        """For `Crop(size=256)` and `Plan(batch=16)`."""
        box = cls(width=32, renormalise=False, critic="box", critic_steps=5, side=256)
        return cls(**{**vars(box), "adversarial": 0.001, "holes": OneBox()})

    def networks(self) -> Nets:
        made = PatchCritic() if self.critic == "patch" else BoxCritic(self.side, WIDTHS)
        return {
            "contextual": ContextualNet(self.width, renormalise=self.renormalise),
            "critic": made,
        }

    def optimisers(self, nets: Nets) -> dict[str, Optimizer]:
        return {name: Adam(net.parameters(), self.rate, (0.5, 0.9)) for name, net in nets.items()}

    def losses(
        self, nets: Nets, images: Images, generator: torch.Generator, step: int
    ) -> Iterator[tuple[str, Loss]]:
        for _ in range(self.critic_steps):
            keep = self.holes(images, generator)
            with torch.no_grad():
                filled = torch.lerp(nets["contextual"](images, keep)[1], images, keep)
            yield "critic", self._learnt(nets["critic"], images, filled, keep, generator)
        keep = self.holes(images, generator)
        stages = nets["contextual"](images, keep)
        with frozen(nets["critic"]) as critic:
            filled = torch.lerp(stages[1], images, keep)
            judged = self._judged(critic, images, filled, keep)
        yield "contextual", stage_loss(stages, images, keep, self.discount) + judged

    def validate(self, nets: Nets, images: Images) -> dict[str, float]:
        """L1 in the hole of both stages, the refined one first."""
        keep = self.holes(images, stepped(0, 0))
        coarse, refined = nets["contextual"](images, keep)
        pair = {"L1": refined, "L1, coarse": coarse}
        return {name: hidden_error(made, images, keep).item() for name, made in pair.items()}

    def samples(self, nets: Nets, images: Images) -> tuple[Images, ...]:
        """What is shown, both stages, and the truth."""
        keep = self.holes(images, stepped(0, 1))
        made = [torch.lerp(x, images, keep) for x in nets["contextual"](images, keep)]
        return torch.where(keep > 0, images, 0.5), *made, images

    def _learnt(
        self,
        critic: nn.Module,
        images: Images,
        filled: Images,
        keep: Keep,
        generator: torch.Generator,
    ) -> Loss:
        if self.critic == "patch":
            return critic_loss(critic, images, filled, keep)
        gap = (critic(filled, keep) - critic(images, keep)).sum(1).mean()
        return gap + 10 * penalty(critic, images, filled, keep, generator)

    def _judged(self, critic: nn.Module, images: Images, filled: Images, keep: Keep) -> Loss:
        if self.critic == "box":
            return -self.adversarial * critic(filled, keep).sum(1).mean()
        opinion, match = made_losses(critic, images, filled, keep)
        return self.adversarial * opinion + self.matching * match


def stage_loss(stages: tuple[Images, Images], images: Images, keep: Keep, discount: float) -> Loss:
    """L1 on [-1, 1] in the hole and outside; the coarse stage weighs 1.2 times the refined one."""
    weight = depth_weight(1 - keep, discount)
    coarse, refined = (_l1(made, images, weight, keep) for made in stages)
    return 2 * 1.2 * (1.2 * coarse + refined)


def depth_weight(hidden: Keep, discount: float, rounds: int = 64) -> Keep:
    """1 at the hidden pixels that touch shown ones, and less by a factor with every pixel deeper.

    Nothing beyond the image counts as shown.
    """
    weight, inner = hidden.clone(), hidden
    for _ in range(min(rounds, max(hidden.shape[2:]) // 2)):
        inner = 1 - F.max_pool2d(1 - inner, 3, stride=1, padding=1)
        weight = torch.where(inner > 0, weight * discount, weight)
    return weight


def penalty(
    critic: nn.Module, images: Images, filled: Images, keep: Keep, generator: torch.Generator
) -> Loss:
    """Squared difference from 1 of the critics' slopes in the hole, between image and fill."""
    share = torch.rand(len(images), 1, 1, 1, generator=generator, device=generator.device)
    between = torch.lerp(images, filled, share.to(images)).requires_grad_()
    scores = critic(between, keep).sum(0)
    slopes = [torch.autograd.grad(score, between, create_graph=True)[0] for score in scores]
    lengths = torch.stack([(slope * (1 - keep)).flatten(1).norm(dim=1) for slope in slopes])
    return ((lengths - 1) ** 2).mean(1).sum()


def _l1(made: Images, images: Images, weight: Keep, keep: Keep) -> Tensor:
    error = (made - images).abs().mean(1, keepdim=True)
    inside = (error * weight).sum((1, 2, 3)) / (1 - keep).sum((1, 2, 3)).clamp(min=1)
    outside = (error * keep).sum((1, 2, 3)) / keep.sum((1, 2, 3)).clamp(min=1)
    return (inside + outside).mean()
