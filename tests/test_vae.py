"""The convolutional VAE: its two losses in closed form, its contract, and a short training."""

from pathlib import Path

import pytest
import torch
from followed import followed
from PIL import Image

from rather import fill
from rather.data.folder import Crop
from rather.fitting.boxes import OneBox
from rather.fitting.fit import Plan, fit
from rather.fitting.vae import VaeRecipe, divergence, surprise
from rather.infiller import stochastic
from rather.infillers.vae import VaeInpainter
from rather.networks.vae import Gaussian, VaeNet
from rather.networks.weights import load, packed


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An untrained network: what must hold of every weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("vae") / "vae.safetensors"
    path.write_bytes(packed(VaeNet(width=8), {}))
    return str(path)


def test_the_standard_normal_diverges_by_nothing() -> None:
    zero = torch.zeros(2, 4, 3, 3)
    assert torch.equal(divergence(Gaussian(zero, zero)), torch.zeros(2))
    torch.testing.assert_close(divergence(Gaussian(zero + 2, zero)), torch.full((2,), 36 * 2.0))
    wide = divergence(Gaussian(zero, zero + 1))
    torch.testing.assert_close(wide, torch.full((2,), 36 * (torch.e - 2) / 2))


def test_surprise_is_the_normal_likelihood_of_hidden_pixels_alone() -> None:
    torch.manual_seed(0)
    images, mean, log_var = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    keep = (torch.rand(2, 1, 4, 4) > 0.5).float()
    each = torch.distributions.Normal(mean, (log_var / 2).exp()).log_prob(images)
    constant = 0.5 * torch.log(torch.tensor(2 * torch.pi))
    wanted = -((each + constant) * (1 - keep)).sum((1, 2, 3))
    found = surprise(Gaussian(mean, log_var), images, keep)
    torch.testing.assert_close(found, wanted)
    other = images + keep
    assert torch.equal(surprise(Gaussian(mean, log_var), other, keep), found)


def test_log_variances_are_clamped_or_not() -> None:
    x = torch.full((1, 8, 1, 1), 50.0)
    assert VaeNet(width=4)._split(x).log_var.max() == 8
    assert VaeNet(width=4, clamp=None)._split(x).log_var.max() == 50


def test_the_mean_code_is_deterministic_and_draws_differ(weights: str) -> None:
    images, keep, generator = torch.rand(2, 3, 9, 14), torch.zeros(2, 1, 9, 14), seeded()
    mean, drawn = VaeInpainter(weights, sample=False), VaeInpainter(weights)
    assert not stochastic(mean)
    assert stochastic(drawn)
    assert torch.equal(mean(images, keep, generator), mean(images, keep, generator))
    assert not torch.equal(drawn(images, keep, generator), drawn(images, keep, generator))


@pytest.mark.parametrize("sample", [False, True])
def test_hidden_pixels_and_neighbours_do_not_matter(weights: str, sample: bool) -> None:
    infiller, images = VaeInpainter(weights, sample), torch.rand(3, 3, 9, 14)
    keep = (torch.rand(3, 1, 9, 14, generator=seeded()) > 0.5).float()
    made = infiller(images, keep, seeded())
    hidden = infiller(images.where(keep > 0, torch.nan), keep, seeded())
    assert torch.equal(made, hidden)
    alone = infiller(images[2:], keep[2:], seeded())
    torch.testing.assert_close(alone, made[2:], rtol=0, atol=1e-4)  # in float32


@pytest.mark.parametrize("size", [(1, 1), (4, 7), (33, 18)])
@pytest.mark.parametrize("shown", [0.0, 1.0])
def test_any_size_with_all_or_nothing_shown(
    weights: str, size: tuple[int, int], shown: float
) -> None:
    images, keep = torch.rand(1, 3, *size), torch.full((1, 1, *size), shown)
    filled = fill(VaeInpainter(weights), images, keep, seeded())
    assert filled.isfinite().all()
    assert torch.equal(filled, images) == bool(shown)


def test_the_hidden_part_takes_the_shown_colour(tmp_path: Path) -> None:
    colours = torch.tensor([[0.2, 0.5, 0.8], [0.8, 0.2, 0.4]])
    recipe = VaeRecipe(width=8, rate=4e-3, holes=OneBox())
    path = tmp_path / "vae.safetensors"
    path.write_bytes(packed(followed(recipe, colours, 8, 200)["vae"], {}))
    images = colours[:, :, None, None].repeat(1, 1, 8, 8)
    keep = torch.ones(2, 1, 8, 8)
    keep[..., 2:5, 2:5] = 0
    filled = fill(VaeInpainter(str(path), sample=False), images, keep, seeded())
    assert (filled - images)[..., 2:5, 2:5].abs().mean() < 0.08


def test_fit_follows_the_recipe(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16), (200, 50, 100)).save(tmp_path / "one.png")
    recipe, plan = VaeRecipe(width=4), Plan(steps=2, batch=2, held=1)
    out = fit(recipe, tmp_path, tmp_path / "vae.safetensors", plan, Crop(8), "cpu")
    card = load(str(out))[1]
    assert card["recipe"] == repr(recipe)
    assert set(card["metrics"]) == {"step", "nats a hidden value", "L1", "KL"}
    assert (
        VaeInpainter(str(out))(torch.rand(1, 3, 5, 5), torch.zeros(1, 1, 5, 5), seeded())
        .isfinite()
        .all()
    )


def test_the_published_recipe_hides_a_box_or_half_of_the_pixels() -> None:
    published = VaeRecipe.as_published()
    assert (published.width, published.clamp, published.holes) == (64, None, OneBox(0.5))
    keep = OneBox(0.5)(torch.rand(200, 3, 32, 32), seeded())
    hidden = 1 - keep.mean((1, 2, 3))
    boxes = hidden < 0.35  # a box hides 9/64 to 1/4, noise about a half
    assert 70 < boxes.sum() < 130
    assert hidden[boxes].min() >= 9 / 64
    assert hidden[boxes].max() <= 1 / 4
    torch.testing.assert_close(hidden[~boxes].mean(), torch.tensor(0.5), rtol=0, atol=0.01)
