"""From a name to a classifier, with its preprocessing and its classes."""

import importlib
from difflib import get_close_matches
from pathlib import Path

import torch

from rather.classifier import Classifier
from rather.models import from_file, from_timm, from_torchvision, from_transformers, lite, trained

SOURCES = {"timm": from_timm.load, "torchvision": from_torchvision.load}
SOURCES |= {"hf": from_transformers.load}


def load(name: str, pretrained: bool = True, device: torch.device | str = "cpu") -> Classifier:
    """Load a classifier by name, with the view, the normalisation and the classes it was made for.

    Args:
        name: "efficientnet-lite0" (also 1 and 2), "mnist" or another that was trained here, a
            .safetensors file that `rather fit ClassifierRecipe` wrote, "timm:NAME",
            "torchvision:NAME", "hf:NAME" or "hf:FOLDER", a TorchScript file (.pt, .ts,
            .torchscript) or a torch.export file (.pt2), or "module:function", called without
            arguments. What a file cannot say is read from NAME.json beside it; without it the mean,
            the standard deviation and the view of ImageNet are taken (see
            `rather.models.from_file`).
        pretrained: False leaves out the weights, so that nothing is fetched: for tests. Files and
            functions bring theirs all the same.
        device: where it will answer.

    Raises:
        ValueError: it cannot be had; the message tells why, and the way out.
        ImportError: a package is missing; the message holds the line that installs it.
    """
    place = _device(device)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return _find(name, pretrained, place).to(place)


def _find(name: str, pretrained: bool, place: torch.device) -> Classifier:
    source, _, rest = name.partition(":")
    if Path(name).suffix.lower() in from_file.SCRIPTS + from_file.EXPORTS and source not in SOURCES:
        found = from_file.load(name, place)
    elif name in trained.SHIPPED or Path(name).suffix == ".safetensors":
        found = trained.load(name, place)
    elif name in lite.SIDES:
        found = lite.load(name, pretrained)
    elif source in SOURCES and rest:
        found = SOURCES[source](rest, pretrained)
    elif rest:
        return _call(source, rest)
    else:
        raise ValueError(_unknown(name))
    found.name = name
    return found.requires_grad_(False)


def _call(module: str, function: str) -> Classifier:
    try:
        maker = getattr(importlib.import_module(module), function)
    except (ModuleNotFoundError, AttributeError) as error:
        raise ValueError(
            f"{module}:{function} is not there: {error}; write {', '.join(_kinds())}, or a "
            "module that Python finds and a function in it"
        ) from error
    made = maker()
    if not isinstance(made, Classifier):
        raise ValueError(
            f"{module}:{function} returned {type(made).__name__}; return "
            "rather.Classifier(net, mean=..., std=..., names=...)"
        )
    return made


def _unknown(name: str) -> str:
    import timm
    from torchvision import models

    known = {"timm": timm.list_models(), "torchvision": models.list_models(module=models)}
    same = [f"{source}:{name}" for source, names in known.items() if name in names]
    close = [
        *get_close_matches(name, list(lite.SIDES), 3, 0.8),
        *(f"timm:{near}" for near in get_close_matches(name, known["timm"], 3, 0.8)),
    ]
    hint = f"did you mean {' or '.join(same or close)}? " if same or close else ""
    return f"no classifier is called {name!r}; {hint}write {', '.join(_kinds())}"


def _kinds() -> list[str]:
    files = "a .pt, .ts, .torchscript or .pt2 file"
    return [
        *lite.SIDES,
        *trained.names(),
        *(f"{source}:NAME" for source in SOURCES),
        files,
        "module:function",
    ]


def _device(device: torch.device | str) -> torch.device:
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0][:150]
        raise ValueError(f"device {str(device)!r} cannot be used: {reason}; use 'cpu'") from error
