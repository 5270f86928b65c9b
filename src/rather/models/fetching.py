"""What goes wrong when weights come from elsewhere, said once."""

from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def fetching(name: str) -> Generator[None]:
    """Turn whatever a hub's client raises into one error with the way out."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ValueError(
            f"{name} cannot be had: {reason}; check the name and the connection, or copy the "
            "hub's cache from a machine that has it, or use 'efficientnet-lite0', whose weights "
            "are installed, or load it without weights: pretrained=False"
        ) from error
