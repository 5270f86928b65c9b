"""Training: recipes, and the one loop that runs them."""

from rather.data.folder import Crop, Pictures
from rather.fitting.card import export
from rather.fitting.fit import fit
from rather.fitting.inpainter import InpainterRecipe
from rather.fitting.plan import Plan
from rather.fitting.recipe import Recipe

__all__ = ["Crop", "InpainterRecipe", "Pictures", "Plan", "Recipe", "export", "fit"]
