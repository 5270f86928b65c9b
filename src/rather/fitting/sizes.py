"""How large the crops of a training are: what the recipe reads, or its classifier looks at."""

from dataclasses import replace
from typing import Any

from rather.models import load

USUAL = 128  # side of crops in pixels


def sided(recipe: Any, size: int | None, named: bool) -> tuple[Any, int]:
    """A recipe for pictures of that size, or where none is asked for, of its classifier's.

    Args:
        recipe: may have a `side`, the only size that it reads.
        size: of the crops; None: the recipe's own where `named`, else what its classifier looks at.
        named: whether someone has chosen the recipe's side, so that it is not to be changed.
    """
    if not hasattr(recipe, "side"):
        return recipe, size or USUAL
    if named and size not in (None, recipe.side):
        raise ValueError(f"--size is {size}, but the recipe has side={recipe.side}; give one")
    if not named:
        judged = hasattr(recipe, "classifier")
        looked = load(recipe.classifier).view.crop if judged else recipe.side
        recipe = replace(recipe, side=size or looked)
    return recipe, recipe.side
