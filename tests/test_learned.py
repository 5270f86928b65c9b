"""The learned in-painter: its network, its weights on disk, and its place among the infillers."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from rather import fill
from rather.explainers import Occlusion
from rather.infillers import Blur, Cached
from rather.infillers.learned import Inpainter
from rather.networks import weights
from rather.networks.inpainter import FourierUNet
from rather.networks.pyramid import pull_push


def noisy_net(copies: bool = False) -> FourierUNet:
    """Every weight drawn, so that no branch is silent."""
    torch.manual_seed(0)
    net = FourierUNet((8, 8, 16), 2, copies)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return net


@pytest.fixture(params=[False, True], ids=["draws", "copies"])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    file = tmp_path / "net.safetensors"
    file.write_bytes(weights.packed(noisy_net(request.param), {"recipe": "Mine()"}))
    return str(file)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def tiles(images: torch.Tensor) -> torch.Tensor:
    """Half of the 12 px tiles are shown: places to copy from, and to copy to."""
    rough = (torch.rand(images[:, :1, ::12, ::12].shape, generator=generator()) < 0.5).float()
    return F.interpolate(rough, scale_factor=12.0)[..., : images.shape[2], : images.shape[3]]


def half(images: torch.Tensor) -> torch.Tensor:
    return (torch.rand(images[:, :1].shape, generator=generator()) < 0.5).float()


@pytest.mark.parametrize("holes", [half, tiles])
def test_hidden_pixels_never_change_the_fill(
    path: str, holes: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    images = torch.rand(2, 3, 48, 48)
    keep = holes(images)
    other = torch.where(keep > 0, images, torch.rand_like(images))
    other[0, :, 0, 0] = torch.where(keep[0, 0, 0, 0] > 0, other[0, :, 0, 0], torch.nan)
    one, two = (Inpainter(path)(x, keep, generator()) for x in (images, other))
    assert torch.equal(one, two)
    assert not torch.equal(one, Inpainter(path)(images, 1 - keep, generator()))


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (8, 8), (17, 30), (31, 9)])
def test_any_size(path: str, size: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *size)
    made = Inpainter(path)(images, half(images), generator())
    assert made.shape == images.shape
    assert made.min() >= 0
    assert made.max() <= 1


@pytest.mark.parametrize("shown", [0.0, 1.0])
def test_everything_or_nothing_hidden(path: str, shown: float) -> None:
    images = torch.rand(1, 3, 16, 16)
    keep = torch.full_like(images[:, :1], shown)
    filled = fill(Inpainter(path), images, keep, generator())
    assert filled.isfinite().all()
    if shown:
        assert torch.equal(filled, images)


def test_neighbours_in_the_batch_do_not_matter(path: str) -> None:
    images = torch.rand(5, 3, 48, 48)
    keep = tiles(images)
    together = Inpainter(path, batch=5)(images, keep, generator())
    apart = Inpainter(path, batch=2)(images, keep, generator())
    torch.testing.assert_close(together, apart, rtol=0, atol=1e-5)


def test_how_readily_it_copies_is_a_matter_of_choice(tmp_path: Path) -> None:
    file = tmp_path / "net.safetensors"
    file.write_bytes(weights.packed(noisy_net(copies=True), {}))
    images = torch.rand(1, 3, 48, 48)
    keep = tiles(images)
    never, ever = (
        Inpainter(str(file), copying)(images, keep, generator()) for copying in (-torch.inf, 9.0)
    )
    drawn = noisy_net(copies=True)(images, keep).drawn.clamp(0, 1)
    torch.testing.assert_close(never, drawn)
    assert (ever - drawn).abs().max() > 0.01


def test_untrained_it_is_the_smooth_guess() -> None:
    images = torch.rand(2, 3, 19, 16)
    keep = half(images)
    made = FourierUNet((8, 8, 16), 1)(images, keep).whole
    pad = (0, 0, 0, 5)
    guess = pull_push(F.pad(images, pad), F.pad(keep, pad))[..., :19, :]
    torch.testing.assert_close(made, guess)


def test_the_guess_keeps_what_is_shown_and_continues_it() -> None:
    ramp = torch.linspace(0, 1, 32).expand(1, 3, 32, 32).contiguous()
    keep = torch.ones(1, 1, 32, 32)
    keep[..., 10:20, 10:20] = 0
    guess = pull_push(ramp, keep)
    assert torch.equal(guess[keep.expand_as(guess) > 0], ramp[keep.expand_as(ramp) > 0])
    torch.testing.assert_close(guess, ramp, rtol=0, atol=0.08)
    assert (guess - ramp).abs().mean() < 0.004


def test_the_guess_is_grey_where_nothing_is_shown() -> None:
    assert (pull_push(torch.rand(1, 3, 9, 7), torch.zeros(1, 1, 9, 7)) == 0.5).all()


def test_the_guess_of_one_colour_is_that_colour() -> None:
    images = torch.rand(1, 3, 1, 1).expand(1, 3, 21, 13).contiguous()
    torch.testing.assert_close(pull_push(images, half(images)), images)


def test_weights_come_back_as_they_were(path: str) -> None:
    net, card = weights.load(path)
    copies = card["settings"]["copies"]
    for name, value in noisy_net(copies).state_dict().items():
        assert torch.equal(net.state_dict()[name], value)
    assert card["recipe"] == "Mine()"
    assert card["settings"] == {"widths": [8, 8, 16], "blocks": 2, "copies": copies}
    assert not any(p.requires_grad for p in net.parameters())
    assert weights.load(path)[0] is net


def test_half_weights_compute_in_full_precision(path: str, tmp_path: Path) -> None:
    small = tmp_path / "half.safetensors"
    small.write_bytes(weights.packed(noisy_net(), {}, half=True))
    assert small.stat().st_size < 0.65 * Path(path).stat().st_size
    net, _ = weights.load(str(small))
    assert all(p.dtype == torch.float32 for p in net.parameters())


def test_a_new_file_under_an_old_name_is_read_again(path: str) -> None:
    before, _ = weights.load(path)
    torch.manual_seed(1)
    Path(path).write_bytes(weights.packed(FourierUNet((8, 8, 16), 1), {}))
    after, card = weights.load(path)
    assert after is not before
    assert card["settings"]["blocks"] == 1


def test_errors_name_the_remedy(tmp_path: Path) -> None:
    images, keep = torch.rand(1, 3, 8, 8), torch.ones(1, 1, 8, 8)
    with pytest.raises(ValueError, match=r"neither a file nor shipped .*rather-inpainter"):
        Inpainter("nowhere")(images, keep, generator())
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(weights.packed(noisy_net(), {})[:-100])
    with pytest.raises(ValueError, match=r"torn.safetensors cannot be read"):
        Inpainter(str(torn))(images, keep, generator())
    bare = tmp_path / "bare.safetensors"
    save_file({"x": torch.zeros(1)}, bare)
    with pytest.raises(ValueError, match="with its model card"):
        Inpainter(str(bare))(images, keep, generator())


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ({"network": "Unheard"}, "does not know; it knows .*FourierUNet"),
        ({"network": "FourierUNet", "settings": {}}, "does not hold the tensors of FourierUNet"),
    ],
)
def test_foreign_weights_are_refused(tmp_path: Path, card: dict[str, str], message: str) -> None:
    file = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(1)}, file, {"card": json.dumps(card)})
    with pytest.raises(ValueError, match=message):
        weights.load(str(file))


def test_the_shipped_weights_are_small_and_beat_the_guess() -> None:
    file = weights.located(Inpainter().weights)
    assert file.stat().st_size <= 12_000_000
    _, card = weights.load(str(file))
    assert card["images seen"] > 0
    stripes = (torch.arange(64) % 8 < 4).float().expand(1, 3, 64, 64).contiguous()
    keep = (torch.rand(1, 1, 64, 64, generator=generator()) < 0.3).float()
    made = fill(Inpainter(), stripes, keep, generator())
    assert (made - stripes).abs().mean() < 0.8 * (pull_push(stripes, keep) - stripes).abs().mean()


def test_a_cache_on_disk_knows_a_file_that_was_trained_anew(path: str, tmp_path: Path) -> None:
    images, cached = torch.rand(1, 3, 48, 48), Cached(Inpainter(path), str(tmp_path / "cache"))
    keep = half(images)
    before = cached(images, keep, generator())
    assert torch.equal(cached(images, keep, generator()), before)
    net = noisy_net()
    with torch.no_grad():
        next(net.parameters()).mul_(2)
    Path(path).write_bytes(weights.packed(net, {"recipe": "Mine()"}))
    again = Cached(Inpainter(path), str(tmp_path / "cache"))
    now = again(images, keep, generator())
    assert torch.equal(now, Inpainter(path)(images, keep, generator()))
    assert not torch.equal(now, before)


def test_the_files_that_a_method_names_are_found_at_any_depth(path: str) -> None:
    inner = Inpainter(path)
    (found,) = weights.fingerprints(Occlusion(Cached(inner))).items()
    assert found == (path, hashlib.sha256(Path(path).read_bytes()).hexdigest())
    assert set(weights.fingerprints((inner, Inpainter()))) == {path, Inpainter().weights}
    assert weights.fingerprints((Inpainter("nowhere"), Blur(), 3)) == {}
