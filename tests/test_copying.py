"""Copying shown texture into holes: which places, what is copied, and what is left alone."""

import pytest
import torch

from rather.networks import copying
from rather.networks.copying import copied, detail, places
from rather.networks.pyramid import pull_push


def stripes(side: int = 64, period: int = 8) -> torch.Tensor:
    wave = 0.5 + 0.4 * torch.sin(torch.arange(side) * 2 * torch.pi / period)
    return wave.expand(1, 3, side, side).contiguous()


def box(side: int = 64, low: int = 24, high: int = 40) -> torch.Tensor:
    seen = torch.ones(1, 1, side, side)
    seen[..., low:high, low:high] = 0
    return seen


def test_a_place_is_shown_with_all_its_neighbours() -> None:
    known = torch.ones(1, 1, 6, 7)
    known[..., 2, 3] = 0
    found = places(known)[0, 0]
    inner = torch.zeros(6, 7)
    inner[1:-1, 1:-1] = 1
    inner[1:4, 2:5] = 0
    assert torch.equal(found, inner)


def test_a_periodic_texture_is_restored() -> None:
    images, seen = stripes(), box()
    guess = pull_push(images, seen)
    copy, where = copied(guess, seen)
    assert torch.equal(where, 1 - seen)
    assert (copy - images).abs().max() < 0.02
    assert (guess - images).abs().max() > 0.3


def test_detail_makes_up_what_a_smooth_guess_lacks() -> None:
    images, seen = stripes(), box()
    guess = pull_push(images, seen)
    copy, where = copied(guess, seen)
    added = guess + where * (detail(copy) - detail(guess))
    assert torch.equal(added * seen, guess * seen)
    wrong = ((x - images)[..., 24:40, 24:40].abs().mean() for x in (added, guess))
    assert next(wrong) < 0.4 * next(wrong)


def test_one_colour_has_no_detail() -> None:
    guess, seen = torch.full((1, 3, 64, 64), 0.3), box()
    copy, _ = copied(guess, seen)
    torch.testing.assert_close(copy, guess)
    torch.testing.assert_close(detail(copy), torch.zeros_like(guess), rtol=0, atol=1e-6)


def test_only_shown_pixels_are_copied() -> None:
    """The guess holds what no shown pixel holds, and the copy has none of it."""
    seen = box(low=16, high=48)
    shown = 0.2 + 0.6 * torch.rand(1, 3, 64, 64)
    copy, _ = copied(torch.where(seen > 0, shown, 1.0), seen)
    assert copy.max() <= 0.8 + 1e-5
    assert copy.min() >= 0.2 - 1e-5


@pytest.mark.parametrize("shown", [0.0, 1.0])
def test_without_places_or_holes_nothing_is_copied(shown: float) -> None:
    guess, seen = torch.rand(2, 3, 16, 24), torch.full((2, 1, 16, 24), shown)
    copy, where = copied(guess, seen)
    assert torch.equal(copy, guess)
    assert not where.any()


def test_an_image_without_places_leaves_its_neighbours_theirs() -> None:
    guess = torch.cat([stripes()] * 2)
    seen = torch.cat([box(), torch.zeros(1, 1, 64, 64)])
    copy, where = copied(guess, seen)
    assert torch.equal(copy[:1], copied(guess[:1], seen[:1])[0])
    assert where[0].any()
    assert not where[1].any()


def test_memory_is_bounded_and_the_bound_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    guess, seen = torch.rand(1, 3, 64, 64), box(low=16, high=48)
    whole = copied(guess, seen)[0]
    monkeypatch.setattr(copying, "PAIRS", 100)
    torch.testing.assert_close(copied(guess, seen)[0], whole)


def test_few_places_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "PLACES", 10)
    images, seen = stripes(), box()
    assert copied(pull_push(images, seen), seen)[0].isfinite().all()


def test_no_image_copies_from_another() -> None:
    """Cells offer shifts to cells below, whose place then lies beyond the lower border.

    There the next image begins in memory, and it would fit perfectly.
    """
    torch.manual_seed(0)
    guess, seen = torch.full((2, 3, 64, 64), 0.5), torch.ones(2, 1, 64, 64)
    guess[0] = 0.3 * torch.rand(3, 64, 64)
    seen[0, :, 8:52] = seen[1, :, 8:12, 8:12] = 0
    guess = torch.where(seen > 0, guess, 0.5)
    assert copied(guess, seen)[0][0, :, 8:52].max() <= 0.3


def test_neighbours_copy_from_neighbouring_places() -> None:
    """All cells in the middle ask for the same; taken literally, one cell would be repeated."""
    torch.manual_seed(0)
    seen = box(128, 32, 96)
    guess = torch.where(seen > 0, torch.rand(1, 3, 128, 128), 0.5)
    copy = copied(guess, seen)[0][..., 40:88, 40:88]
    cells = torch.nn.functional.pixel_unshuffle(copy, copying.CELL).flatten(2)[0].T
    assert len((cells * 255).round().unique(dim=0)) > 0.6 * len(cells)


def test_deep_in_a_hole_the_guess_says_what_is_copied() -> None:
    torch.manual_seed(0)
    images = 0.2 * torch.rand(1, 3, 64, 128) + 0.1
    images[..., 64:] += 0.6
    seen = torch.ones(1, 1, 64, 128)
    seen[..., 12:52, 76:116] = 0
    copy, _ = copied(pull_push(images, seen), seen)
    assert copy[..., 28:36, 92:100].min() > 0.6
