"""Classifiers of timm, with the preprocessing that their configuration states.

Hub repositories outside of timm's own names are left to `hf:`, which reads safetensors alone.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from rather.classifier import Classifier
from rather.models.fetching import fetching
from rather.models.imagenet import ids, synonyms
from rather.view import View


def load(name: str, pretrained: bool) -> Classifier:
    """Make a classifier by timm's name for it, such as resnet50 or resnet50.a1_in1k."""
    import timm
    from timm.data.config import resolve_data_config
    from timm.data.imagenet_info import infer_imagenet_subset

    _check(name, timm.list_models())
    with fetching(f"timm:{name}"):
        net = timm.create_model(name, pretrained=pretrained).eval()
    if not net.num_classes:
        raise ValueError(f"timm:{name} has no classes, only features; choose a tag that has some")
    settings = resolve_data_config(model=net)
    subset = infer_imagenet_subset(net)
    return Classifier(
        net,
        mean=settings["mean"],
        std=settings["std"],
        names=synonyms(subset) if subset else (),
        ids=ids(subset) if subset else (),
        view=view(settings),
    )


def view(settings: Mapping[str, Any]) -> View:
    """The view that timm's data configuration describes."""
    _, height, width = settings["input_size"]
    if height != width:
        raise ValueError(
            f"it looks at {height} x {width} pixels; views are squares: choose another"
        )
    squeezed = settings["crop_mode"] == "squash" and settings["crop_pct"] == 1
    known = settings["interpolation"] in ("bicubic", "bilinear", "nearest")
    return View(
        height,
        None if squeezed else int(height / settings["crop_pct"]),
        settings["interpolation"] if known else "bicubic",
    )


def _check(name: str, known: list[str]) -> None:
    base = name.partition(".")[0]
    if base not in known:
        near = ", ".join(get_close_matches(base, known, 5)) or "none; see timm.list_models()"
        raise ValueError(f"timm knows no {base!r}; names near to it: {near}")
