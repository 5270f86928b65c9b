"""Leaving `torch.inference_mode`: methods take gradients, and there are none inside of it."""

from dataclasses import replace
from typing import Any, TypeVar, cast

from torch import Tensor

Made = TypeVar("Made")


def tracked(made: Made) -> Made:
    """A tensor, or a dataclass with its tensors, or None, as one that gradients may pass.

    What was made in inference mode stays barred from gradients outside of it, but for copies.

    >>> import torch
    >>> with torch.inference_mode():
    ...     made = torch.zeros(2)
    >>> made.is_inference(), tracked(made).is_inference()
    (True, False)
    """
    if made is None:
        return made
    if isinstance(made, Tensor):
        return cast(Made, made.clone()) if made.is_inference() else made
    parts = {name: part for name, part in vars(made).items() if isinstance(part, Tensor)}
    barred = {name: part.clone() for name, part in parts.items() if part.is_inference()}
    return cast(Made, replace(cast(Any, made), **barred)) if barred else made
