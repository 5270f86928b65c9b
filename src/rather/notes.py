"""Notes: what a method has to say of an answer besides its map, such as how well a model fits."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from rather.types import PerImage

_OPEN: ContextVar[dict[str, PerImage] | None] = ContextVar("notes", default=None)


def note(name: str, values: PerImage) -> None:
    """Leave a number per image for whoever listens; without one, nothing happens."""
    notes = _OPEN.get()
    if notes is not None:
        notes[name] = values


@contextmanager
def noting() -> Generator[dict[str, PerImage]]:
    """Collect what methods note inside the block.

    >>> import torch
    >>> with noting() as notes:
    ...     note("weighted R2", torch.tensor([0.5]))
    >>> notes
    {'weighted R2': tensor([0.5000])}
    """
    notes: dict[str, PerImage] = {}
    token = _OPEN.set(notes)
    try:
        yield notes
    finally:
        _OPEN.reset(token)
