"""`ClassifierRecipe`: trains a small classifier, to be explained or to judge.

Source: the networks of GANMEX, arXiv:2011.06015, and of DAC, arXiv:2109.13412. Differs: the loss
gets logits (GANMEX's code hands it probabilities), and held-out training images, not the test set,
say how it goes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn import functional as F
from torch.optim import AdamW, Optimizer

from rather.batch import Batch
from rather.fitting.recipe import Loss, Nets
from rather.networks.classifiers import StridedNet, VggNet
from rather.types import Images, Logits

NETS = ("strided", "vgg")


@dataclass(frozen=True)
class ClassifierRecipe:
    """What is told apart by what network.

    Args:
        names: of the classes, in the order of labels; class folders are read in that order. Empty:
            those of the class folders, sorted.
        net: "strided" (convolutions with stride, no norm), or "vgg" (batch norm, max-pooling).
        side: of the images; the crops of `fit` must have it.
        channels: 1 reads grey, 3 colour.
        widths: channels of the convolutions.
        shrink: kernels of a strided net, or pools of a VGG.
        hidden: width of the hidden layer.
        smoothing: share of the label given to all classes; keeps logits, and gradients, moderate.
        rate: learning rate.
        decay: weight decay.
    """

    product: ClassVar[str] = "classifier"
    labelled: ClassVar[bool] = True  # learns from class folders

    names: tuple[str, ...] = ()
    net: str = "strided"
    side: int = 28
    channels: int = 1
    widths: tuple[int, ...] = (32, 64)
    shrink: tuple[int, ...] = (6, 6)
    hidden: int = 256
    smoothing: float = 0.0
    rate: float = 1e-3
    decay: float = 1e-3

    def __post_init__(self) -> None:
        if self.net not in NETS:
            raise ValueError(f"net is {self.net!r}; it is one of {', '.join(NETS)}")
        if len(self.widths) != len(self.shrink):
            raise ValueError(f"widths={self.widths} and shrink={self.shrink}; give one each")
        if len(self.names) == 1:
            raise ValueError(f"names={self.names}; there is nothing to tell apart, give two")

    def networks(self) -> Nets:
        if not self.names:
            raise ValueError("names are empty, and no class folders have given theirs; give some")
        kind = StridedNet if self.net == "strided" else VggNet
        sizes = (self.widths, self.shrink, self.hidden, self.channels)
        return {"classifier": kind(self.names, self.side, *sizes)}

    def optimisers(self, nets: Nets) -> dict[str, Optimizer]:
        return {
            "classifier": AdamW(nets["classifier"].parameters(), self.rate, weight_decay=self.decay)
        }

    def losses(
        self, nets: Nets, given: Batch, generator: torch.Generator, step: int
    ) -> Iterator[tuple[str, Loss]]:
        seed = int(torch.randint(2**31, (1,), generator=generator))
        devices = [given.images.device] if given.images.is_cuda else []
        with torch.random.fork_rng(devices=devices):  # dropout reads the global generator
            torch.manual_seed(seed)
            logits = self._logits(nets, given.images)
        yield "classifier", F.cross_entropy(logits, given.labels, label_smoothing=self.smoothing)

    def validate(self, nets: Nets, given: Batch) -> dict[str, float]:
        """Share of wrong answers, and cross-entropy."""
        nets["classifier"].eval()
        logits = self._logits(nets, given.images)
        wrong = (logits.argmax(1) != given.labels).float().mean().item()
        return {"errors": wrong, "cross-entropy": F.cross_entropy(logits, given.labels).item()}

    def samples(self, nets: Nets, given: Batch) -> tuple[Images, ...]:
        return (given.images,)

    def _logits(self, nets: Nets, images: Images) -> Logits:
        grey = images.mean(1, keepdim=True) if self.channels == 1 else images
        return nets["classifier"](2 * grey - 1)
