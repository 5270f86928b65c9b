"""Batch norm folded into the layer before it: the same answers from fewer passes over memory.

In evaluation mode a batch norm is a scale and a shift per channel, which the weights of a
convolution or a linear layer before it can hold. The pairs are found by watching one forward pass,
not by reading the graph: a layer whose very output is what a batch norm reads, each run once.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
EXTRAS = ("drop", "act")  # what timm's batch norms do after normalising


@dataclass(frozen=True, eq=False)
class Pair:
    """A layer, and the batch norm that reads its output and nothing else."""

    layer: nn.Module
    norm: _BatchNorm


@dataclass(frozen=True, eq=False)
class _Watch:
    calls: Counter[nn.Module] = field(default_factory=Counter)
    made: dict[int, tuple[nn.Module, Tensor, int]] = field(default_factory=dict)
    pairs: list[Pair] = field(default_factory=list)

    def after_layer(self, layer: nn.Module, _inputs: object, output: Tensor) -> None:
        self.calls[layer] += 1
        self.made[id(output)] = layer, output, output._version

    def before_norm(self, norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.calls[norm] += 1
        layer, output, version = self.made.get(id(inputs[0]), (None, None, 0))
        untouched = output is not None and output._version == version
        if layer is not None and untouched and isinstance(norm, _BatchNorm):
            self.pairs.append(Pair(layer, norm))


@torch.no_grad()
def find(net: nn.Module, run: Callable[[], object]) -> list[Pair]:
    """The batch norms that can be folded, in the order of the forward pass that `run` makes."""
    watch, handles = _Watch(), []
    for module in net.modules():
        if isinstance(module, LAYERS) and "weight" in module._parameters:
            handles.append(module.register_forward_hook(watch.after_layer))
        elif isinstance(module, _BatchNorm) and _is_known(module):
            handles.append(module.register_forward_pre_hook(watch.before_norm))
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    calls = watch.calls
    return [pair for pair in watch.pairs if calls[pair.layer] == 1 == calls[pair.norm]]


def fold(net: nn.Module, pair: Pair) -> Callable[[], None]:
    """Fold one pair inside `net`, and return what undoes it.

    What a batch norm does besides, as timm's drop and act, stays in its place.
    """
    layer, norm = pair.layer, pair.norm
    old = {name: layer._parameters[name] for name in ("weight", "bias")}
    places = list(_places(net, norm))

    def put(parameters: Mapping[str, nn.Parameter | None], module: nn.Module) -> None:
        layer._parameters.update(parameters)
        for parent, name in places:
            parent._modules[name] = module

    put(_scaled(layer, norm), _rest(norm))
    return lambda: put(old, norm)


@torch.no_grad()
def _scaled(layer: nn.Module, norm: _BatchNorm) -> dict[str, nn.Parameter]:
    weight, bias = layer.get_parameter("weight"), layer._parameters["bias"]
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    scale, shift = (variance + norm.eps).rsqrt(), torch.zeros_like(mean)
    if norm.affine:
        scale, shift = scale * norm.weight, norm.bias
    folded = {
        "weight": weight * scale.view(-1, *(1,) * (weight.dim() - 1)),
        "bias": shift + ((0 if bias is None else bias) - mean) * scale,
    }
    return {name: nn.Parameter(value, requires_grad=False) for name, value in folded.items()}


def _rest(norm: _BatchNorm) -> nn.Module:
    extras = (norm.get_submodule(name) for name in EXTRAS) if _extras(norm) else ()
    rest = [extra for extra in extras if not isinstance(extra, nn.Identity)]
    return (rest[0] if len(rest) == 1 else nn.Sequential(*rest)).eval()


def _is_known(norm: _BatchNorm) -> bool:
    return norm.running_var is not None and (_is_plain(norm) or _extras(norm))


def _is_plain(norm: _BatchNorm) -> bool:
    return type(norm).forward is _BatchNorm.forward


def _extras(norm: _BatchNorm) -> bool:
    return set(EXTRAS) <= norm._modules.keys()


def _places(net: nn.Module, module: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    for parent in net.modules():
        for name, child in parent._modules.items():
            if child is module:
                yield parent, name
