"""The -G methods and FIDO: closed forms, and what their specification says must hold."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

from rather import Batch, Classifier, Explainer, Question, explain
from rather.explainers import (
    Bbmp,
    Cells,
    Fido,
    Lime,
    MeaningfulPerturbation,
    Occlusion,
    Preservation,
    Rise,
)
from rather.explainers.cells import straight_through, swollen, upsampled
from rather.explainers.circle import disc
from rather.explainers.fido_loss import fido_loss
from rather.explainers.lime import kernel
from rather.infiller import fill, filler, proposer
from rather.infillers import Constant, Harmonic, KeptMean, Noise, Paste
from rather.types import Images, Keep

ASKED = Question(torch.tensor([0, 1]), torch.tensor([1, 0]))


def last(classifier: Classifier) -> nn.Linear:
    found = list(classifier.net.children())[-1]
    assert isinstance(found, nn.Linear)
    return found


def contributions(classifier: Classifier, images: Images) -> Float[Tensor, "n h w"]:
    """What each pixel adds to the score of `ASKED`, against a mid-grey one."""
    linear = last(classifier)
    slopes = (linear.weight[ASKED.target] - linear.weight[ASKED.foil]).detach()
    return (slopes.view(images.shape) * (images - 0.5)).sum(1)


@pytest.mark.parametrize("method", [Lime(samples=40), Rise(samples=40)], ids=repr)
def test_a_fill_that_gives_the_image_back_rates_nothing(
    method: Lime | Rise, linear: Classifier, batch: Batch
) -> None:
    method = replace(method, infiller=Paste(batch.images))
    if isinstance(method, Lime):
        method = replace(method, segmenter=Cells(4))
    assert explain(method, linear, batch, ASKED).heatmaps.abs().max() < 1e-4
    flat = replace(batch, images=torch.full_like(batch.images, 0.3))
    again = explain(replace(method, infiller=KeptMean()), linear, flat, ASKED)
    assert again.heatmaps.abs().max() < 1e-4


def test_lime_recovers_what_segments_add(linear: Classifier, batch: Batch) -> None:
    lime = Lime(Constant(0.5), Cells(4), samples=400, ridge=0.0)
    found = lime.fit(linear, batch.images, ASKED)
    cells = contributions(linear, batch.images).unfold(1, 2, 2).unfold(2, 2, 2).sum((3, 4))
    assert torch.allclose(found.coefficients, cells.flatten(1), atol=1e-3)
    assert found.r2.min() > 0.999
    wide = replace(lime, ridge=1e6).fit(linear, batch.images, ASKED)
    assert wide.coefficients.abs().max() < 1e-2
    assert wide.r2.max() < 0.1


def test_lime_weighs_samples_as_specified() -> None:
    weights = kernel(torch.tensor([[1.0, 0.5]]), 0.25)
    assert weights[0].tolist() == pytest.approx([1.0, 0.503], abs=1e-3)


def test_lime_rows_are_paired_and_start_whole() -> None:
    (rows,) = Lime(samples=9).rows(torch.tensor([6]))
    assert rows[0].min() == 1
    assert torch.equal(rows[1::2] + rows[2::2], torch.ones(4, 6, dtype=torch.uint8))


def test_rise_is_right_on_average(linear: Classifier, batch: Batch) -> None:
    cells = Rise(Constant(0.5), samples=6000, cells=2)
    found = explain(cells, linear, batch, ASKED).heatmaps
    truth = contributions(linear, batch.images)
    tables = cells.weights(8, batch.images)
    shared = (tables @ tables.mT).mean(0)  # how much of a cell two pixels of a side share
    both = torch.stack([found.flatten(), (shared @ truth @ shared).flatten()])
    assert torch.corrcoef(both)[0, 1] > 0.95
    assert torch.allclose(both[0], both[1], atol=0.25 * float(both[1].abs().max()))


def test_perturbation_finds_what_speaks_for_the_target(linear: Classifier, batch: Batch) -> None:
    exact = MeaningfulPerturbation(
        Constant(0.5), cells=8, smooth=0.0, jitter=0, binary=False, output="logit", area=0.64
    )
    found = explain(exact, linear, batch, ASKED).heatmaps
    gain, price = contributions(linear, batch.images), 0.64 / 64
    assert found[gain > 1.05 * price].min() > 0.99
    assert found[gain < 0.95 * price].max() < 0.01


def test_an_area_can_be_asked_for(linear: Classifier, batch: Batch) -> None:
    asked = MeaningfulPerturbation(
        Constant(0.5), cells=8, smooth=0.0, jitter=0, fraction=0.25, output="logit", binary=False
    )
    found = explain(asked, linear, batch, ASKED).heatmaps
    assert found.mean((1, 2)).tolist() == pytest.approx([0.25, 0.25], abs=0.03)


def test_straight_through_gives_the_gradient_of_the_blend(batch: Batch) -> None:
    images, slopes = batch.images, torch.randn(2, 3, 8, 8)
    grid = torch.rand(2, 1, 4, 4).requires_grad_()
    soft = upsampled(grid, images)
    keep = straight_through(soft, soft > 0.5)
    assert set(keep.unique().tolist()) <= {0.0, 1.0}
    filled = fill(Constant(0.25), images, keep, torch.Generator())
    assert torch.equal(filled.where(keep == 1, 0), images.where(keep == 1, 0))
    (found,) = torch.autograd.grad((slopes * filled).sum(), grid, retain_graph=True)
    wanted = (slopes * (images - 0.25)).sum(1, keepdim=True)
    (expected,) = torch.autograd.grad(soft, grid, wanted)
    assert torch.allclose(found, expected, atol=1e-5)


def test_published_perturbation_binarises_for_infillers_that_see_the_mask() -> None:
    assert MeaningfulPerturbation.as_published(KeptMean()).binary
    assert not MeaningfulPerturbation.as_published(Constant()).binary


def test_discs_grow_from_the_middle() -> None:
    images = torch.zeros(1, 3, 64, 64)
    small, large = (disc(images, radius, 10.0) for radius in (40.0, 120.0))
    assert small.mean() > large.mean()
    assert large[0, 0, 32, 32] < 0.01
    assert disc(images, 0.0, 10.0).min() == 1


def test_bbmp_starts_with_the_image(linear: Classifier, batch: Batch) -> None:
    seen: list[Images] = []
    watched = Classifier(linear.net, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    watched.net.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    Bbmp(Constant(0.0), steps=1)(watched, batch.images, ASKED)
    assert torch.allclose(seen[0], batch.images, atol=1e-6)


def test_bbmp_leaves_a_start_where_the_infiller_sees_everything(
    linear: Classifier, batch: Batch
) -> None:
    stuck = Bbmp.as_published(Harmonic())
    stuck = replace(stuck, objective="sdr", cell=2, steps=40, area=1e-3)
    found = replace(stuck, explore=True)
    assert (stuck(linear, batch.images, ASKED) == -0.5).all()
    heat = found(linear, batch.images, ASKED)
    gone = torch.where(heat[:, None] > 0, 0.5, batch.images)
    assert 0.1 < (heat > 0).float().mean() < 0.9
    assert (ASKED.score(linear(gone)) < ASKED.score(linear(batch.images)) - 0.02).all()


@pytest.mark.parametrize("objective", ["ssr", "sdr"])
def test_fido_finds_the_pixels_that_pay(objective: str, linear: Classifier, batch: Batch) -> None:
    assert objective in ("ssr", "sdr")
    area = 64 * 0.02
    fido = Fido.as_published(Constant(0.5), objective)
    found = explain(replace(fido, cell=1, area=area), linear, batch, ASKED).heatmaps
    gain, price = contributions(linear, batch.images), area / 64
    assert found[gain > 2 * price].min() > 0.4
    assert found[gain < price / 2].max() < -0.4


def test_fido_samples_keep_with_the_probability_it_learns() -> None:
    drop = torch.tensor([0.1, 0.5, 0.9]).view(1, 1, 1, 3)
    for temperature in (0.1, 2.0):
        fido = Fido(temperature=temperature, noise="pixel")
        masks = fido.sampled(drop, drop, 100_000, 0)
        shares = (masks > 0.5).float().mean((0, 1, 2, 3))
        assert shares.tolist() == pytest.approx([0.9, 0.5, 0.1], abs=0.01)


def test_the_area_is_priced_as_published() -> None:
    drop = torch.rand(1, 1, 224, 224)
    price = float(Fido().price(drop))
    assert price == pytest.approx(1e-3 * float((1 - drop).sum()), rel=1e-4)
    assert float(Fido(objective="sdr").price(drop)) == pytest.approx(50.176 - price, rel=1e-3)


@pytest.mark.parametrize("antithetic", [True, False])
def test_samples_change_the_variance_alone(
    antithetic: bool, linear: Classifier, batch: Batch
) -> None:
    def slope(samples: int, antithetic: bool, steps: int) -> Tensor:
        fido = Fido(Constant(0.5), samples=samples, antithetic=antithetic, temperature=1.0)
        images, total = batch.images, torch.zeros(2, 1, 8, 8)
        drop = torch.full((2, 1, 8, 8), 0.3)
        for step in range(steps):
            masks = fido.sampled(drop, drop, samples, step)
            made = fido.proposed(images, masks, step)
            total += fido.slopes(linear, images, ASKED, masks, made).mul(masks).sum(0)
        return total / steps

    assert torch.allclose(slope(2, antithetic, 800), slope(8, False, 800), atol=0.02)


def test_fido_together_is_fido_apart_though_one_is_done_earlier(
    linear: Classifier, batch: Batch
) -> None:
    fido = Fido(KeptMean(), cell=2, levels=1, steps=60, rate=0.5, area=4.0, warmup=2, refresh=25)
    fido, images = replace(fido, tolerance=0.02, noise="pixel"), batch.images
    sizes: list[int] = []
    handle = linear.net.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    both = fido(linear, images, ASKED)
    handle.remove()
    assert sorted(set(sizes)) == [4, 8]  # one went on alone
    for row in range(2):
        alone = fido(linear, images[row : row + 1], ASKED.at(torch.tensor([row])))
        assert torch.allclose(alone[0], both[row], atol=1e-5)


def test_fido_draws_cells_and_pays_late_where_the_infiller_reads_the_mask() -> None:
    for infiller, grain, rise in ((Constant(0.5), "pixel", 8), (KeptMean(), "cell", 37)):
        fido = Fido(infiller)
        assert (fido.grain, fido.rise) == (grain, rise)
        asked = replace(fido, noise="pixel", warmup=5)
        assert (asked.grain, asked.rise) == ("pixel", 5)
    published = Fido.as_published(KeptMean())
    assert (published.grain, published.rise) == ("pixel", 30)
    assert Fido(KeptMean(), steps=1).rise == 1


def test_antithetic_masks_are_opposite_pairs() -> None:
    even = torch.full((1, 1, 4, 4), 0.5)
    masks = Fido(samples=6, noise="pixel").sampled(even, even, 6, 0)
    assert masks.shape == (6, 1, 1, 4, 4)
    assert torch.allclose(masks[:3] + masks[3:], torch.ones(3, 1, 1, 4, 4), atol=1e-5)


def test_a_binary_mask_keeps_what_is_above_the_threshold(batch: Batch) -> None:
    method = MeaningfulPerturbation(Constant(0.0), cells=8, jitter=0)
    grid = torch.full((2, 1, 8, 8), 0.6)
    grid[..., 4:] = 0.4
    hidden = method.hidden(batch.images, grid, 0, proposer(method.infiller, batch.images, 0))
    assert torch.equal(hidden[..., :4], batch.images[..., :4])
    assert hidden[..., 4:].abs().max() == 0


def test_fido_stops_where_nothing_moves(linear: Classifier, batch: Batch) -> None:
    calls: list[int] = []
    linear.net.register_forward_pre_hook(lambda _, given: calls.append(len(given[0])))
    Fido(Constant(0.5), tolerance=1.0)(linear, batch.images, ASKED)
    assert len(calls) == 10


def test_the_loss_of_a_whole_image_is_its_price_less_its_log_odds(
    linear: Classifier, batch: Batch
) -> None:
    whole, fido = torch.full((2, 8, 8), 0.5), Fido(Constant(0.5))
    found = fido_loss(fido, linear, batch.images, ASKED, whole, samples=4)
    expected = fido.area - ASKED.log_odds(linear(batch.images))
    assert torch.allclose(found, expected, atol=1e-2)


@dataclass(frozen=True)
class Spy:
    """Proposes noise, ignores the mask, and remembers what it was shown and what it answered."""

    uses_keep: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True
    shown: list[Keep] = field(default_factory=list)
    made: list[Images] = field(default_factory=list)

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        self.shown.append(keep)
        one = torch.rand(images.shape[1:], generator=generator)
        self.made.append(one.expand(images.shape))
        return self.made[-1]


@pytest.mark.parametrize(("refresh", "calls"), [(1, 12), (2, 8)])
def test_fido_draws_anew_for_every_mask_where_the_fill_is_random(
    refresh: int, calls: int, linear: Classifier, batch: Batch
) -> None:
    spy = Spy()
    Fido(spy, steps=3, samples=4, refresh=refresh)(linear, batch.images, ASKED)
    assert len(spy.made) == calls
    assert len({float(made[0, 0, 0, 0]) for made in spy.made}) == calls
    assert all(set(keep.unique().tolist()) <= {0.0, 1.0} for keep in spy.shown)
    assert all(not keep.requires_grad for keep in spy.shown)


def test_masks_and_random_fills_have_nothing_in_common() -> None:
    images = torch.full((1, 3, 64, 64), 0.5)
    even = torch.full((1, 1, 64, 64), 0.5)
    fido = Fido(Noise(), antithetic=False)
    for step in (0, 7):
        masks = fido.sampled(even, even, 2, step)
        made = fido.proposed(images, masks, step)
        for red in made[:, 0, 0].flatten(1):
            for mask in masks[:, 0, 0].flatten(1):
                assert torch.corrcoef(torch.stack([red, mask]))[0, 1].abs() < 0.06


def test_fido_pays_nothing_at_its_first_step(linear: Classifier, batch: Batch) -> None:
    def after(steps: int, area: float, warmup: int) -> Tensor:
        fido = Fido(Constant(0.5), steps=steps, area=area, warmup=warmup)
        return fido(linear, batch.images, ASKED)

    assert torch.equal(after(1, 0.0, 2), after(1, 1e6, 2))
    assert not torch.allclose(after(2, 0.0, 2), after(2, 1e6, 2))


def test_fido_joint_keeps_what_pays_twice(linear: Classifier, batch: Batch) -> None:
    """With one mask for both sides of a linear score, a pixel gains twice what it adds."""
    area = 64 * 0.04
    fido = replace(Fido.as_published(Constant(0.5), "joint"), cell=1, area=area)
    found = explain(fido, linear, batch, ASKED).heatmaps
    gain, price = contributions(linear, batch.images), area / 64 / 2
    assert (gain > 2 * price).any()
    assert found[gain > 2 * price].min() > 0.4
    assert found[gain < price / 2].max() < -0.4


@pytest.mark.parametrize("objective", ["ssr", "sdr"])
def test_bbmp_finds_the_pixels_that_pay(objective: Any, linear: Classifier, batch: Batch) -> None:
    area = 64 * 0.02
    bbmp = Bbmp(Constant(0.5), objective, cell=1, area=area)
    found = explain(bbmp, linear, batch, ASKED).heatmaps
    gain, price = contributions(linear, batch.images), area / 64
    assert found[gain > 2 * price].min() > 0.4
    assert found[gain < price / 2].max() < -0.4


def test_bbmp_blends_a_pixel_that_is_seen_with_what_would_stand_there_alone(
    batch: Batch, linear: Classifier
) -> None:
    """The infiller alters shown pixels too, as networks do; no blend may have that in it."""

    def altering(images: Images, keep: Keep, generator: torch.Generator) -> Images:
        return torch.where(keep > 0.5, 0.9, 0.25).expand(images.shape)

    seen: list[Images] = []
    watched = Classifier(linear.net, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    watched.net.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    Bbmp(altering, cell=8, steps=2, rate=0.2, area=1e3)(watched, batch.images, ASKED)
    assert torch.allclose(seen[1], torch.lerp(torch.tensor(0.25), batch.images, 0.8), atol=1e-5)


def test_uncentred_rise_gives_every_pixel_the_mean_answer(linear: Classifier, batch: Batch) -> None:
    rise = Rise(Paste(batch.images), samples=3000, cells=2, centred=False, share=0.3)
    found = explain(rise, linear, batch, ASKED).heatmaps
    score = ASKED.score(linear(batch.images))[:, None, None].expand(found.shape)
    assert torch.allclose(found, score, rtol=0.15)


def test_several_seeds_of_lime_are_averaged(linear: Classifier, batch: Batch) -> None:
    lime = Lime(Constant(0.5), Cells(4), samples=20)
    both = replace(lime, seeds=2)(linear, batch.images, ASKED)
    alone = [replace(lime, seed=seed)(linear, batch.images, ASKED) for seed in (0, 1)]
    assert not torch.allclose(alone[0], alone[1], atol=1e-3)
    assert torch.allclose(both, (alone[0] + alone[1]) / 2, atol=1e-6)


def test_an_explanation_tells_how_well_lime_fits(linear: Classifier, batch: Batch) -> None:
    lime = Lime(Constant(0.5), Cells(4), samples=40)
    found = explain(lime, linear, batch, ASKED)
    wanted = lime.fit(linear, batch.images, ASKED).r2
    assert torch.equal(found.notes["weighted R2 of the fit"], wanted)


def test_it_is_noted_how_much_is_hidden_at_once(linear: Classifier, batch: Batch) -> None:
    found = explain(Occlusion(size=2, stride=2), linear, batch, ASKED).notes
    assert found["share hidden at once, mean"].tolist() == pytest.approx([1 / 16, 1 / 16])
    rise = explain(Rise(samples=400, share=0.3), linear, batch, ASKED).notes
    assert rise["share hidden at once, mean"].tolist() == pytest.approx([0.7, 0.7], abs=0.03)
    assert not explain(Fido(Constant(), steps=1), linear, batch, ASKED).notes


def test_it_is_noted_how_far_answers_spread_over_draws(linear: Classifier, batch: Batch) -> None:
    drawn = Occlusion(Noise(), size=4, stride=4, draws=3)  # four squares
    squares = torch.eye(4).view(4, 1, 2, 2).repeat_interleave(4, 2).repeat_interleave(4, 3)
    keep, row = (1 - squares).repeat(2, 1, 1, 1), torch.arange(2).repeat_interleave(4)
    fills = [filler(drawn.infiller, batch.images, 0, draw)(row, keep) for draw in range(3)]
    values = torch.stack([ASKED.at(row).score(linear(filled)) for filled in fills])
    wanted = values.std(0).view(2, 4).mean(1)
    found = explain(drawn, linear, batch, ASKED).notes
    assert found["spread over draws, mean"].tolist() == pytest.approx(wanted.tolist(), rel=1e-4)
    assert wanted.min() > 0.01
    for method in (replace(drawn, draws=1), replace(drawn, infiller=Constant(0.5))):
        assert "spread over draws, mean" not in explain(method, linear, batch, ASKED).notes


def test_a_mask_that_rounding_lifts_above_one_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """As torch's interpolation does at some sizes, and products of matrices may on some devices."""
    images, grid = torch.rand(1, 3, 19, 19), torch.ones(1, 1, 28, 28)
    name = "rather.explainers.meaningful_perturbation.upsampled"
    monkeypatch.setattr(name, lambda *_: torch.full((1, 1, 19, 19), 1.0000001))
    method = MeaningfulPerturbation(cells=28, binary=False, jitter=0)
    assert torch.allclose(
        method.hidden(images, grid, 0, proposer(method.infiller, images, 0)), images, atol=1e-5
    )


def test_the_middle_of_a_masks_values_is_its_threshold_as_published() -> None:
    method = MeaningfulPerturbation.as_published(KeptMean())
    soft = torch.tensor([[0.6, 1.0], [0.1, 0.5]]).view(2, 1, 1, 2)
    cut = method.cut(soft)
    assert isinstance(cut, Tensor)
    assert cut.flatten().tolist() == pytest.approx([0.8, 0.5])


def test_odds_stay_finite_where_the_answer_is_sure() -> None:
    logits = torch.tensor([[300.0, 0.0, -5.0], [0.0, 300.0, 1.0]])
    odds = Question(torch.tensor([0, 0])).log_odds(logits)
    assert odds.tolist() == pytest.approx([299.99, -300.0], abs=0.01)


class Tiles(nn.Module):
    """Sees how bright one tile of 8 pixels is."""

    def forward(self, images: Images) -> Tensor:
        mean = images[:, :, 8:16, 16:24].mean((1, 2, 3))
        return torch.stack([20 * (mean - 0.5), torch.zeros_like(mean)], 1)


def oracle(images: Images, keep: Keep, generator: torch.Generator) -> Images:
    """A tile of which one pixel is shown is known."""
    tiles = nn.functional.max_pool2d(images.where(keep > 0.5, -1), 8)
    known = nn.functional.interpolate(tiles, scale_factor=8)
    return known.where(known >= 0, 0.5)


def test_an_infiller_that_knows_more_needs_to_see_less() -> None:
    torch.manual_seed(0)
    colours = torch.rand(1, 3, 4, 4)
    colours[..., 1, 2] = 0.85
    images = nn.functional.interpolate(colours, scale_factor=8)
    asked = Question(torch.tensor([0]), torch.tensor([1]))
    kept = {}
    for name, infiller in (("oracle", oracle), ("grey", Constant(0.5))):
        fido = replace(Fido.as_published(infiller), area=2.0, map_from="probability")
        classifier = Classifier(Tiles().eval(), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
        heat = explain(
            fido, classifier, Batch(images, torch.tensor([0]), ("tiles",)), asked
        ).heatmaps
        kept[name] = float(heat.mean()) + 0.5
        row, column = divmod(int(heat.flatten().argmax()), 32)
        assert (row // 8, column // 8) == (1, 2)
        score = 2.0 * kept[name] - float(fido_loss(fido, classifier, images, asked, heat))
        assert score >= 6.5
    assert kept["oracle"] < 0.05
    assert kept["grey"] > 0.15


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Fido(samples=3), "samples=3 cannot be paired"),
        (lambda: Fido(temperature=0.0), "temperature must be above 0"),
        (lambda: Fido(steps=0), "steps must be at least 1, but is 0"),
        (lambda: Lime(samples=2), "samples is 2"),
        (lambda: Lime(kernel_width=0.0), "kernel_width=0.0 must be above 0"),
        (lambda: Rise(share=1.0), "share is 1.0"),
        (lambda: Rise(draws=0), "draws must be at least 1"),
        (lambda: Bbmp(cell=0), "cell=0"),
        (lambda: MeaningfulPerturbation(fraction=1.5), "fraction is 1.5"),
        (lambda: MeaningfulPerturbation(cells=1), "cells=1 must be at least 2"),
    ],
)
def test_bad_fields_are_refused(make: Callable[[], Explainer], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("sizes", [((7, 5), (28, 31)), ((3, 3), (3, 4)), ((1, 2), (6, 2))], ids=str)
def test_cells_are_upsampled_as_torch_does(
    sizes: tuple[tuple[int, int], tuple[int, int]], corners: bool
) -> None:
    cells, pixels = sizes
    grid = torch.rand(2, 1, *cells, dtype=torch.double, requires_grad=True)
    ours = upsampled(grid, torch.zeros(2, 3, *pixels), corners=corners)
    torchs = nn.functional.interpolate(grid, pixels, mode="bilinear", align_corners=corners)
    torch.testing.assert_close(ours, torchs)
    weights = torch.rand_like(ours)
    slopes = [torch.autograd.grad((each * weights).sum(), grid)[0] for each in (ours, torchs)]
    torch.testing.assert_close(*slopes)


def test_a_swollen_cell_is_smooth_and_as_strong_as_it_was() -> None:
    grid = torch.zeros(2, 1, 7, 5)
    grid[0, 0, 3, 2], grid[1] = 0.8, 0.3
    made = swollen(grid, torch.zeros(2, 3, 70, 50))
    assert float(made[0].max()) == pytest.approx(0.8)
    peak = divmod(int(made[0].argmax()), 50)
    assert peak in {(row, column) for row in (34, 35) for column in (24, 25)}
    down, across = made[0, 0, 35:45, 25], made[0, 0, 35, 25:35]  # a Gaussian of a cell's width
    expected = 0.8 * torch.exp(-(((torch.arange(10) + 0.5) / 10) ** 2) / 2)
    torch.testing.assert_close(down, expected, rtol=0.02, atol=0)
    torch.testing.assert_close(across, expected, rtol=0.05, atol=0)  # a border is nearer
    torch.testing.assert_close(made[1], torch.full((1, 70, 50), 0.3))
    assert swollen(torch.zeros(1, 1, 3, 3), torch.zeros(1, 3, 9, 9)).abs().max() == 0


def test_an_extremal_mask_is_smooth_and_hides_the_share_asked_for(linear: Classifier) -> None:
    images = torch.full((2, 3, 8, 8), 0.9)
    method = MeaningfulPerturbation(
        Constant(0.1), cells=4, upsample="smooth", fraction=0.25, binary=False, jitter=0, smooth=0.0
    )
    heat = method(linear, images, ASKED)
    assert heat.mean((1, 2)).tolist() == pytest.approx([0.25, 0.25], abs=0.07)
    assert heat.min() >= 0
    assert heat.amax((1, 2)).tolist() == pytest.approx([1, 1], abs=0.05)
    steps = torch.maximum(heat.diff(dim=1).abs().amax(), heat.diff(dim=2).abs().amax())
    assert steps < 0.5  # two pixels a cell; with "nearest" a step is 1


def test_what_was_first_upsampled_without_a_gradient_has_one_later() -> None:
    with torch.inference_mode():
        upsampled(torch.rand(1, 1, 11, 13), torch.zeros(1, 3, 37, 41))
    grid = torch.rand(1, 1, 11, 13, requires_grad=True)
    made = upsampled(grid, torch.zeros(1, 3, 37, 41))
    (slope,) = torch.autograd.grad(made.sum(), grid)
    assert float(slope.sum()) == pytest.approx(37 * 41, rel=1e-5)


def test_a_fill_that_no_mask_changes_is_asked_once(convolutional: Classifier, batch: Batch) -> None:
    asked: list[int] = []

    @dataclass(frozen=True)
    class Counted:
        uses_keep: ClassVar[bool] = False
        stochastic: bool = False

        def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
            asked.append(len(images))
            return images.mean((2, 3), keepdim=True).expand_as(images)

    for method in (
        MeaningfulPerturbation(Counted(), steps=5, cells=4),
        Bbmp(Counted(), steps=5),
        Preservation(Counted(), steps=5),
    ):
        asked.clear()
        method(convolutional, batch.images, ASKED)
        once = len(asked)
        asked.clear()
        replace(method, infiller=Counted(stochastic=True))(convolutional, batch.images, ASKED)
        assert once <= 2 < 5 <= len(asked)
