"""What a recipe is: networks, their optimisers and losses; `fit` does the rest."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

from rather.batch import Batch
from rather.data.folder import Crop
from rather.types import Images

Given = TypeVar("Given", Images, Batch, contravariant=True)  # a recipe learns from one of the two
Loss: TypeAlias = Float[Tensor, ""]
Nets: TypeAlias = dict[str, nn.Module]


@runtime_checkable
class Source(Protocol):
    """Where the pictures of a training come from, with their labels or without.

    A batch is a pure function of its arguments, so that a training resumes exactly.
    """

    def names(self, held_out: bool = False, /) -> Sequence[Any]:
        """Name the pictures of one of the two parts, one by one."""
        ...

    def digest(self) -> str:
        """Tell this set of pictures from others."""
        ...

    def batch(self, count: int, crop: Crop, seed: int, step: int, part: slice, /) -> Any:
        """Draw the pictures of one step, or a part of them."""
        ...

    def held_out(self, count: int, crop: Crop, /) -> Any:
        """Read some held-out pictures, always the same ones."""
        ...


@runtime_checkable
class Recipe(Protocol[Given]):
    """A frozen dataclass that says what is trained towards what.

    All randomness comes from the generator, and all state stands in networks and optimisers:
    that makes a resumed training equal to an unbroken one.
    """

    product: ClassVar[str]  # the network that is averaged, validated and exported

    def networks(self) -> Nets:
        """Make the networks afresh, by name."""
        ...

    def optimisers(self, nets: Nets, /) -> dict[str, Optimizer]:
        """Make the optimiser of every network that is trained; `fit` scales their rates."""
        ...

    def losses(
        self, nets: Nets, given: Given, generator: torch.Generator, step: int, /
    ) -> Iterator[tuple[str, Loss]]:
        """Yield (network, loss); that network makes its step before the next loss is asked for."""
        ...

    def validate(self, nets: Nets, given: Given, /) -> dict[str, float]:
        """Judge held-out pictures; the first figure leads, and lower is better."""
        ...

    def samples(self, nets: Nets, given: Given, /) -> tuple[Images, ...]:
        """Make the columns of a contact sheet."""
        ...


@contextmanager
def frozen(net: nn.Module) -> Iterator[nn.Module]:
    """Hand out a network, without what Fabric puts around it, whose parameters get no gradient."""
    inner = unwrapped(net)
    inner.requires_grad_(False)
    try:
        yield inner
    finally:
        inner.requires_grad_(True)


def unwrapped(net: nn.Module) -> nn.Module:
    """The network itself, without what Fabric puts around it."""
    inner = getattr(net, "module", net)
    return inner if isinstance(inner, nn.Module) else net
