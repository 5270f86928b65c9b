"""Colours of signed maps: blue below 0, orange above it, nothing at 0.

Blue and orange stay apart for every common kind of colour blindness, and both darken evenly away
from the middle, so that equal strengths look equally strong, also in print.
"""

from typing import TypeAlias

import numpy as np
from jaxtyping import Float, UInt8

Map: TypeAlias = Float[np.ndarray, "h w"]
Colours: TypeAlias = Float[np.ndarray, "h w 3"]
Grey: TypeAlias = Float[np.ndarray, "h w"]
Pixels: TypeAlias = UInt8[np.ndarray, "h w 3"]

STOPS = (-1.0, -0.66, -0.33, 0.0, 0.33, 0.66, 1.0)
TABLE = (
    (9, 48, 112),
    (33, 102, 172),
    (106, 168, 214),
    (240, 240, 238),
    (247, 160, 72),
    (217, 95, 14),
    (140, 45, 4),
)
STRONGEST = 0.82  # how much of the colour covers the photo where the map is at its scale


def diverging(values: Map) -> Colours:
    """Colours in [0, 1] of values in [-1, 1]; what lies beyond is clipped.

    >>> np.round(diverging(np.array([[0.0, 5.0]])) * 255).astype(int).tolist()
    [[[240, 240, 238], [140, 45, 4]]]
    """
    table = np.array(TABLE, dtype=np.float32) / 255
    clipped = np.clip(values, -1, 1)
    return np.stack([np.interp(clipped, STOPS, channel) for channel in table.T], axis=-1)


def cover(values: Map) -> Map:
    """How much of the colour covers the photo: nothing at 0, and soon enough to be seen."""
    return STRONGEST * np.clip(np.abs(values), 0, 1) ** 0.7


def overlay(values: Map, photo: Colours) -> Pixels:
    """Lay a map in [-1, 1] over a photo in [0, 1], which turns grey and pale beneath it."""
    share = cover(values)[..., None]
    mixed = (1 - share) * pale(photo)[..., None] + share * diverging(values)
    return np.rint(np.clip(mixed, 0, 1) * 255).astype(np.uint8)


def pale(photo: Colours) -> Grey:
    """The photo's lightness, lifted so that colours show on it."""
    return 0.32 + 0.62 * (photo @ np.array([0.299, 0.587, 0.114], dtype=photo.dtype))


def bar(width: int, height: int) -> Pixels:
    """The scale from -1 to 1, as it looks over a photo of middle lightness."""
    values = np.tile(np.linspace(-1, 1, width), (height, 1))
    return overlay(values, np.full((height, width, 3), 0.6))
