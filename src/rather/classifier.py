"""The one place that knows how a network wants its input."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from rather.question import Question
from rather.types import Images, Logits
from rather.view import View

LARGEST = 1.01  # of mean and std, some of which are measured


class Classifier(nn.Module):
    """A network that reads RGB images in [0, 1] and answers with logits.

    The network may answer with a tensor, a tuple whose first tensor counts, a mapping or an object
    with `logits`; a single logit z becomes the two logits (0, z). It is wrapped, never changed.

    Args:
        net: the network, in evaluation mode.
        mean: per-channel mean that the network was trained with, on the [0, 1] scale; one value
            alone says that the network reads one grey channel.
        std: per-channel standard deviation that the network was trained with, on the same scale.
        names: one name per class, if known; synonyms are parted by commas.
        ids: one identifier per class, such as WordNet ids, if known.
        view: which crop of a photo it was trained to look at.
        name: what it is called in manifests, such as "efficientnet-lite0".
        batch: how many images at once it is fastest with.

    What `prepare` made of it stands in `engine`, in words (empty: nothing yet), and in `folded`, by
    the layers' names: which layer holds which batch norm.
    """

    mean: Tensor
    std: Tensor
    scale: Tensor
    shift: Tensor

    def __init__(
        self,
        net: nn.Module,
        *,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        names: Sequence[str] = (),
        ids: Sequence[str] = (),
        view: View | None = None,
        name: str = "",
        batch: int = 16,
    ) -> None:
        super().__init__()
        _check(net, mean, std)
        self.net = net
        self.names, self.ids = tuple(names), tuple(ids)
        self.view = View() if view is None else view
        self.name = name or type(net).__name__
        self.batch = batch
        self.engine = ""
        self.folded: dict[str, str] = {}
        self.without_gradient: Callable[[Images], Logits] | None = None
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(-1, 1, 1))
        self.register_buffer("scale", 1 / self.std, persistent=False)
        self.register_buffer("shift", -self.mean / self.std, persistent=False)
        self.training = False

    def train(self, mode: bool = True) -> "Classifier":
        """Refuse training mode: what is explained must answer the same twice."""
        if mode:
            raise ValueError("a Classifier stays in evaluation mode; train the network it wraps")
        return self

    def forward(self, images: Images) -> Logits:
        wanted = torch.is_grad_enabled() and images.requires_grad
        if self.without_gradient is not None and not wanted:
            return self._named(self.without_gradient(images))
        logits = self._named(self.through_net(images))
        if wanted and not logits.requires_grad:
            raise ValueError(
                f"{self.name} passes no gradient back to the image (torch.no_grad() inside?), "
                "which this method needs; take one that only asks: Occlusion, Lime, Rise"
            )
        return logits

    def _named(self, logits: Logits) -> Logits:
        if self.names and len(self.names) != logits.shape[1]:
            raise ValueError(
                f"{self.name} has {len(self.names)} names for {logits.shape[1]} classes; give one "
                "each (a single logit z counts as two classes: not, and is)"
            )
        return logits

    def through_net(self, images: Images) -> Logits:
        """The answer of the network itself, with all its hooks and gradients."""
        grey = images.mean(1, keepdim=True) if len(self.mean) == 1 else images
        _check_mode(self.net.training)
        return logits_of(self.net(torch.addcmul(self.shift, grey, self.scale)))

    def prepare(
        self, engine: Literal["torch", "openvino"] = "torch", batch: int | None = None
    ) -> "Classifier":
        """A copy that answers the same, faster; the network that is wrapped is never touched.

        Batch norms are folded into the layers before them, layers are made lean (`rather.lean`),
        memory is laid out channels last and parameters are frozen; logits and gradients are
        compared on made-up images, and whatever changes them is left out. `engine` of the copy says
        what was done.

        Args:
            engine: "openvino" makes passes without gradients about twice as fast on a CPU and
                needs `pip install 'rather[export]'`; gradients stay with torch.
            batch: how many images at once; None: what suits the device.

        Raises:
            ValueError: the network cannot read squares of `view.crop` pixels.
        """
        from rather.engine import prepared

        return prepared(self, engine, batch)

    def check_mode(self) -> None:
        """Raise a `ValueError` if any part of the network is in training mode by now."""
        _check_mode(any(module.training for module in self.net.modules()))

    @property
    def device(self) -> torch.device:
        return self.mean.device

    def name_of(self, label: int) -> str:
        """The first of a class's names, or its number where it has none."""
        return self.names[label].split(",")[0] if label < len(self.names) else f"class {label}"


def logits_of(answer: Any) -> Logits:
    """Find the logits in what a network returned."""
    if isinstance(answer, Mapping):
        answer = answer.get("logits", next(iter(answer.values()), None))
    answer = getattr(answer, "logits", answer)
    if isinstance(answer, tuple | list) and answer:
        answer = answer[0]
    if not isinstance(answer, Tensor) or answer.dim() > 2 or answer.dim() == 0:
        shape = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
        raise ValueError(f"the network answered {shape}; a classifier answers (images, classes)")
    if not answer.is_floating_point():
        raise ValueError(f"the network answered {answer.dtype}, such as labels; logits are floats")
    logits = (answer[:, None] if answer.dim() == 1 else answer).float()
    return logits if logits.shape[1] > 1 else torch.cat([torch.zeros_like(logits), logits], 1)


def digest(classifier: Classifier) -> str:
    """SHA-256 of the weights and of the normalisation, by their names."""
    found = hashlib.sha256()
    for name, value in classifier.state_dict().items():
        if not isinstance(value, Tensor):  # what a layer of another library keeps besides
            continue
        array = value.detach().cpu().contiguous()
        found.update(f"{name} {array.dtype} {tuple(array.shape)}".encode())
        found.update(array.view(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def gradient(
    classifier: Classifier, images: Images, question: Question, softmax: bool = False
) -> Images:
    """Gradient of the question's score with respect to the images; no parameter gets one.

    With `softmax` it is that of the target's probability, less the foil's where there is one.
    """
    with torch.enable_grad():
        leaf = images.detach().requires_grad_()
        logits = classifier(leaf)
        score = question.score(logits.softmax(1) if softmax else logits).sum()
        return torch.autograd.grad(score, leaf)[0]


def _check(net: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
    _check_mode(any(module.training for module in net.modules()))
    if len(mean) not in (1, 3) or len(mean) != len(std) or min(std) <= 0:
        raise ValueError(
            f"mean {tuple(mean)} and std {tuple(std)} must hold 3 values each (or 1, for a network "
            "that reads grey images), and std must be positive"
        )
    if max(map(abs, (*mean, *std))) > LARGEST:
        raise ValueError(
            f"mean {tuple(mean)} and std {tuple(std)} are not those of images in [0, 1], which are "
            "at most 1; if they are of images in [0, 255], divide both by 255"
        )


def _check_mode(training: bool) -> None:
    if training:
        raise ValueError("net is in training mode, so its answers vary; call net.eval() first")
