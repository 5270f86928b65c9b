"""What every in-fill must keep, whatever it computes. A new in-fill is one line here."""

import importlib.util
import re

import pytest
import torch
from torch import Tensor

from rather import Infiller, fill
from rather.infiller import reads_hidden, seeded, stochastic, uses_keep
from rather.infillers import (
    Biharmonic,
    Blur,
    Cached,
    ColourHistogram,
    ColourNoise,
    Constant,
    Diffusion,
    Donor,
    FromCallable,
    Harmonic,
    ImageMean,
    KeptMean,
    LocalMean,
    MarginalDonor,
    MeanColour,
    Mixture,
    NavierStokes,
    NearestDonor,
    Noise,
    NoisyLinear,
    OpenCv,
    PatchMatch,
    Samples,
    Shuffle,
    Telea,
)


def grey_world(noisy: Tensor, sigma: Tensor) -> Tensor:
    """The exact denoiser for pixels that are independent, with mean 0.5 and deviation 0.1."""
    var = sigma[:, None, None, None] ** 2
    return (0.01 * noisy + var * 0.5) / (0.01 + var)


def darkened(images: Tensor, keep: Tensor) -> Tensor:
    return images.mul_(0.5) + keep.zero_()


BANK = torch.rand(5, 3, 12, 10, generator=torch.Generator().manual_seed(5))
INFILLERS = [
    Biharmonic(),
    Blur(2.0),
    Cached(NoisyLinear()),
    ColourHistogram(),
    ColourHistogram(all_pixels=True),
    ColourNoise(),
    Constant(0.3),
    Constant((0.1, 0.2, 0.3)),
    Diffusion(grey_world, steps=5, jump=2),
    Donor(BANK),
    FromCallable(darkened, multiple=4),
    Harmonic(),
    ImageMean(),
    KeptMean(),
    LocalMean(5),
    MarginalDonor(BANK),
    MarginalDonor(BANK, tile=4),
    MeanColour(),
    Mixture((Harmonic(), Noise())),
    Mixture((Blur(), Constant())),
    NearestDonor(BANK),
    NearestDonor(BANK, k=3),
    Noise(),
    NoisyLinear(),
    NoisyLinear(noise=0.0),
    Samples(ColourNoise(), k=2),
    Shuffle(4),
]
OPTIONAL = [NavierStokes(2), OpenCv("telea", 2), Telea(2), PatchMatch(2)]


def available(infiller: Infiller) -> bool:
    if isinstance(infiller, PatchMatch):
        if importlib.util.find_spec("patchmatch") is None:
            return False
        return importlib.import_module("patchmatch").patchmatch_available
    return importlib.util.find_spec("cv2") is not None


def absent(infiller: Infiller) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not available(infiller), reason="its optional package is absent")


every = pytest.mark.parametrize(
    "infiller",
    [*INFILLERS, *(pytest.param(one, marks=absent(one)) for one in OPTIONAL)],
    ids=lambda method: re.sub(" at 0x[0-9a-f]+", "", repr(method)),
)


def photos(height: int = 12, width: int = 10, count: int = 3) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1))


def holes(images: Tensor) -> Tensor:
    """A box, half of the pixels, and everything but a few pixels."""
    generator = torch.Generator().manual_seed(2)
    keep = torch.ones_like(images[:, :1])
    keep[0, :, 2:7, 3:8] = 0
    keep[1] = (torch.rand(keep[1].shape, generator=generator) > 0.5).float()
    keep[2] = 0
    keep[2, :, 3:5, 1:4] = 1
    return keep


def filled(infiller: Infiller, images: Tensor, keep: Tensor, seed: int = 0) -> Tensor:
    return fill(infiller, images, keep, seeded(seed, images))


@every
def test_kept_pixels_stay_and_the_rest_is_in_range(infiller: Infiller) -> None:
    images = photos()
    keep = holes(images)
    made = filled(infiller, images, keep)
    assert torch.equal(made * keep, images * keep)
    assert made.isfinite().all()
    assert made.min() >= 0
    assert made.max() <= 1
    assert made.dtype == torch.float32


@every
def test_nothing_but_the_generator_matters(infiller: Infiller) -> None:
    images = photos()
    keep = holes(images)
    before, state = (images.clone(), keep.clone()), torch.get_rng_state()
    first = filled(infiller, images, keep)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(1)  # a stray draw must not matter
    assert torch.equal(first, filled(infiller, images, keep))
    assert torch.equal(images, before[0])
    assert torch.equal(keep, before[1])


@every
def test_neighbours_in_the_batch_do_not_matter(infiller: Infiller) -> None:
    images = photos()
    keep = holes(images)
    together = filled(infiller, images, keep)
    alone = [filled(infiller, images[i : i + 1], keep[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-4)


@every
def test_hidden_pixels_are_read_only_if_it_says_so(infiller: Infiller) -> None:
    images = photos()
    keep = holes(images)
    changed = torch.where(keep > 0, images, images.flip(0).flip(2))
    first, second = filled(infiller, images, keep), filled(infiller, changed, keep)
    assert torch.equal(first, second) != reads_hidden(infiller)


@every
def test_it_does_not_rely_on_fill_to_hide_them(infiller: Infiller) -> None:
    images = photos()
    keep = holes(images)
    wild = images if reads_hidden(infiller) else torch.where(keep > 0, images, images.flip(0))
    direct = infiller(wild, keep, seeded(0, images))
    assert torch.equal(torch.lerp(direct, images, keep), filled(infiller, images, keep))


@every
def test_a_proposal_depends_on_the_hole_only_if_it_says_so(infiller: Infiller) -> None:
    images = photos()
    keep = holes(images)
    shown, other = (infiller(images, part, seeded(0, images)) for part in (keep, keep.roll(1, 0)))
    assert torch.equal(shown, other) != uses_keep(infiller)


@every
def test_draws_differ_only_if_it_says_so(infiller: Infiller) -> None:
    images = photos()
    keep = holes(images)
    draws = [filled(infiller, images, keep, seed) for seed in range(8)]
    same = all(torch.equal(draw, draws[0]) for draw in draws)
    assert same != stochastic(infiller)


@every
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (2, 2), (5, 33)], ids=str)
def test_any_size_all_hidden_or_nothing_hidden(infiller: Infiller, size: tuple[int, int]) -> None:
    images = photos(*size, count=2)
    keep = torch.zeros(2, 1, *size)
    keep[0, ..., -1] = 1
    for shown in (keep, torch.zeros_like(keep)):
        made = filled(infiller, images, shown)
        assert made.shape == images.shape
        assert made.isfinite().all()
    assert torch.equal(filled(infiller, images, torch.ones_like(keep)), images)


@every
def test_no_gradient_leaves_it(infiller: Infiller) -> None:
    images = photos().requires_grad_()
    keep = holes(images).requires_grad_()
    made = filled(infiller, images, keep)
    into_images, into_keep = torch.autograd.grad(made.sum(), [images, keep])
    assert torch.equal(into_images, keep.detach().expand_as(images))
    assert into_keep.isfinite().all()
