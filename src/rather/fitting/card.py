"""The model card: what weights are, and how to make them again."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from rather.data.folder import Crop
from rather.fitting import checkpoint
from rather.fitting.plan import Plan
from rather.fitting.recipe import Recipe, Source
from rather.networks.weights import packed

IDENTITY = ("recipe", "data", "crop", "batch", "seed")


def identity(recipe: Recipe[Any], pictures: Source, plan: Plan, crop: Crop) -> dict[str, str]:
    """What must be equal for a training to go on from a checkpoint."""
    white = getattr(pictures, "white", None)
    seen = "" if white is None else f", {white:g} is shown white"
    count, held = len(pictures.names()), len(pictures.names(True))
    return {
        "recipe": repr(recipe),
        "data": f"{count} pictures, {held} held out, names and sizes {pictures.digest()}{seen}",
        "crop": repr(crop),
        "batch": str(plan.batch),
        "seed": str(plan.seed),
    }


def card(state: Mapping[str, Any]) -> dict[str, Any]:
    """Everything worth knowing about the weights in a checkpoint, as JSON can hold it."""
    history = state["history"]
    return {name: state[name] for name in (*IDENTITY, "plan")} | {
        "steps": state["step"],
        "images seen": state["step"] * int(state["batch"]),
        "metrics": {"step": history[-1][0], **history[-1][1]} if history else {},
        "versions": {"rather": version("rather"), "torch": str(torch.__version__)},
        **({} if state.get("white") is None else {"white": state["white"]}),
    }


def export(recipe: Recipe[Any], folder: Path, out: Path, half: bool = True, note: str = "") -> Path:
    """Write the averaged weights of a training that still runs, or was cut short.

    Args:
        recipe: the one that is being trained.
        folder: the training's folder, `<weights>.fit`.
        out: the weights file to write.
        half: store float16 weights.
        note: what else the card must say, such as settings that changed on the way.
    """
    state = checkpoint.load(folder / "checkpoint.pt")
    with torch.random.fork_rng(devices=[]):
        net = recipe.networks()[recipe.product]
    net.load_state_dict(state["averaged"])
    about = card(state) | ({"note": note} if note else {})
    checkpoint.write(out, packed(net, about, half))
    return out
