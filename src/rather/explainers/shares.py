"""Masks that keep a share of the image which is given, whatever they were made from."""

import torch

from rather.explainers.cells import Grid
from rather.types import PerImage

HALVINGS = 25  # of the level that is looked for, which make it exact to 32 bits
FARTHEST = 8.0  # standard deviations at which the level is looked for


def at_share(grid: Grid, share: PerImage, temperature: float) -> Grid:
    """Soft masks (n, 1, h, w) that keep what is rated best, on average so much of an image.

    Args:
        grid: ratings, on any scale; they are standardised, image by image.
        share: of each image that is to be kept, above 0 and below 1.
        temperature: how soft the mask's edge is, in standard deviations of the ratings.

    The level above which a cell is kept is a constant to the gradient; where ratings are all alike,
    all of the image is kept by that share.
    """
    rated = standardised(grid)
    low = torch.full_like(rated[:, :1, :1, :1], -FARTHEST)
    high, wanted = -low, share.view(-1, 1, 1, 1)
    with torch.no_grad():
        for _ in range(HALVINGS):
            level = (low + high) / 2
            kept = ((rated - level) / temperature).sigmoid().mean((1, 2, 3), keepdim=True)
            low, high = (
                torch.where(kept > wanted, level, low),
                torch.where(kept > wanted, high, level),
            )
    return ((rated - (low + high) / 2) / temperature).sigmoid()


def standardised(grid: Grid) -> Grid:
    """Ratings of mean 0 and deviation 1, image by image; those that are all alike become 0."""
    mean = grid.mean((1, 2, 3), keepdim=True)
    return (grid - mean) / (grid.std((1, 2, 3), correction=0, keepdim=True) + 1e-3)


def unusual(grid: Grid) -> Grid:
    """Squared distance of ratings from what they are standardised, which is a constant."""
    return (grid - standardised(grid).detach()).square()
