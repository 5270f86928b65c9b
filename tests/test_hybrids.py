"""Hybrids and their score: closed forms, the published arithmetic, and what they cost (dac 9)."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from rather import Batch, Classifier, Counterfactual, Explanation, Question, edit, explain, measure
from rather.cost import counting
from rather.editors import PixelAscent
from rather.explainers import IntegratedGradients, RandomBlurred, Residual
from rather.infillers import Constant, Edited, Paste
from rather.metrics import Dac, Hybrids
from rather.metrics.closing import closed
from rather.metrics.mixing import area
from rather.types import Images, Labels

ASCENT = PixelAscent(steps=5, halvings=0, margin=1e3)
PLAIN = Hybrids(closing=1, blur=0.0)
ONE, OTHER = torch.tensor([1]), torch.tensor([0])
DIRECTIONS: tuple[Literal["restore", "edit"], ...] = ("restore", "edit")


class Shares(nn.Module):
    """Answers class 1 with a given probability, of the share of white in the image."""

    def __init__(self, chance: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.chance = chance

    def forward(self, images: Tensor) -> Tensor:
        chance = self.chance(images).clamp(1e-6, 1 - 1e-6)
        return torch.stack([1 - chance, chance], 1).log()


def classifier(chance: Callable[[Tensor], Tensor]) -> Classifier:
    return Classifier(Shares(chance).eval(), mean=(0.0,) * 3, std=(1.0,) * 3)


def explained(
    of: Classifier,
    heat: Tensor,
    images: Tensor,
    other: Tensor,
    target: Tensor = ONE,
    foil: Tensor = OTHER,
) -> tuple[Explanation, Counterfactual]:
    """Given heatmaps of given images against given others."""
    pair = edit(lambda *_: other, of, images, foil)
    names = tuple(map(str, range(len(images))))
    batch = Batch(images, torch.full((len(images),), -1), names)
    return explain(lambda *_: heat, of, batch, Question(target, foil)), pair


def white_on_black(height: int, width: int) -> tuple[Tensor, Tensor]:
    return torch.ones(1, 3, height, width), torch.zeros(1, 3, height, width)


def ramp(share: float) -> Classifier:
    """Class 1 grows with the share of white until it saturates."""
    return classifier(lambda images: images.mean((1, 2, 3)) / share)


@pytest.mark.parametrize(
    ("share", "published", "right"),
    [(0.05, 0.925, 0.975), (0.1, 0.85, 0.95), (0.2, 0.70, 0.90), (0.3, 0.55, 0.85)],
)
def test_published_sizes_of_colour_images_are_three_times_too_large(
    share: float, published: float, right: float
) -> None:
    images, black = white_on_black(16, 1000)
    heat = torch.linspace(1, 0.001, 1000).expand(1, 16, -1).contiguous()  # 1 at the left
    result, pair = explained(ramp(share), heat, images, black)
    found = measure(Dac.as_published(pair), ramp(share), result)
    assert float(found) == pytest.approx(published, abs=0.01)
    assert float(measure(Dac(PLAIN, pair), ramp(share), result)) == pytest.approx(right, abs=0.003)
    soft = measure(Dac(Hybrids(closing=3, blur=1.0), pair), ramp(share), result)
    assert float(soft) == pytest.approx(right, abs=0.003)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_nothing_pasted_is_one_image_and_everything_the_other(
    direction: Literal["restore", "edit"], convolutional: Classifier, batch: Batch
) -> None:
    target, foil = torch.tensor([1, 0]), torch.tensor([0, 1])
    heat, other = torch.rand(2, 8, 8), batch.images.flip(1)
    result, pair = explained(convolutional, heat, batch.images, other, target, foil)
    for settings in (Hybrids(), PLAIN, Hybrids(sweep="value", steps=9)):
        found = replace(settings, direction=direction)(convolutional, result, pair)
        restore = direction == "restore"
        wanted = target if restore else foil
        begin, end = (other, batch.images) if restore else (batch.images, other)
        chances = [
            convolutional(each).softmax(1).gather(1, wanted[:, None])[:, 0].detach()
            for each in (begin, end)
        ]
        torch.testing.assert_close(found.full, chances[1] - chances[0])
        if settings.sweep == "area":
            torch.testing.assert_close(found.gains[:, -1], found.full)
            torch.testing.assert_close(found.sizes[:, -1], torch.ones(2))
    sweep = PLAIN.swept(heat)
    none = sweep.closed(torch.tensor([0]), torch.tensor([0]))
    assert none.sum() == 1  # the smallest mask is one pixel


def test_a_mask_of_nothing_or_all_gives_either_image_exactly() -> None:
    images, black = white_on_black(12, 12)
    heat = torch.rand(1, 12, 12)
    sweep = Hybrids().swept(heat)
    last = torch.tensor([len(sweep.cuts) - 1])
    full = sweep.soft(sweep.closed(torch.tensor([0]), last))
    torch.testing.assert_close(full, torch.ones_like(full))
    assert torch.equal(torch.lerp(black, images, torch.zeros(1, 1, 12, 12)), black)
    mixed = torch.lerp(black, images, full[:, None])
    torch.testing.assert_close(mixed, images)


@pytest.mark.parametrize("side", [(3, 4), (10, 8), (16, 16)])
def test_an_answer_that_needs_a_whole_region_scores_what_the_region_leaves(
    side: tuple[int, int],
) -> None:
    images, black = white_on_black(20, 20)
    region = torch.zeros(1, 20, 20)
    region[:, 2 : 2 + side[0], 1 : 1 + side[1]] = 1
    share = float(region.mean())

    def chance(images: Tensor) -> Tensor:
        whole = (images[:, 0] >= region).flatten(1).all(1)
        return torch.where(whole, 0.9, 0.1)

    of = classifier(chance)
    result, pair = explained(of, region, images, black)
    found = PLAIN(of, result, pair)
    spacing = found.sizes[0].diff()[found.sizes[0, 1:] >= share][0]
    full = 0.8
    assert float(found.score) == pytest.approx((1 - share) * full, abs=float(spacing) / 2 + 0.005)
    first = found.sizes[0][found.sizes[0] >= share - 1e-6][0]
    assert float(found.flip.size) == pytest.approx(float(first))
    assert found.flip.found.all()
    assert (found.flip.keep[:, 0] >= region).all()
    assert torch.equal(found.flip.images, torch.lerp(black, images, found.flip.keep))


def disc(diameter: int) -> Tensor:
    reach = diameter // 2
    line = torch.arange(-reach, reach + 1)
    return ((line[:, None] ** 2 + line**2) <= reach**2).float()


def closed_slowly(mask: Tensor, diameter: int) -> Tensor:
    """Dilation by convolution, and erosion as the complement of the dilated complement."""
    kernel = disc(diameter)[None, None]
    wide = nn.functional.conv2d(mask[None, None], kernel, padding=diameter // 2) > 0
    away = nn.functional.conv2d((~wide).float(), kernel, padding=diameter // 2) > 0
    return (~away)[0, 0].float()


@pytest.mark.parametrize("diameter", [3, 5, 11])
def test_closing_levels_closes_every_mask(diameter: int) -> None:
    torch.manual_seed(0)
    levels = torch.randperm(24 * 30).view(1, 24, 30).float()
    found = closed(levels, diameter)
    for cut in (1, 5, 30, 100, 400, 720):
        mask = (levels[0] < cut).float()
        assert torch.equal((found[0] < cut).float(), closed_slowly(mask, diameter))


@pytest.mark.parametrize("diameter", [3, 5, 11])
def test_closing_contains_is_idempotent_and_commutes_with_turns(diameter: int) -> None:
    torch.manual_seed(1)
    levels = torch.rand(2, 28, 28)
    once = closed(levels, diameter)
    assert (once <= levels).all()  # whatever was below a cut still is
    assert (once < levels).any()
    assert torch.equal(closed(once, diameter), once)
    assert torch.equal(closed(levels.rot90(1, (1, 2)), diameter), once.rot90(1, (1, 2)))


def test_the_published_kernel_loses_pixels() -> None:
    levels = torch.ones(1, 40, 40)
    levels[0, 20, 20] = 0
    assert not (closed(levels, 10) < 1).any()  # an isolated pixel is gone
    assert int((closed(levels, 11) < 1).sum()) == 1
    assert torch.equal(closed(levels, 1), levels)


def test_diameters_and_blurs_grow_with_the_image() -> None:
    sizes = {28: 3, 128: 11, 256: 21}
    for height, diameter in sizes.items():
        levels = torch.rand(1, height, height)
        ranks = Hybrids(blur=0.0).swept(levels)
        wanted = Hybrids(closing=diameter, blur=0.0).swept(levels)
        assert torch.equal(ranks.levels, wanted.levels)
    usual, two = Hybrids().swept(torch.rand(1, 128, 128)), Hybrids(blur=2.0)
    assert usual.blur is not None
    fixed = two.swept(torch.rand(1, 128, 128)).blur
    assert fixed is not None
    torch.testing.assert_close(usual.blur[0], fixed[0])


def test_the_area_of_the_mean_curve_is_the_mean_of_areas() -> None:
    torch.manual_seed(0)
    sizes = torch.rand(1, 9).sort().values.expand(5, -1)
    gains, full = torch.rand(5, 9), torch.rand(5)
    together = area(sizes[:1], gains.mean(0, keepdim=True), full.mean()[None])
    torch.testing.assert_close(together[0], area(sizes, gains, full).mean())


def test_areas_are_those_of_numpy() -> None:
    import numpy as np

    torch.manual_seed(3)
    sizes, gains, full = torch.rand(4, 30) * 1.6, torch.randn(4, 30), torch.randn(4)
    grid = np.linspace(0, 1, 101)
    for row in range(4):
        x = np.concatenate([[0.0], sizes[row].numpy(), [1.0]])
        y = np.concatenate([[0.0], gains[row].numpy(), [float(full[row])]])
        order = np.argsort(x, kind="stable")
        wanted = np.trapezoid(np.interp(grid, x[order], y[order]), grid)
        assert float(area(sizes, gains, full)[row]) == pytest.approx(wanted, abs=1e-4)


def test_monotone_rescaling_changes_nothing(convolutional: Classifier, batch: Batch) -> None:
    heat, foil = torch.randn(2, 8, 8), torch.tensor([0, 1])
    task = (batch.images, batch.images.flip(3), 1 - foil, foil)
    one, pair = explained(convolutional, heat, *task)
    other, _ = explained(convolutional, 7 * heat.exp() - 3, *task)
    scores = [measure(Dac(pair=pair), convolutional, each) for each in (one, other)]
    assert torch.equal(*scores)
    values = [Dac(Hybrids(sweep="value"), pair) for _ in range(2)]
    by_value = [
        measure(metric, convolutional, each)
        for metric, each in zip(values, (one, other), strict=True)
    ]
    assert not torch.equal(*by_value)


def test_the_exact_contribution_scores_highest_of_all_rankings() -> None:
    torch.manual_seed(2)
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 2 * 3, 2)).eval()
    weights = net.get_parameter("1.weight").detach()
    weights *= 6
    of = Classifier(net, mean=(0.0,) * 3, std=(1.0,) * 3)
    images, other = torch.rand(1, 3, 2, 3), torch.rand(1, 3, 2, 3)
    share = ((weights[1] - weights[0]).view(1, 3, 2, 3) * (images - other)).sum(1)
    every = torch.tensor(list(itertools.permutations(range(6)))).float().view(-1, 2, 3)
    settings = replace(PLAIN, pair=True)
    result, pair = explained(of, share, images, other)
    best = settings(of, result, pair).score
    many = [part.repeat(len(every), 1, 1, 1) for part in (images, other)]
    labels = [label.repeat(len(every)) for label in (ONE, OTHER)]
    rankings, pairs = explained(of, every, *many, *labels)
    scores = settings(of, rankings, pairs).score
    assert float(best) == pytest.approx(float(scores.max()), abs=1e-5)
    assert float(best) > float(scores.median()) + 0.01
    exact = IntegratedGradients(Paste(other), steps=1)(of, images, Question(ONE, OTHER))
    torch.testing.assert_close(exact, share, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pairwise", [False, True])
def test_swapping_roles_maps_restoring_to_editing(
    pairwise: bool, convolutional: Classifier, batch: Batch
) -> None:
    heat, foil = torch.randn(2, 8, 8), torch.tensor([0, 1])
    settings = replace(Hybrids(), pair=pairwise)
    other = batch.images.flip(2)
    one, there = explained(convolutional, heat, batch.images, other, 1 - foil, foil)
    two, back = explained(convolutional, heat, other, batch.images, foil, 1 - foil)
    restored = settings(convolutional, one, there)
    edited = replace(settings, direction="edit")(convolutional, two, back)
    torch.testing.assert_close(restored.gains, edited.gains, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(restored.score, edited.score, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(restored.best.images, edited.best.images)
    torch.testing.assert_close(restored.best.keep, 1 - edited.best.keep)


def test_a_heatmap_costs_102_passes_and_never_more_at_once_than_a_batch(
    convolutional: Classifier,
) -> None:
    torch.manual_seed(0)
    images, foil = torch.rand(3, 3, 32, 32), torch.tensor([0, 1, 0])
    result, pair = explained(
        convolutional, torch.rand(3, 32, 32), images, images.flip(3), 1 - foil, foil
    )
    seen: list[int] = []
    handle = convolutional.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    with counting(convolutional) as cost:
        measure(Dac(Hybrids(batch=7), pair), convolutional, result)
    handle.remove()
    assert cost.backward == 0
    assert cost.forward <= 3 * 102
    assert max(seen) == 7  # the images and their counterfactuals stand among the hybrids
    assert len(seen) == -(-cost.forward // 7)
    each = len(Hybrids().swept(torch.rand(1, 224, 224)).cuts)
    assert each <= 100


@pytest.mark.parametrize("settings", [Hybrids(), Hybrids.as_in_quac(), PLAIN], ids=repr)
def test_no_score_depends_on_the_batch(
    settings: Hybrids, convolutional: Classifier, batch: Batch
) -> None:
    foil = torch.tensor([0, 1])
    task = (torch.randn(2, 8, 8), batch.images, batch.images.flip(3), 1 - foil, foil)
    result, pair = explained(convolutional, *task)
    usual = settings(convolutional, result, pair).score
    for size in (1, 5, 300):
        found = replace(settings, batch=size)(convolutional, result, pair).score
        torch.testing.assert_close(found, usual)
    alone = [explained(convolutional, *(part[row : row + 1] for part in task)) for row in (0, 1)]
    parts = [settings(convolutional, *each).score for each in alone]
    torch.testing.assert_close(torch.cat(parts), usual)


def test_scattered_pixels_close_to_most_of_the_image() -> None:
    torch.manual_seed(0)
    noise = torch.rand(8, 128, 128)
    for diameter in (10, 11):  # as published, and ours: why the score is also shown without
        share = float((closed(noise, diameter) < 0.05).float().mean())
        assert share == pytest.approx(0.77, abs=0.03)


def test_maps_that_rank_nothing_and_pairs_that_are_not_sure_have_no_score(
    convolutional: Classifier, batch: Batch
) -> None:
    foil = torch.tensor([0, 1])
    heat = torch.stack([torch.ones(8, 8), torch.rand(8, 8)])
    result, pair = explained(
        convolutional, heat, batch.images, batch.images.flip(3), 1 - foil, foil
    )
    assert measure(Dac(pair=pair), convolutional, result).isnan().tolist() == [True, False]
    sure = Dac(Hybrids(confident=0.8), pair)
    assert measure(sure, convolutional, result).isnan().all()


def test_normalised_gains_end_at_1_and_weak_edits_have_none() -> None:
    images, black = white_on_black(10, 10)
    heat = torch.rand(1, 10, 10)
    for top, expected in ((0.8, None), (0.13, "nan")):
        of = classifier(lambda images, top=top: 0.1 + (top - 0.1) * images.mean((1, 2, 3)))
        result, pair = explained(of, heat, images, black)
        found = measure(Dac(replace(PLAIN, normalise=True), pair), of, result)
        if expected == "nan":
            assert found.isnan()
        else:
            assert float(found) == pytest.approx(0.5, abs=0.01)


def test_the_best_hybrid_trades_size_against_gain() -> None:
    images, black = white_on_black(16, 100)
    heat = torch.linspace(1, 0, 100).expand(1, 16, -1).contiguous()
    of = ramp(0.2)
    result, pair = explained(of, heat, images, black)
    for optimum in ("dapi", "quac"):
        best = replace(PLAIN, optimum=optimum)(of, result, pair).best
        assert float(best.size) == pytest.approx(0.2, abs=0.02)
        assert float(best.gain) == pytest.approx(1.0, abs=0.1)
        assert best.keep[0, 0].mean() == pytest.approx(float(best.size), abs=1e-3)


def test_what_never_flips_says_so() -> None:
    images, black = white_on_black(8, 8)
    of = classifier(lambda images: 0.1 + 0.3 * images.mean((1, 2, 3)))
    result, pair = explained(of, torch.rand(1, 8, 8), images, black)
    found = Hybrids()(of, result, pair).flip
    assert not found.found
    assert found.size.isnan()
    torch.testing.assert_close(found.images, images)


def test_an_explanation_brings_its_own_pair(convolutional: Classifier, batch: Batch) -> None:
    answer = convolutional(batch.images).argmax(1)
    asked = Question(answer, 1 - answer)
    method = IntegratedGradients(Edited(ASCENT), steps=8)
    result = explain(method, convolutional, batch, asked)
    pair = edit(ASCENT, convolutional, batch.images, 1 - answer)
    own = measure(Dac(), convolutional, result)
    torch.testing.assert_close(own, measure(Dac(pair=pair), convolutional, result))
    assert not own.isnan().any()


def test_pairs_that_are_not_the_explanations_are_refused(
    convolutional: Classifier, batch: Batch
) -> None:
    foil = torch.tensor([0, 1])
    task = (torch.rand(2, 8, 8), batch.images, batch.images.flip(3), 1 - foil, foil)
    result, pair = explained(convolutional, *task)
    with pytest.raises(ValueError, match=r"explain with baseline=Edited\(editor\), or give Dac"):
        measure(Dac(), convolutional, result)
    with pytest.raises(ValueError, match="the pair is not of the explanation's images"):
        measure(Dac(pair=replace(pair, images=pair.edited)), convolutional, result)
    with pytest.raises(ValueError, match=r"was edited towards \[1, 0\], and the question's foil"):
        measure(Dac(pair=replace(pair, target=1 - foil)), convolutional, result)
    with pytest.raises(ValueError, match=r"steps=1 must be at least 2"):
        Hybrids(steps=1)


def test_an_oracle_beats_the_controls_in_both_directions() -> None:
    """A greedy map of a net that looks at one corner, against residual and random."""
    torch.manual_seed(0)
    images, other = torch.rand(4, 3, 32, 32), torch.rand(4, 3, 32, 32)
    corner = torch.zeros(32, 32)
    corner[:8, :8] = 1

    def chance(given: Images) -> Tensor:
        near = (given - images[:1]).abs().mean(1) * corner
        return torch.sigmoid(8 - 40 * near.sum((1, 2)) / corner.sum() * 3)

    of = classifier(chance)
    images = images[:1].expand(4, -1, -1, -1).clone()
    labels: tuple[Labels, Labels] = (ONE.repeat(4), OTHER.repeat(4))
    asked = Question(*labels)
    pair = edit(lambda *_: other, of, images, labels[1])
    batch = Batch(images, torch.full((4,), -1), tuple("abcd"))
    maps: dict[str, Any] = {
        "oracle": lambda *_: corner + 0.01 * torch.rand(4, 32, 32),
        "residual": Residual(Paste(other)),
        "random": RandomBlurred(),
        "flat": Residual(Constant(0.5)),
    }
    for direction in DIRECTIONS:
        metric = Dac(replace(PLAIN, direction=direction), pair)
        scores = {
            name: float(measure(metric, of, explain(each, of, batch, asked)).mean())
            for name, each in maps.items()
        }
        assert max(scores, key=lambda name: scores[name]) == "oracle"
        assert scores["oracle"] > scores["random"] + 0.1
