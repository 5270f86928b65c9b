"""Weights on disk: one safetensors file, whose metadata hold the model card and name the network.

Nothing is ever unpickled. A shipped name, such as `rather-inpainter-v2`, stands for a file inside
the package.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as pack
from torch import Tensor, nn

from rather.networks import NETWORKS

Card: TypeAlias = dict[str, Any]


def load(weights: str, device: str = "cpu") -> tuple[nn.Module, Card]:
    """Build the network that a weights file describes: float32, frozen, in evaluation mode.

    A file is read once; the network is shared by everyone who loads it on the same device.

    Args:
        weights: a shipped name, or the path of a safetensors file that `fit` wrote.
        device: where the network is to stand.

    Raises:
        ValueError: there is no such file, it is damaged, or holds no network of this library.
    """
    path = located(weights)
    return _loaded(str(path), path.stat().st_mtime_ns, device)


def located(weights: str) -> Path:
    """Find the file behind a shipped name or a path."""
    shipped = Path(str(resources.files("rather"))) / "weights"
    for path in (Path(weights), shipped / f"{weights}.safetensors"):
        if path.is_file():
            return path
    names = ", ".join(sorted(file.stem for file in shipped.glob("*.safetensors"))) or "none"
    raise ValueError(
        f"no weights called {weights!r}: neither a file nor shipped (shipped: {names}); "
        "`rather fit` makes such a file from a folder of pictures"
    )


def fingerprints(method: Any) -> dict[str, str]:
    """SHA-256 of every weights file that a method names in a field `weights`, at any depth.

    A file that is written anew under its name is another one; the name alone does not say so.
    """
    if isinstance(method, tuple):
        return {name: one for part in method for name, one in fingerprints(part).items()}
    if not is_dataclass(method) or isinstance(method, type):
        return {}
    values = {field.name: getattr(method, field.name) for field in fields(method) if field.init}
    found = {name: one for part in values.values() for name, one in fingerprints(part).items()}
    weights = values.get("weights")
    return found | _fingerprint(weights) if isinstance(weights, str) else found


def read(path: Path) -> tuple[dict[str, Tensor], Card]:
    """Read tensors and model card; the network is not built."""
    try:
        with safe_open(path, framework="pt") as file:
            card = json.loads((file.metadata() or {})["card"])
            names = list(file.keys())
            return {name: file.get_tensor(name) for name in names}, card
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ValueError(
            f"{path} cannot be read as weights of this library ({type(error).__name__}: {error}); "
            "it must be a safetensors file that `fit` wrote, complete and with its model card"
        ) from error


def packed(net: nn.Module, card: Card, half: bool = False) -> bytes:
    """Serialise a network, its card, and what is needed to build it again.

    Args:
        net: one of `NETWORKS`.
        card: what the weights are: recipe, data, seed, versions, metrics.
        half: store float16, at half the size; computation stays float32.
    """
    name = type(net).__name__
    full = {**card, "network": name, "settings": getattr(net, "settings", {})}
    tensors = {key: _stored(value, half) for key, value in net.state_dict().items()}
    return pack(tensors, {"card": json.dumps(full)})


def _fingerprint(weights: str) -> dict[str, str]:
    try:
        path = located(weights)
    except ValueError:  # no file of ours: from a hub, or none at all
        return {}
    return {weights: _sha256(str(path), path.stat().st_mtime_ns)}


@lru_cache(64)
def _sha256(path: str, changed: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(8)
def _loaded(path: str, changed: int, device: str) -> tuple[nn.Module, Card]:
    tensors, card = read(Path(path))
    net = _built(card, path)
    try:
        net.load_state_dict({name: _computed(value) for name, value in tensors.items()})
    except RuntimeError as error:
        raise ValueError(
            f"{path} does not hold the tensors of {card['network']}; train it again with this "
            f"version of the library: {error}"
        ) from error
    net = net.eval().requires_grad_(False)
    return net.to(device).to(memory_format=torch.channels_last), card


def _built(card: Mapping[str, Any], path: str) -> nn.Module:
    name = card.get("network")
    if name not in NETWORKS:
        raise ValueError(
            f"{path} holds a network called {name!r}, which this version of the library does not "
            f"know; it knows {', '.join(sorted(NETWORKS))}"
        )
    with torch.random.fork_rng(devices=[]):
        return NETWORKS[name](**card.get("settings", {}))


def _stored(value: Tensor, half: bool) -> Tensor:
    value = value.detach().cpu().contiguous()
    return value.half() if half and value.is_floating_point() else value


def _computed(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
