"""Interpolating fills against closed forms and dense solves."""

import pytest
import torch
from torch import Tensor

from rather import Infiller, fill
from rather.infiller import seeded
from rather.infillers import Biharmonic, Harmonic, NoisyLinear

MEMBRANES = [Harmonic(), NoisyLinear(noise=0.0)]


def filled(infiller: Infiller, images: Tensor, keep: Tensor) -> Tensor:
    return fill(infiller, images, keep, seeded(0, images))


def surface(side: int, bend: float) -> Tensor:
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, side)] * 2, indexing="ij")
    planes = torch.stack([0.5 + 0.2 * x + 0.1 * y, 0.4 - 0.3 * y, 0.6 - 0.1 * x])
    bowls = torch.stack([x * y, x**2, x**2 - y**2 + x * y])
    return (planes + bend * bowls)[None]


def holed(images: Tensor, edge: int) -> Tensor:
    keep = torch.ones_like(images[:, :1])
    keep[..., edge:-edge, edge:-edge] = 0
    return keep


def noisy(count: int, side: int, shown: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(count, 3, side, side, generator=generator)
    return images, (torch.rand(count, 1, side, side, generator=generator) < shown).float()


def laplacian(side: int, corner: float) -> Tensor:
    """Dense graph Laplacian of a grid in double precision, by looking at every pair of pixels."""
    y, x = torch.meshgrid(*[torch.arange(side)] * 2, indexing="ij")
    places = torch.stack([y.flatten(), x.flatten()], 1)
    apart = (places[:, None] - places).abs()
    near = (apart.sum(2) == 1).double() + corner * (apart == 1).all(2).double()
    return torch.diag(near.sum(1)) - near


def solved(system: Tensor, image: Tensor, keep: Tensor) -> Tensor:
    """Hidden values that make the system zero there, given the shown ones."""
    values, shown = image.flatten(1).T.double(), keep.flatten() > 0
    inner, outer = system[~shown][:, ~shown], system[~shown][:, shown]
    values[~shown] = torch.linalg.solve(inner, -outer @ values[shown])
    return values.T.view_as(image).float().clamp(0, 1)


@pytest.mark.parametrize("infiller", MEMBRANES, ids=repr)
@pytest.mark.parametrize("edge", [3, 20, 56])
def test_membranes_restore_affine_images(infiller: Infiller, edge: int) -> None:
    images = surface(128, bend=0.0)
    made = filled(infiller, images, holed(images, edge))
    torch.testing.assert_close(made, images, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("infiller", "corner"), list(zip(MEMBRANES, [0.0, 0.5], strict=True)), ids=repr
)
@pytest.mark.parametrize("shown", [0.02, 0.3, 0.8])
def test_membranes_equal_a_dense_solve(infiller: Infiller, corner: float, shown: float) -> None:
    images, keep = noisy(2, 16, shown)
    made = filled(infiller, images, keep)
    expected = [solved(laplacian(16, corner), *pair) for pair in zip(images, keep, strict=True)]
    torch.testing.assert_close(made, torch.stack(expected), rtol=0, atol=1e-3)


def test_plates_equal_a_dense_solve() -> None:
    images, keep = noisy(2, 16, 0.6)
    bend = laplacian(16, 0.0)
    expected = [solved(bend @ bend, *pair) for pair in zip(images, keep, strict=True)]
    made = filled(Biharmonic(), images, keep)
    torch.testing.assert_close(made, torch.stack(expected), rtol=0, atol=1e-3)


@pytest.mark.parametrize("bend", [0.0, 0.15])
@pytest.mark.parametrize("edge", [4, 16, 40])
def test_plates_restore_affine_and_quadratic_images(bend: float, edge: int) -> None:
    images = surface(96, bend)
    made = filled(Biharmonic(), images, holed(images, edge))
    torch.testing.assert_close(made, images, rtol=0, atol=1e-2)


@pytest.mark.parametrize("infiller", MEMBRANES, ids=repr)
def test_membranes_stay_between_what_surrounds_them(infiller: Infiller) -> None:
    images, _ = noisy(2, 40, 0.5)
    keep = holed(images, 6)
    ring = (keep > 0) & (torch.nn.functional.max_pool2d(1 - keep, 3, 1, 1) > 0)
    made = filled(infiller, images, keep)
    hidden = made.where(keep == 0, 0.5)
    low = images.where(ring, 1).amin((2, 3), keepdim=True)
    high = images.where(ring, 0).amax((2, 3), keepdim=True)
    assert (hidden >= low - 1e-3).all()
    assert (hidden <= high + 1e-3).all()


def test_one_hidden_pixel_gets_the_mean_of_its_neighbours() -> None:
    images, _ = noisy(1, 9, 0.5)
    keep = torch.ones(1, 1, 9, 9)
    keep[..., 4, 4] = keep[..., 0, 7] = 0
    x = images[0]
    middle = (x[:, 3, 4] + x[:, 5, 4] + x[:, 4, 3] + x[:, 4, 5]) / 4
    border = (x[:, 0, 6] + x[:, 0, 8] + x[:, 1, 7]) / 3
    made = filled(Harmonic(), images, keep)[0]
    torch.testing.assert_close(made[:, 4, 4], middle, rtol=0, atol=1e-4)
    torch.testing.assert_close(made[:, 0, 7], border, rtol=0, atol=1e-4)


def test_noise_of_road_is_gaussian_and_on_hidden_pixels_alone() -> None:
    images = torch.full((2, 3, 64, 64), 0.5)
    keep = holed(images, 8)
    made = filled(NoisyLinear(noise=0.05), images, keep) - images
    assert torch.equal(made * keep, torch.zeros_like(made))
    assert torch.equal(made[0], made[1])
    hidden = made[0, :, 8:-8, 8:-8]
    torch.testing.assert_close(hidden.std(), torch.tensor(0.05), rtol=0, atol=2e-3)


@pytest.mark.parametrize("infiller", [Harmonic(iterations=25), Biharmonic(iterations=80)], ids=repr)
def test_wide_holes_take_few_steps(infiller: Infiller) -> None:
    images = surface(160, bend=0.0)
    made = filled(infiller, images, holed(images, 16))
    torch.testing.assert_close(made, images, rtol=0, atol=1e-2)


def test_an_image_rests_when_it_is_solved() -> None:
    images, keep = noisy(2, 24, 0.5)
    keep[1] = 0
    keep[1, :, 0, 0] = 1
    keep[0] = holed(images, 11)[0]
    alone = filled(Harmonic(), images[:1], keep[:1])
    torch.testing.assert_close(filled(Harmonic(), images, keep)[:1], alone, rtol=0, atol=1e-5)
