"""Soft samples of binary masks, whose gradient reaches the probabilities.

Source: Maddison, Mnih and Teh, The Concrete Distribution, arXiv:1611.00712.
"""

import torch
from torch import Tensor


def soft_keep(
    logits: Tensor, count: int, temperature: float, antithetic: bool, generator: torch.Generator
) -> Tensor:
    """Keep masks (count, n, 1, h, w) for the logits of dropping (n, 1, h, w).

    Noise is shared by all n; a mask is above one half with the probability of keeping, at any
    temperature.

    Args:
        logits: of each place's being dropped.
        count: masks of each image; even if `antithetic`.
        temperature: lower is nearer to binary.
        antithetic: whether masks come in opposite pairs.
        generator: where noise comes from.
    """
    size = (count // 2 if antithetic else count, 1, 1, *logits.shape[2:])
    noise = torch.rand(size, generator=generator, device=logits.device).logit(eps=1e-6)
    noise = torch.cat([noise, -noise]) if antithetic else noise
    return torch.sigmoid(-(logits + noise) / temperature)


def check_pairs(samples: int, antithetic: bool) -> None:
    """Raise a `ValueError` unless antithetic masks can be paired."""
    if antithetic and samples % 2:
        raise ValueError(f"samples={samples} cannot be paired; make it even, or antithetic=False")
