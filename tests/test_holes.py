"""Masks of all the shapes in which explainers hide pixels."""

from dataclasses import fields

import pytest
import torch

from rather.data import holes
from rather.data.holes import HoleMixture


def images(n: int, height: int = 32, width: int = 40) -> torch.Tensor:
    return torch.rand(n, 3, height, width, generator=torch.Generator().manual_seed(0))


def drawn(mixture: HoleMixture, n: int, seed: int = 0, **size: int) -> torch.Tensor:
    return mixture(images(n, **size), torch.Generator().manual_seed(seed))


def only(kind: str) -> HoleMixture:
    shares = {f.name: float(f.name == kind) for f in fields(HoleMixture)[:6]}
    return HoleMixture(**shares)


def test_masks_are_binary_and_hide_five_to_ninety_five_percent() -> None:
    keep = drawn(HoleMixture(nothing=0.0, boxes=0.3), 300)
    assert set(keep.unique().tolist()) == {0.0, 1.0}
    hidden = 1 - keep.mean((1, 2, 3))
    assert hidden.min() >= 0.05
    assert hidden.max() <= 0.95
    assert hidden.std() > 0.15


def test_shares_are_as_stated() -> None:
    whole = (drawn(HoleMixture(), 400).sum((1, 2, 3)) == 0).float().mean().item()
    assert whole == pytest.approx(0.05, abs=0.02)
    speckled = (_edges(drawn(HoleMixture(), 400)) > 0.15).float().mean().item()
    assert speckled == pytest.approx(0.15, abs=0.08)  # single pixels, and tiles of 4 of them


def test_nothing_shows_nothing() -> None:
    assert drawn(only("nothing"), 3).sum() == 0


def test_a_mask_depends_on_the_generator_alone_and_not_on_neighbours() -> None:
    mixture = HoleMixture()
    assert torch.equal(drawn(mixture, 8, seed=3), drawn(mixture, 8, seed=3))
    assert not torch.equal(drawn(mixture, 8, seed=3), drawn(mixture, 8, seed=4))
    x = images(8)
    other = torch.cat([x[:4], 1 - x[4:]])
    one, two = (mixture(y, torch.Generator().manual_seed(5)) for y in (x, other))
    assert torch.equal(one[:4], two[:4])


def test_boxes_have_sides_from_an_eighth_to_a_half() -> None:
    for seed in range(50):
        hole = holes.boxes(images(1)[0], torch.Generator().manual_seed(seed))
        rows, columns = hole.any(1).sum().item(), hole.any(0).sum().item()
        assert rows >= 4
        assert columns >= 5
        assert hole.float().mean() <= 1.0
    one = [holes.boxes(images(1)[0], torch.Generator().manual_seed(s)).sum() for s in range(200)]
    assert min(one) >= 4 * 5


def test_pixels_are_hidden_one_by_one_at_the_drawn_rate() -> None:
    hidden = 1 - drawn(only("pixels"), 200).mean((1, 2, 3))
    assert hidden.mean().item() == pytest.approx(0.5, abs=0.06)
    assert _edges(drawn(only("pixels"), 20)).mean() > 0.2


def test_tiles_are_squares_of_four_pixels_or_more() -> None:
    for seed in range(20):
        labels = holes.tiles(images(1, 64, 64)[0], torch.Generator().manual_seed(seed))
        inner = labels.flatten().bincount().max().sqrt()
        assert inner == inner.round()
        assert 4 <= inner <= 16


def test_superpixels_follow_colour() -> None:
    photo = torch.zeros(3, 32, 32)
    photo[:, :, 16:] = 1
    labels = holes.superpixels(photo, torch.Generator().manual_seed(0))
    assert labels.unique().numel() >= 10
    dark, bright = set(labels[:, :15].unique().tolist()), set(labels[:, 17:].unique().tolist())
    assert not dark & bright


def test_superpixels_recentre() -> None:
    points = torch.tensor([[0.0], [1.0], [10.0], [12.0]])
    centres = torch.tensor([[0.0], [9.0], [100.0]])
    owner = holes._nearest(points, centres)
    assert owner.tolist() == [0, 0, 1, 1]
    assert holes._means(points, owner, centres).flatten().tolist() == [0.5, 11.0, 100.0]


@pytest.mark.parametrize("kind", [f.name for f in fields(HoleMixture)[:6]])
@pytest.mark.parametrize("size", [(1, 1), (3, 7), (28, 28)])
def test_any_size(kind: str, size: tuple[int, int]) -> None:
    keep = drawn(only(kind), 2, height=size[0], width=size[1])
    assert keep.shape == (2, 1, *size)


def test_shares_must_sum_to_one() -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        HoleMixture(boxes=0.9)


def _edges(keep: torch.Tensor) -> torch.Tensor:
    """How often horizontal neighbours differ: high for single pixels, low for large shapes."""
    return (keep[..., 1:] != keep[..., :-1]).float().mean((1, 2, 3))
