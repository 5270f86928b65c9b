"""Layers that answer the same with fewer passes over memory, which is what passes cost on a CPU.

They take the place of layers of the same name in a copy of a network, and keep its parameters: a
convolution that is padded on one side more than on the other needs no padded copy of its input, and
an activation that writes in place needs no copy of what it wrote over.
"""

import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LARGEST = 6.0  # what ReLU6 cuts off at


def lean(net: nn.Module) -> Callable[[], None]:
    """Let the layers of a network that have a lean kind become of it; return what undoes it."""
    kinds = _kinds()
    found = [(module, type(module)) for module in net.modules() if type(module) in kinds]
    for module, plain in found:
        module.__class__ = kinds[plain]

    def undo() -> None:
        for module, plain in found:
            module.__class__ = plain

    return undo


class ReLU6(nn.ReLU6):
    """In place, and its gradient is known from what it wrote: nothing is kept besides."""

    def forward(self, input: Tensor) -> Tensor:
        if self.inplace and _graded(input):
            cut: Any = Cut.apply(input)
            return cut
        return super().forward(input)


class SiLU(nn.SiLU):
    """Not in place where a gradient is to come, which would need a copy of the input."""

    def forward(self, input: Tensor) -> Tensor:
        return F.silu(input, self.inplace and not _graded(input))


class Hardswish(nn.Hardswish):
    """Not in place where a gradient is to come, which would need a copy of the input."""

    def forward(self, input: Tensor) -> Tensor:
        return F.hardswish(input, self.inplace and not _graded(input))


class Cut(torch.autograd.Function):
    """ReLU6, written over its input; where it has cut off, the output says so as well as that."""

    @staticmethod
    def forward(ctx: Any, input: Tensor) -> Tensor:
        output = F.hardtanh(input, 0.0, LARGEST, inplace=True)
        ctx.mark_dirty(output)
        ctx.save_for_backward(output)
        return output

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        (output,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(slopes[0], output, 0.0, LARGEST)


def same_padded(input: Tensor, layer: Any) -> Tensor:
    """A convolution with TensorFlow's padding, of which the odd pixel lies below and on the right.

    In place of one more pixel there, the kernel grows by a row of zeros above: padding is then the
    same on both sides, and the layer reads its input where it stands.
    """
    sizes = zip(input.shape[2:], layer.kernel_size, layer.stride, strict=True)
    rooms = [max((-(-side // step) - 1) * step + kernel - side, 0) for side, kernel, step in sizes]
    (above, beside), odd = ([room // 2 for room in rooms], [room % 2 for room in rooms])
    weight = F.pad(layer.weight, (odd[1], 0, odd[0], 0)) if any(odd) else layer.weight
    padding = (above + odd[0], beside + odd[1])
    return F.conv2d(input, weight, layer.bias, layer.stride, padding, 1, layer.groups)


def __getattr__(name: str) -> type[nn.Module]:
    """The kind that is made late, for whoever reads a network from a file."""
    if name == "Conv2dSame":
        return _same()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def _same() -> type[nn.Module]:
    home: Any = import_module("timm.layers.conv2d_same")  # of that name is a function, too
    jit: Any = torch.jit

    class Conv2dSame(home.Conv2dSame):
        """Padded as TensorFlow does it, without a padded copy of the input."""

        def forward(self, x: Tensor) -> Tensor:
            if jit.is_tracing() or self.dilation != (1, 1):  # what is traced must fit any size
                return super().forward(x)
            return same_padded(x, self)

    Conv2dSame.__qualname__ = "Conv2dSame"
    return Conv2dSame


def _kinds() -> dict[type[nn.Module], type[nn.Module]]:
    found: dict[type[nn.Module], type[nn.Module]] = {
        nn.ReLU6: ReLU6,
        nn.SiLU: SiLU,
        nn.Hardswish: Hardswish,
    }
    if "timm.layers" in sys.modules:  # no network holds a layer of a package that nobody imported
        found[sys.modules["timm.layers"].Conv2dSame] = _same()
    return found


def _graded(input: Tensor) -> bool:
    return torch.is_grad_enabled() and input.requires_grad
