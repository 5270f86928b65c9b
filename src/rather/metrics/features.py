"""Distance between images as a classifier sees them.

Source: the form of LPIPS, Zhang et al., CVPR 2018, arXiv:1801.03924. Differs: the features are the
classifier's own, the last of every resolution, and no layer is weighted by learned numbers; so it
must not be called LPIPS.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from rather.classifier import Classifier
from rather.types import Images, Logits, PerImage


@torch.no_grad()
def features(classifier: Classifier, images: Images) -> tuple[list[Tensor], Logits]:
    """The last feature maps of every resolution, finest first, and the logits of the same pass.

    Maps are (n, channels, h, w); the tokens of a transformer are (n, channels, tokens).
    """
    with _watching(classifier.net) as maps:
        logits = classifier(images)
    if not maps:
        raise ValueError(
            f"{classifier.name} shows no feature maps: none of its modules returns one; give a "
            "classifier made of torch modules, without an export engine"
        )
    ordered = sorted(maps.items(), key=lambda item: -item[0])
    return [found for _, found in ordered], logits


def distance(one: Sequence[Tensor], other: Sequence[Tensor]) -> PerImage:
    """Sum over layers of the squared difference of unit-length features, averaged over space.

    >>> one, other = torch.tensor([[[[2.0]], [[0.0]]]]), torch.tensor([[[[0.0]], [[5.0]]]])
    >>> distance([one], [other])
    tensor([2.])
    """
    layers = [
        (_unit(a) - _unit(b)).square().sum(1).flatten(1).mean(1)
        for a, b in zip(one, other, strict=True)
    ]
    return torch.stack(layers).sum(0)


def pooled(maps: Sequence[Tensor]) -> Tensor:
    """The coarsest map, averaged over space: what the last layer reads in most networks."""
    return maps[-1].flatten(2).mean(2)


def _unit(maps: Tensor) -> Tensor:
    return maps / maps.norm(dim=1, keepdim=True).clamp(min=1e-8)


@contextmanager
def _watching(net: nn.Module) -> Generator[dict[int, Tensor]]:
    maps: dict[int, Tensor] = {}

    def keep(_module: nn.Module, _inputs: object, output: object) -> None:
        match output:
            case Tensor(ndim=4) if output.shape[2] * output.shape[3] > 1:
                maps[output.shape[2] * output.shape[3]] = output
            case Tensor(ndim=3):
                maps[output.shape[1]] = output.transpose(1, 2)

    handles = [module.register_forward_hook(keep) for module in net.modules()]
    try:
        yield maps
    finally:
        for handle in handles:
            handle.remove()
