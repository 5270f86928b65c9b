"""`InpainterRecipe`: trains the Fourier U-Net on holes of all shapes, against a patch critic.

Only what `fill` shows is judged: the kept pixels are pasted before features and critic look. What
the network draws is led by L1, and how much it copies by the features alone.

Source: Suvorov et al., arXiv:2109.07161 (losses); Yu et al., arXiv:1806.03589 (hinge, spectral
norm). Differs: the distance of features leads, of a small frozen classifier that judges no fill
later; the critic joins late and weighs little; L1 counts in the hole, near what is shown, a
discount in the spirit of Yu et al., arXiv:1801.07892.
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
from rather.fitting.features import distance, features, squeezenet
from rather.fitting.growing import grown
from rather.fitting.recipe import Loss, Nets, frozen
from rather.networks.inpainter import FourierUNet
from rather.networks.patch_critic import PatchCritic
from rather.networks.pyramid import pull_push
from rather.types import Images, Keep

KINDS = ("boxes", "segments", "pixels")  # of held-out holes


@dataclass(frozen=True)
class InpainterRecipe:
    """What is trained, on which holes, towards what.

    Args:
        features: weights of SqueezeNet 1.1 (torchvision's state dict); None trains without.
        widths: channels of the network at a half, a quarter and an eighth of the image size.
        blocks: Fourier blocks; cost and reach grow with it.
        copies: whether shown texture is copied into holes.
        start: weights to go on from, a shipped name or a path; what they lack starts at zero, or as
            it does in a fresh network. None starts afresh.
        pixels: weight of L1 on hidden pixels, the more so the more is shown around them: what the
            surroundings decide must be right, what they leave open need only be plausible.
        perceptual: weight of the distance of features; more makes texture, less is closer to L1.
        drawing: share of its gradient that reaches what is drawn rather than copied; more draws
            texture, and soon patterns that only the frozen network takes for texture.
        critic_from: step at which the critic joins.
        critic_until: step at which it leaves again, so that patterns that please only the critic
            fade while the learning rate falls.
        adversarial: weight of the critic's opinion; more is sharper and less faithful.
        matching: weight of the distance of the critic's features.
        rate: learning rate of the in-painter.
        critic_rate: learning rate of the critic.
        holes: the distribution of masks.
    """

    product: ClassVar[str] = "inpainter"

    features: str | None = None
    widths: tuple[int, int, int] = (24, 48, 128)
    blocks: int = 5
    copies: bool = True
    start: str | None = None
    pixels: float = 30.0
    perceptual: float = 1.0
    drawing: float = 0.1
    critic_from: int = 1500
    critic_until: int = 4300
    adversarial: float = 0.05
    matching: float = 5.0
    rate: float = 6e-4
    critic_rate: float = 3e-4
    holes: HoleMixture = field(default_factory=HoleMixture)

    def networks(self) -> Nets:
        net = FourierUNet(self.widths, self.blocks, self.copies)
        if self.start is not None:
            grown(net, self.start)
        made: Nets = {"inpainter": net, "critic": PatchCritic()}
        return {name: net.to(memory_format=torch.channels_last) for name, net in made.items()}

    def optimisers(self, nets: Nets) -> dict[str, Optimizer]:
        return {
            "inpainter": Adam(nets["inpainter"].parameters(), self.rate, (0.9, 0.99)),
            "critic": Adam(nets["critic"].parameters(), self.critic_rate, (0.5, 0.99)),
        }

    def losses(
        self, nets: Nets, images: Images, generator: torch.Generator, step: int
    ) -> Iterator[tuple[str, Loss]]:
        keep = self.holes(images, generator)
        drawn, texture = nets["inpainter"](images, keep)
        filled = torch.lerp(drawn + texture, images, keep)
        judged = self.critic_from <= step < self.critic_until and self.adversarial > 0
        if judged:
            yield "critic", critic_loss(nets["critic"], images, filled.detach(), keep)
        led = bool(self.features and self.perceptual)  # so features judge what is copied, not L1
        loss = self.pixels * near_loss(drawn if led else drawn + texture, images, keep)
        if led:
            felt = torch.lerp(slowed(drawn, self.drawing) + texture, images, keep)
            pair = viewed(torch.cat([felt, images]), generator).chunk(2)
            loss = loss + self.perceptual * self._distance(*pair).mean()
        if judged:
            with frozen(nets["critic"]) as critic:
                opinion, match = made_losses(critic, images, filled, keep)
            loss = loss + self.adversarial * opinion + self.matching * match
        yield "inpainter", loss

    def validate(self, nets: Nets, images: Images) -> dict[str, float]:
        """Distance of features (without: L1 in the hole) over all and over some kinds of holes."""
        figures = {}
        for kind in ("all", *KINDS):
            keep = _holes(kind)(images, stepped(0, 0))
            filled = torch.lerp(nets["inpainter"](images, keep).whole.clamp(0, 1), images, keep)
            if self.features:
                figures[f"distance, {kind}"] = self._distance(filled, images).mean().item()
            figures[f"L1, {kind}"] = hidden_error(filled, images, keep).item()
        return figures

    def samples(self, nets: Nets, images: Images) -> tuple[Images, ...]:
        """What is shown, the smooth guess, the fill, and the truth."""
        keep = self.holes(images, stepped(0, 1))
        filled = torch.lerp(nets["inpainter"](images, keep).whole.clamp(0, 1), images, keep)
        return torch.where(keep > 0, images, 0.5), pull_push(images, keep), filled, images

    def _distance(self, filled: Images, images: Images) -> Tensor:
        net = squeezenet(str(self.features), str(images.device))
        with torch.no_grad():
            truth = features(net, images)
        return distance(features(net, filled), truth)


def slowed(x: Images, share: float) -> Images:
    """The same values, which only a share of the gradient passes."""
    return torch.lerp(x.detach(), x, share) if share else x.detach()


def _holes(kind: str) -> HoleMixture:
    none = dict.fromkeys(("boxes", "strokes", "segments", "pixels", "complements", "nothing"), 0.0)
    return HoleMixture() if kind == "all" else HoleMixture(**{**none, kind: 1.0})


def hidden_error(proposal: Images, images: Images, keep: Keep) -> Loss:
    """L1 in the hole, an image at a time so that small holes count as much as large ones."""
    return _mean_over_holes((proposal - images).abs(), 1 - keep, 1 - keep)


def near_loss(proposal: Images, images: Images, keep: Keep) -> Loss:
    """L1 in the hole, every pixel weighted by the share of 9x9 pixels around it that are shown."""
    near = F.avg_pool2d(keep, 9, stride=1, padding=4, count_include_pad=False).clamp(min=0.2)
    return _mean_over_holes((proposal - images).abs(), (1 - keep) * near, 1 - keep)


def critic_loss(critic: nn.Module, images: Images, filled: Images, keep: Keep) -> Loss:
    """Hinge; patches of the filled image in which nothing was hidden count neither way."""
    real, made = critic(images)[0], critic(filled)[0]
    told = _touched(keep, made)
    return F.relu(1 - real).mean() + (F.relu(1 + made) * told).sum() / told.sum().clamp(min=1)


def made_losses(critic: nn.Module, images: Images, filled: Images, keep: Keep) -> tuple[Loss, Loss]:
    """How made the fill looks, and how far it is from the truth in the critic's features."""
    with torch.no_grad():
        _, truth = critic(images)
    made, guess = critic(filled)
    told = _touched(keep, made)
    pairs = zip(guess, truth, strict=True)
    match = torch.stack([F.l1_loss(a, b) for a, b in pairs]).mean()
    return -(made * told).sum() / told.sum().clamp(min=1), match


def viewed(images: Images, generator: torch.Generator) -> Images:
    """Look from a little nearer or farther, moved, mirrored, turned, or in other colours.

    Seen in one way only, the frozen network is pleased by dots and dimples of its own making; a
    texture must please it in all ways. After Kettunen et al., E-LPIPS, arXiv:1906.03973.
    """
    top, left, zoom, mirror, flip, turn, colour = torch.rand(7, generator=generator).tolist()
    order = torch.randperm(3, generator=generator).tolist() if colour < 0.25 else [0, 1, 2]
    x = images[:, order, int(4 * top) :, int(4 * left) :]
    sides = [side for side, chosen in ((-1, mirror < 0.5), (-2, flip < 0.25)) if chosen]
    x = x.flip(sides).mT if turn < 0.25 else x.flip(sides)
    height, width = (max(16, round(side * (0.75 + 0.75 * zoom**2))) for side in x.shape[-2:])
    return F.interpolate(x, (height, width), mode="bilinear", antialias=True)


def _mean_over_holes(error: Images, weight: Keep, hidden: Keep) -> Loss:
    total = (error.mean(1, keepdim=True) * weight).sum((1, 2, 3))
    return (total / hidden.sum((1, 2, 3)).clamp(min=1)).mean()


def _touched(keep: Keep, scores: Tensor) -> Tensor:
    rows, columns = scores.shape[-2:]
    return (F.adaptive_avg_pool2d(1 - keep, (rows, columns)) > 0.02).to(keep.dtype)
