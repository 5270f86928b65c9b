"""Training: recipes, and the one loop that runs them."""

from rather.data.folder import Crop, Pictures
from rather.data.labelled import Arrays, ClassFolders
from rather.fitting.autoencoder import AutoencoderRecipe
from rather.fitting.card import export
from rather.fitting.classifier import ClassifierRecipe
from rather.fitting.contextual import ContextualRecipe
from rather.fitting.cyclegan import CycleGanRecipe
from rather.fitting.diffusion import DenoiserRecipe
from rather.fitting.fit import fit
from rather.fitting.ganmex import GanmexRecipe
from rather.fitting.inpainter import InpainterRecipe
from rather.fitting.labels import found
from rather.fitting.mask import MaskRecipe
from rather.fitting.plan import Plan
from rather.fitting.recipe import Recipe
from rather.fitting.sizes import sided
from rather.fitting.vae import VaeRecipe

__all__ = [
    "Arrays",
    "AutoencoderRecipe",
    "ClassFolders",
    "ClassifierRecipe",
    "ContextualRecipe",
    "Crop",
    "CycleGanRecipe",
    "DenoiserRecipe",
    "GanmexRecipe",
    "InpainterRecipe",
    "MaskRecipe",
    "Pictures",
    "Plan",
    "Recipe",
    "VaeRecipe",
    "export",
    "fit",
    "found",
    "sided",
]
