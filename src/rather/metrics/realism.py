"""Realism of a set of images: how far it is, as a whole, from a set of real ones.

Source: FID, Heusel et al., NIPS 2017, arXiv:1706.08500; KID, Binkowski et al., ICLR 2018,
arXiv:1801.01401. Differs: features are those of a network of our own, so that numbers compare with
each other and with no published ones; always state which network, and how many images.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from rather.classifier import Classifier
from rather.metrics.features import features, pooled
from rather.types import Images

Set: TypeAlias = Float[Tensor, "_ 3 _ _"]
Vectors: TypeAlias = Float[Tensor, "_ d"]
Describe: TypeAlias = Callable[[Images], Vectors]
EPS = 1e-6


def penultimate(classifier: Classifier) -> Describe:
    """What the last layer of a network reads, of any number of images."""

    def describe(images: Images) -> Vectors:
        parts = images.split(classifier.batch)
        return torch.cat([pooled(features(classifier, part)[0]) for part in parts])

    return describe


def fid(one: Set, other: Set, describe: Describe) -> float:
    """Frechet distance of the Gaussians that fit two sets; biased upwards for small ones.

    Args:
        one: a set of images.
        other: another set; ten times as many images as features keep the bias small.
        describe: images to feature vectors, such as `penultimate(classifier)`.
    """
    a, b = describe(one), describe(other)
    cov_a, cov_b = (torch.cov(each.T).view(each.shape[1], -1) for each in (a, b))
    root = _root(cov_a)
    both = _eigenvalues(root @ cov_b @ root).sqrt().sum()
    trace = cov_a.trace() + cov_b.trace() - 2 * both
    return float((a.mean(0) - b.mean(0)).square().sum() + trace)


def kid(
    one: Set,
    other: Set,
    describe: Describe,
    subsets: int = 100,
    size: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Mean and spread over subsets of the unbiased squared distance of two sets; for small ones.

    Args:
        one: a set of images.
        other: another set.
        describe: images to feature vectors, such as `penultimate(classifier)`.
        subsets: how many are drawn.
        size: images in each, at most as many as the smaller set has.
        seed: draws them.
    """
    a, b = describe(one), describe(other)
    count = min(size, len(a), len(b))
    if count < 2:
        raise ValueError(f"sets of {len(a)} and {len(b)} images have no distance; give 2 or more")
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(subsets):
        here, there = (torch.randperm(len(each), generator=generator)[:count] for each in (a, b))
        found.append(_mmd(a[here.to(a.device)], b[there.to(b.device)]))
    values = torch.stack(found)
    return float(values.mean()), float(values.std(unbiased=False))


def _mmd(a: Vectors, b: Vectors) -> Tensor:
    count = len(a)
    within = [_kernel(each, each) for each in (a, b)]
    off = torch.stack([part.sum() - part.trace() for part in within]).sum()
    return off / (count * (count - 1)) - 2 * _kernel(a, b).mean()


def _kernel(a: Vectors, b: Vectors) -> Float[Tensor, "_ _"]:
    return (a @ b.T / a.shape[1] + 1) ** 3


def _root(matrix: Float[Tensor, "d d"]) -> Float[Tensor, "d d"]:
    values, vectors = torch.linalg.eigh(matrix + EPS * torch.eye(len(matrix)).to(matrix))
    return vectors * values.clamp(min=0).sqrt() @ vectors.T


def _eigenvalues(matrix: Float[Tensor, "d d"]) -> Float[Tensor, " d"]:
    return torch.linalg.eigvalsh((matrix + matrix.T) / 2).clamp(min=0)
