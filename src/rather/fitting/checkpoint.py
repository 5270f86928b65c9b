"""Checkpoints that a kill at any moment cannot spoil, and that nothing unpickles.

A file is written under a temporary name, forced to the disk, and renamed: there is always either
the old one or the new one, never half of one.
"""

import io
import os
from pathlib import Path
from typing import Any, TypeAlias

import torch

State: TypeAlias = dict[str, Any]


def write(path: Path, content: bytes) -> None:
    """Replace a file as a whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _settle(path.parent)


def save(path: Path, state: State) -> None:
    """Write a checkpoint of tensors, numbers and texts."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write(path, buffer.getvalue())


def load(path: Path) -> State:
    """Read a checkpoint.

    Raises:
        ValueError: it is damaged, or holds more than tensors, numbers and texts.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"the checkpoint {path} cannot be read ({type(error).__name__}); delete "
            f"{path.parent} to train from the start"
        ) from error


def _settle(folder: Path) -> None:
    """Make a rename last through a power cut, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
