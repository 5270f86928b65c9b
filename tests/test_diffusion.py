"""Diffusion in-fill: exact denoisers with known answers, then the trained one, small."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from rather import fill
from rather.data.folder import Crop
from rather.fitting.diffusion import DenoiserRecipe, weighted
from rather.fitting.fit import Plan, fit
from rather.infillers.diffusion import Diffusion
from rather.networks.denoiser import DenoiserNet
from rather.networks.vae import VaeNet
from rather.networks.weights import load, packed


def independent(noisy: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """The exact denoiser where pixels are independent, with mean 0.5 and deviation 0.1."""
    var = sigma[:, None, None, None] ** 2
    return (0.01 * noisy + var * 0.5) / (0.01 + var)


def uniform(noisy: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """The exact denoiser where all pixels of an image share one value, spread as above."""
    var = sigma[:, None, None, None] ** 2 / noisy[0].numel()
    mean = noisy.mean((1, 2, 3), keepdim=True)
    return ((0.01 * mean + var * 0.5) / (0.01 + var)).expand_as(noisy)


def flat(*values: float) -> torch.Tensor:
    return torch.tensor(values)[:, None, None, None].expand(len(values), 3, 16, 16)


def columns(shown: int, images: torch.Tensor) -> torch.Tensor:
    keep = torch.zeros_like(images[:, :1])
    keep[..., :shown] = 1
    return keep


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("method", "calls"),
    [
        (Diffusion(uniform, steps=250, visits=10), 2410),
        (Diffusion(uniform, steps=250), 1210),
        (Diffusion(uniform), 460),
        (Diffusion(uniform, steps=50, method="replace"), 50),
    ],
)
def test_the_denoiser_is_called_as_often_as_published(method: Diffusion, calls: int) -> None:
    counted = []

    def counting(noisy: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        counted.append(float(sigma[0]))
        return noisy.clamp(0, 1)

    small = Diffusion(counting, method.steps, method=method.method, visits=method.visits)
    small(torch.rand(1, 3, 2, 2), torch.zeros(1, 1, 2, 2), seeded())
    assert len(counted) == calls
    assert counted[-1] == pytest.approx(0.001)


def test_the_published_setting() -> None:
    published = Diffusion.as_published(uniform)
    assert sum(there < here for here, there in pairwise(published.walk())) == 2410


def test_repaint_turns_at_every_tenth_level() -> None:
    walk = Diffusion(uniform, steps=30, visits=2).walk()
    corners = [(b, b > a) for (a, b), (_, c) in pairwise(pairwise(walk)) if (b > a) != (c > b)]
    assert walk[0] == 30
    assert walk[-1] == 0
    assert corners == [(10, False), (20, True), (0, False), (10, True)]


def test_the_schedule_falls_to_zero() -> None:
    schedule = Diffusion(uniform, steps=7).schedule()
    assert schedule == sorted(schedule, reverse=True)
    assert schedule[0] == pytest.approx(40)
    assert schedule[-2:] == [pytest.approx(0.001), 0]


@pytest.mark.parametrize("churn", [0.0, 1.0])
def test_replace_restores_what_a_shown_half_implies(churn: float) -> None:
    images = flat(0.4, 0.6)
    method = Diffusion(uniform, steps=50, method="replace", churn=churn)
    filled = fill(method, images, columns(8, images), seeded())
    torch.testing.assert_close(filled, images, rtol=0, atol=0.02)


def test_replace_forgets_what_a_sixteenth_implies_and_repaint_does_not() -> None:
    images = flat(0.3, 0.7)
    keep = columns(1, images)
    replaced = fill(Diffusion(uniform, steps=50, method="replace"), images, keep, seeded())
    repainted = fill(Diffusion(uniform), images, keep, seeded())
    assert (replaced - images)[..., 1:].abs().mean() > 0.08
    torch.testing.assert_close(repainted, images, rtol=0, atol=0.02)


@pytest.mark.parametrize(
    "method", [Diffusion(independent), Diffusion(independent, 50, method="replace")]
)
@pytest.mark.parametrize("shown", [0, 1, 24])
def test_draws_have_the_spread_of_the_data(method: Diffusion, shown: int) -> None:
    images = torch.ones(1, 3, 32, 32)
    hidden = method(images, columns(shown, images), seeded())[..., shown:]
    margin = 4 * 0.1 / hidden.numel() ** 0.5
    assert hidden.mean() == pytest.approx(0.5, abs=margin)
    assert hidden.std() == pytest.approx(0.1, abs=margin)


@pytest.mark.parametrize("method", ["repaint", "replace"])
def test_noise_is_shared_by_the_batch_and_fresh_in_every_draw(method: str) -> None:
    fills = Diffusion(independent, steps=20, method=method)
    images, generator = torch.rand(3, 3, 8, 8), seeded()
    keep = (torch.rand(3, 1, 8, 8, generator=seeded(1)) > 0.5).float()
    together = fill(fills, images, keep, seeded())
    assert torch.equal(fill(fills, images[2:], keep[2:], seeded()), together[2:])
    first, second = (fills(images, keep, generator) for _ in range(2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("method", ["repaint", "replace"])
def test_hidden_pixels_are_never_read(method: str) -> None:
    fills = Diffusion(uniform, steps=20, method=method)
    images, keep = torch.rand(1, 3, 8, 8), columns(3, torch.rand(1, 3, 8, 8))
    other = images.where(keep > 0, torch.nan)
    first, second = (fills(x, keep, seeded())[..., 3:] for x in (images, other))
    assert torch.equal(first, second)


@pytest.mark.parametrize("method", ["repaint", "replace"])
def test_the_denoiser_sees_shown_pixels_under_noise_of_the_level(method: str) -> None:
    images = torch.rand(1, 3, 32, 32, generator=seeded(1))
    keep, spreads = columns(16, images), []

    def watching(noisy: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        spreads.append((noisy - images)[..., :16].std() / sigma[0])
        return independent(noisy, sigma)

    Diffusion(watching, steps=5, sigma_min=0.1, method=method)(images, keep, seeded())
    torch.testing.assert_close(torch.stack(spreads), torch.ones(5), rtol=0, atol=0.1)


@pytest.mark.parametrize("wrong", [{"method": "repeat"}, {"steps": 1}, {"jump": 0}, {"visits": 0}])
def test_what_cannot_be_walked_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"is 'repaint' or 'replace'|cannot be walked"):
        Diffusion(uniform, **wrong)


@torch.no_grad()
def test_an_untrained_denoiser_already_denoises_as_a_normal_prior_would() -> None:
    net = DenoiserNet(8, (1, 1), 1)
    noisy, sigma = torch.rand(2, 3, 13, 9), torch.tensor([0.01, 5.0])
    clean = net(noisy, sigma)
    assert clean.shape == noisy.shape
    torch.testing.assert_close(clean[0], noisy[0], rtol=0, atol=0.01)
    torch.testing.assert_close(clean[1], torch.full_like(noisy[1], 0.5), rtol=0, atol=0.01)


@torch.no_grad()
def test_features_are_dropped_only_with_a_generator() -> None:
    torch.manual_seed(0)
    net = DenoiserNet(8, (1, 1), 1, (1,), dropout=0.5)
    for one in net.parameters():
        torch.nn.init.normal_(one, std=0.2)
    noisy, sigma = torch.rand(1, 3, 8, 8), torch.tensor([0.5])
    assert torch.equal(net(noisy, sigma), net(noisy, sigma))
    first, again = (net(noisy, sigma, seeded(1)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, net(noisy, sigma))


@torch.no_grad()
def test_all_noise_levels_weigh_alike_for_the_untrained_network() -> None:
    """Predicting with zero weights, the error is that of the normal prior: 1 at every level."""
    net, images = DenoiserNet(8, (1,), 1, ()), 0.5 + 0.25 * torch.randn(100, 3, 8, 8)
    for level in (0.01, 0.3, 10.0):
        sigma = torch.full((100,), level)
        clean = net(images + level * torch.randn(100, 3, 8, 8), sigma)
        assert weighted(clean, images, sigma).mean() == pytest.approx(1, abs=0.05)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a denoiser that has seen pictures of one colour each, briefly."""
    folder, draw = tmp_path_factory.mktemp("colours"), np.random.default_rng(0)
    for number in range(16):
        picture = np.tile(draw.integers(256, size=3, dtype=np.uint8), (8, 8, 1))
        Image.fromarray(picture).save(folder / f"{number}.png")
    recipe = DenoiserRecipe(16, (1, 2), 1, (1,), dropout=0.0, rate=1e-2)
    plan = Plan(steps=60, batch=8, warmup=5, average=0.9, held=4, validate_every=60)
    return fit(recipe, folder, folder / "net.safetensors", plan, Crop(8), "cpu")


def test_training_beats_the_normal_prior_that_it_starts_from(trained: Path) -> None:
    card = load(str(trained))[1]
    assert card["metrics"]["loss"] < 0.8
    assert card["recipe"].startswith("DenoiserRecipe(base=16, multipliers=(1, 2)")


def test_weights_are_sampled_from_by_path(trained: Path) -> None:
    fills = Diffusion(str(trained), steps=10, method="replace")
    assert repr(fills).startswith(f"Diffusion(denoiser='{trained}', steps=10")
    images = flat(0.2, 0.8)
    keep = columns(8, images)
    filled = fill(fills, images, keep, seeded())
    assert torch.equal(filled * keep, images * keep)
    assert (filled[1] - filled[0])[..., 8:].mean() > 0.05


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "vae.safetensors"
    path.write_bytes(packed(VaeNet(width=4), {"recipe": "VaeRecipe(width=4)"}))
    with pytest.raises(ValueError, match="holds a VaeNet of VaeRecipe, but a DenoiserNet"):
        Diffusion(str(path))(torch.rand(1, 3, 8, 8), torch.zeros(1, 1, 8, 8), seeded())
