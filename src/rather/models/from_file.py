"""Classifiers saved with TorchScript (.pt, .ts, .torchscript) or torch.export (.pt2).

What the file cannot say stands beside it, in `NAME.json` for `NAME.pt`:

    {"mean": [0.5], "std": [0.5], "names": ["cat", "dog"], "ids": [], "batch": 16,
     "view": {"crop": 224, "resize": 256, "interpolation": "bicubic"}}

Every entry may be left out. Without `mean`, `std` and `view` those of ImageNet are taken; without
`names` a network with 1,000 answers is taken for one of ImageNet-1k. Where there is no such file, a
warning says so; one that holds `{}` says that this is right. Both kinds of file are programs: load
them only from people you trust. Pickles inside of them are refused.
"""

import io
import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rather.classifier import Classifier
from rather.engine import reason, unlike
from rather.models.imagenet import ids, synonyms
from rather.view import View

SCRIPTS, EXPORTS = (".pt", ".ts", ".torchscript"), (".pt2",)
ENTRIES = ("mean", "std", "names", "ids", "view", "batch")


def load(name: str, device: torch.device) -> Classifier:
    """Load a network from a file, with what its sidecar says; try it before it is handed out."""
    path = Path(name)
    if not path.is_file():
        raise ValueError(f"there is no file {name}; check the path")
    beside = path.with_suffix(".json")
    settings = _sidecar(beside)
    net = _exported(path, device) if path.suffix.lower() in EXPORTS else _scripted(path, device)
    classifier = Classifier(net, **settings).to(device)
    classes = _try(classifier, path)
    if not beside.exists():
        _warn(path, beside, classifier.view)
    if "names" not in settings and classes == len(ids()):
        classifier.names, classifier.ids = synonyms(), ids()
    return classifier


def _scripted(path: Path, device: torch.device) -> nn.Module:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`torch.jit", FutureWarning)
            return torch.jit.load(path, map_location=device).eval()
    except RuntimeError as error:
        raise ValueError(
            f"{path} is no TorchScript file: {str(error).splitlines()[0][:150]}; weights or a "
            "pickled network cannot be loaded without its code: use 'module:function', where "
            "function() returns a Classifier, or save it with torch.jit or torch.export"
        ) from error


def _exported(path: Path, device: torch.device) -> nn.Module:
    from torch.export.passes import move_to_device_pass

    _refuse_pickles(path)
    try:
        program = torch.export.load(path)
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error).splitlines()[0][:150] if str(error) else ''}"
        raise ValueError(f"{path} cannot be loaded: {reason}; export it with this torch") from error
    net = move_to_device_pass(program, device).module()
    for module in net.modules():
        module.training = False  # a graph has no modes; whether it was exported in one is tried
    return net


def _refuse_pickles(path: Path) -> None:
    """torch.export.load falls back to unpickling; so look whether it would."""
    try:
        with zipfile.ZipFile(path) as archive:
            unsafe = [name for name in archive.namelist() if _is_unsafe(name, archive)]
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path} is no torch.export file; save it again") from error
    if unsafe:
        raise ValueError(
            f"{path} holds pickled objects or machine code ({', '.join(unsafe[:3])}), which can "
            "run anything; export the network alone, with plain tensors"
        )


def _is_unsafe(name: str, archive: zipfile.ZipFile) -> bool:
    if "aotinductor/" in name:
        return True
    if name.endswith("_config.json"):
        entries = json.loads(archive.read(name)).get("config", {}).values()
        return any(entry["use_pickle"] for entry in entries)
    return name.endswith(".pt") and not _is_plain(archive.read(name))


def _is_plain(content: bytes) -> bool:
    try:
        torch.load(io.BytesIO(content), weights_only=True)
    except Exception:
        return not content
    return True


def _warn(path: Path, beside: Path, view: View) -> None:
    """Say what is taken for granted; in one line, as the place that it names has no text."""
    text = (
        f"no {beside} says how {path.name} was trained, so it looks at {view.crop} pixels with the "
        "mean and std of ImageNet; write {} into it if that is right, or else what is: "
        '{"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "view": {"crop": 64, "resize": 64}, '
        '"names": ["cat", "dog"]}'
    )
    warnings.warn_explicit(text, UserWarning, str(beside), 1)


def _sidecar(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        settings = dict(json.loads(path.read_text(encoding="utf-8")))
        settings["view"] = View(**settings.get("view", {}))
        numbers = {
            key: tuple(map(float, settings[key])) for key in ("mean", "std") & settings.keys()
        }
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    wrong = sorted(set(settings) - set(ENTRIES))
    if wrong:
        raise ValueError(f"{path} has the entry {wrong[0]!r}; it knows {', '.join(ENTRIES)}")
    return settings | numbers


def _try(classifier: Classifier, path: Path) -> int:
    """Ask it about two images together, then alone: it must answer, and answer the same."""
    side, generator = classifier.view.crop, torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, side, side, generator=generator).to(classifier.device)
    try:
        with torch.no_grad():
            together = classifier(images)
            alone = torch.cat([classifier(images[:1]), classifier(images[1:])])
    except (RuntimeError, AssertionError, TypeError) as error:
        says = unlike(classifier, error) or (
            f"does not answer batches of {side} x {side} images: {reason(error)}; state its view "
            f"and channels in {path.with_suffix('.json').name}, or export it with a batch of any "
            "size: dynamic_shapes={'x': {0: Dim('n')}}"
        )
        raise ValueError(f"{path} {says}") from error
    if together.shape != alone.shape or not torch.allclose(together, alone, 1e-3, 1e-3):
        raise ValueError(
            f"{path} answers otherwise each time, so it was saved in training mode; call net.eval()"
            " before you trace or export it"
        )
    return together.shape[1]
