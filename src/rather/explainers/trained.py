"""What a mask network was trained to minimise, as its file says."""

import ast
from dataclasses import dataclass, fields
from typing import Any

from rather.networks.weights import located, read


@dataclass(frozen=True)
class Aim:
    """Fields that a recipe and whoever fine-tunes its network have in common; None: not said."""

    area: float | None = None
    area_penalty: str | None = None
    inverse: float | None = None
    temperature: float | None = None

    def settings(self) -> dict[str, Any]:
        """Those that are said."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def missed(self, method: Any) -> dict[str, Any]:
        """Those that the method has otherwise."""
        return {
            name: value
            for name, value in self.settings().items()
            if getattr(method, name, value) != value
        }


def trained(weights: str) -> Aim:
    """The aim of the recipe that made a weights file; nothing where its card does not say.

    Args:
        weights: a shipped name, or the path of a safetensors file that `fit` wrote.

    Raises:
        ValueError: there is no such file, or it is damaged.
    """
    _, card = read(located(weights))
    try:
        call = ast.parse(str(card.get("recipe")), mode="eval").body
    except SyntaxError:  # written by hand
        return Aim()
    known = {field.name for field in fields(Aim)}
    found: dict[str, Any] = {
        str(said.arg): said.value.value
        for said in (call.keywords if isinstance(call, ast.Call) else ())
        if said.arg in known and isinstance(said.value, ast.Constant)
    }
    return Aim(**found)
