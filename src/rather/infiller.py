"""Filling: what stands where evidence is taken away."""

from collections.abc import Callable
from typing import Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Float, Int

from rather.types import Images, Keep, Labels

Rows: TypeAlias = Int[torch.Tensor, " rows"]


@runtime_checkable
class Infiller(Protocol):
    """Proposes pixels for a whole image; `fill` uses them only where `keep` is below 1.

    It may declare, as class attributes or fields: `reads_hidden` (False: `fill` shows it 0.5 in
    place of hidden pixels), `uses_keep` (True: the proposal depends on `keep`) and `stochastic`
    (False: two draws are the same). A plain function has these defaults.
    """

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator, /) -> Images: ...


def fill(
    infiller: Infiller,
    images: Images,
    keep: Keep,
    generator: torch.Generator,
    seen: Keep | None = None,
) -> Images:
    """Replace the pixels where `keep` is 0 and leave those where it is 1 exactly as they were.

    Fractions blend the two. Gradients reach `keep` through the blend alone: the proposal is a
    constant, or the backward pass would need every step of a diffusion model.

    Args:
        infiller: proposes the pixels.
        images: what is filled; never changed.
        keep: 1 keeps a pixel, 0 replaces it.
        generator: the source of all randomness.
        seen: 1 where the infiller may look; by default where `keep` is above one half.

    Raises:
        ValueError: `keep` or the proposal has the wrong shape, or leaves [0, 1].

    >>> grey = lambda images, keep, generator: torch.full_like(images, 0.5)
    >>> images = torch.ones(1, 3, 1, 2)
    >>> fill(grey, images, torch.tensor([[[[1.0, 0.0]]]]), torch.Generator())[0, 0]
    tensor([[1.0000, 0.5000]])
    """
    _check(keep, images, "keep")
    proposal = propose(infiller, images, keep if seen is None else seen, generator)
    return torch.lerp(proposal, images, keep)


@torch.no_grad()
def propose(infiller: Infiller, images: Images, seen: Keep, generator: torch.Generator) -> Images:
    """What the infiller would put everywhere, if it is shown the pixels where `seen` is above 0.5.

    Raises:
        ValueError: the proposal has the wrong shape, or leaves [0, 1].
        TypeError: what is given is no in-fill, but a number, a name or a class.
    """
    if not callable(infiller) or isinstance(infiller, type):
        raise TypeError(
            f"{infiller!r} is no in-fill; give one, such as Constant(0.5), Blur() or "
            "infillers.default(), or any function of images, keep mask and generator"
        )
    shown = (seen > 0.5).to(images)
    visible = images if reads_hidden(infiller) else torch.where(shown > 0, images, 0.5)
    proposal = infiller(visible, shown, generator)
    _check(proposal, images, f"the proposal of {infiller}")
    return proposal


def filler(
    infiller: Infiller, images: Images, seed: int, draw: int = 0
) -> Callable[[Labels, Keep], Images]:
    """Prepare to fill many variants of the same images, each `(row, keep)`, batch by batch.

    A proposal that does not depend on `keep` is made once per image; variants then differ in the
    blend alone. Every batch starts from the same seed, so results do not depend on its size.
    """
    if uses_keep(infiller):
        return lambda rows, keep: fill(infiller, images[rows], keep, seeded(seed, images, draw))
    nothing = torch.zeros_like(images[:, :1])
    proposal = fill(infiller, images, nothing, seeded(seed, images, draw))
    return lambda rows, keep: torch.lerp(chosen(proposal, rows), chosen(images, rows), keep)


def proposer(infiller: Infiller, images: Images, seed: int) -> Callable[[Keep, int], Images]:
    """Prepare to ask for proposals step by step, `(seen, draw)`; a lasting one is made once."""
    if not lasting(infiller):
        return lambda seen, draw: propose(infiller, images, seen, seeded(seed, images, draw))
    nothing = torch.zeros_like(images[:, :1])
    made = propose(infiller, images, nothing, seeded(seed, images))
    return lambda seen, draw: made


def chosen(images: Images, rows: Rows) -> Float[torch.Tensor, "rows 3 h w"]:
    """Rows of images, repeated at will; those of a single one take no memory."""
    return (
        images.expand(len(rows), -1, -1, -1) if len(images) == 1 else images.index_select(0, rows)
    )


def seeded(seed: int, like: torch.Tensor, draw: int = 0) -> torch.Generator:
    """A generator on the images' device; each `draw` has a stream of its own."""
    return torch.Generator(like.device).manual_seed(seed + 7_368_787 * draw)


def reads_hidden(infiller: Infiller) -> bool:
    """Whether it may look at the pixels it replaces, as blur does."""
    return bool(getattr(infiller, "reads_hidden", False))


def uses_keep(infiller: Infiller) -> bool:
    """Whether its proposal depends on which pixels are kept."""
    return bool(getattr(infiller, "uses_keep", True))


def lasting(infiller: Infiller) -> bool:
    """Whether its one proposal for an image serves every mask and every draw."""
    return not (uses_keep(infiller) or stochastic(infiller))


def stochastic(infiller: Infiller) -> bool:
    """Whether two draws differ."""
    return bool(getattr(infiller, "stochastic", False))


def _check(values: torch.Tensor, images: Images, what: str) -> None:
    shape = tuple(images.shape) if values.shape[1] == 3 else (len(images), 1, *images.shape[2:])
    if tuple(values.shape) != shape:
        raise ValueError(
            f"{what} has shape {tuple(values.shape)}, but the images {tuple(images.shape)}; "
            f"it must be {shape}"
        )
    meaning = "; 1 keeps a pixel, 0 replaces it" if what == "keep" else ""
    if not values.is_floating_point() or (meaning and values.dtype != images.dtype):
        way = "use keep.float(), or keep.to(images)" if meaning else "return it .to(images)"
        raise ValueError(
            f"{what} is {values.dtype}, but must be floating point, {images.dtype} as the images "
            f"are{meaning}; {way}"
        )
    low, high = values.detach().aminmax()
    if not (low >= 0 and high <= 1):
        way = f"{meaning}: divide 8-bit values by 255" if meaning else ""
        raise ValueError(f"{what} must lie in [0, 1], but spans [{low:.3g}, {high:.3g}]{way}")
