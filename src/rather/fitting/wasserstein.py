"""The Wasserstein game with a penalty on the critic's slope.

Source: Gulrajani et al., Improved Training of Wasserstein GANs, arXiv:1704.00028.
"""

import torch
from torch import nn

from rather.fitting.recipe import Loss
from rather.types import Images


def critic_gap(critic: nn.Module, images: Images, made: Images) -> Loss:
    """How much better the critic likes what was made; it learns to make this small."""
    return critic(made).mean() - critic(images).mean()


def slope_penalty(
    critic: nn.Module, images: Images, made: Images, generator: torch.Generator
) -> Loss:
    """Mean squared difference from 1 of the critic's slope, somewhere between two images.

    The slope is taken where images run from -1 to 1; images of equal channels count as one channel.
    """
    share = torch.rand(len(images), 1, 1, 1, generator=generator, device=generator.device)
    between = torch.lerp(images, made, share.to(images)).requires_grad_()
    slope = torch.autograd.grad(critic(between).sum(), between, create_graph=True)[0] / 2
    return ((slope.flatten(1).square().sum(1) + 1e-12).sqrt() - 1).square().mean()
