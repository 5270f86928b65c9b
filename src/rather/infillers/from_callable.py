"""`FromCallable`: any function as an in-fill, with what it may do declared and enforced."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from rather.types import Images, Keep


@dataclass(frozen=True, repr=False)
class FromCallable:
    """Asks a function of (images, keep), copies of which it gets; kept pixels need not stay.

    The function may draw from torch's global generator: it is seeded before the call, and put back
    afterwards. It runs without gradients.

    Args:
        function: takes images in [0, 1] and keep (1 = shown), returns images of the same size.
        name: what it is called in records, and by the cache; by default its module and name.
        reads_hidden: it may look at hidden pixels; otherwise they are overwritten by 0.5.
        uses_keep: its proposal depends on the hole; otherwise it is asked once an image.
        stochastic: two draws differ.
        multiple: sides must be a multiple of this; edges are repeated, and cut off again.
    """

    function: Callable[[Tensor, Tensor], Tensor]
    name: str = ""
    reads_hidden: bool = False
    uses_keep: bool = True
    stochastic: bool = False
    multiple: int = 1

    def __post_init__(self) -> None:
        if self.multiple < 1:
            raise ValueError(f"multiple is {self.multiple}; sides are a multiple of 1 or more")

    def __repr__(self) -> str:
        names = ("reads_hidden", "uses_keep", "stochastic", "multiple")
        flags = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"FromCallable(<{self.name or _named(self.function)}>, {flags})"

    @torch.no_grad()
    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        height, width = images.shape[2:]
        pad = (0, -width % self.multiple, 0, -height % self.multiple)
        shown = (keep > 0.5).to(images)
        visible = images if self.reads_hidden else images.where(shown > 0, 0.5)
        padded = [F.pad(values, pad, mode="replicate").clone() for values in (visible, shown)]
        with globally_seeded(self._seed(generator), images.device):
            answer = self.function(*padded)
        if not isinstance(answer, Tensor) or answer.shape != padded[0].shape:
            found = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
            raise ValueError(
                f"{self!r} answered {found} to images {tuple(padded[0].shape)}; it must return "
                "images of the same shape"
            )
        return answer[..., :height, :width].to(images)

    def _seed(self, generator: torch.Generator) -> int:
        if not self.stochastic:
            return 0
        return int(torch.randint(2**62, (), generator=generator, device=generator.device).item())


@contextmanager
def globally_seeded(seed: int, device: torch.device) -> Generator[None]:
    """Let a foreign function draw from the global generator, and put that back afterwards."""
    cards = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(cards):
        torch.default_generator.manual_seed(seed)
        if cards:
            torch.cuda.manual_seed(seed)
        yield


def _named(function: Callable[..., object]) -> str:
    if hasattr(function, "__qualname__"):
        return f"{function.__module__}.{function.__qualname__}"
    return repr(function)
