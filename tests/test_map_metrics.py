"""Metrics of maps themselves: similarity, robustness, concentration, kept area, variation."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity
from torch import Tensor, nn

from rather import Batch, Classifier, Explanation, Question, explain, measure
from rather.infillers import Constant, Paste
from rather.metrics import Concentration, KeptArea, RemovalCurve, Robustness, TotalVariation
from rather.metrics.curve import area, curve, shares
from rather.metrics.similarity import MEASURES, By, similarity
from rather.types import Heatmaps, Images


@dataclass(frozen=True)
class Told:
    """Answers with noise of its seed, on a slope."""

    seed: int = 0
    slope: float = 0.0

    def __call__(self, classifier: Classifier, images: Images, question: Question) -> Heatmaps:
        generator = torch.Generator().manual_seed(self.seed)
        noise = torch.randn(1, *images.shape[2:], generator=generator)
        return noise.expand(len(images), -1, -1) + self.slope * torch.arange(images.shape[3])


def told(classifier: Classifier, batch: Batch, heatmaps: Tensor) -> Explanation:
    return explain(lambda *_: heatmaps, classifier, batch)


def maps(side: int, seed: int = 0) -> Tensor:
    coarse = torch.randn(2, 1, 6, 6, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(coarse, (side, side), mode="bilinear")[:, 0]


def test_similarity_agrees_with_other_implementations() -> None:
    one, other = maps(64), maps(64, 1).round(decimals=1)  # with ties
    for row in (0, 1):
        a, b = one[row].numpy().astype(np.float64), other[row].numpy().astype(np.float64)
        expected = float(np.asarray(spearmanr(a.ravel(), b.ravel()))[0])
        assert float(similarity(one, other, "spearman")[row]) == pytest.approx(expected, abs=1e-5)
        a, b = a / np.abs(a).max(), b / np.abs(b).max()
        settings = {"win_size": 5, "data_range": 2, "use_sample_covariance": False}
        whole = structural_similarity(a, b, **settings, full=True)[1]
        ours = similarity(one, other, "ssim")[row]
        assert float(ours) == pytest.approx(whole.mean(), abs=0.01)  # borders are padded otherwise


@pytest.mark.parametrize("by", list(MEASURES))
def test_a_map_is_like_itself_and_scale_does_not_matter(by: By) -> None:
    one = maps(56)
    torch.testing.assert_close(similarity(one, one, by), torch.ones(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(similarity(one, 7 * one, by), torch.ones(2), atol=1e-3, rtol=0)
    assert (similarity(one, maps(56, 9), by) < 0.9).all()


def test_opposite_maps_have_opposite_ranks_and_equal_edges() -> None:
    one = maps(56)
    torch.testing.assert_close(similarity(one, -one, "spearman"), -torch.ones(2))
    torch.testing.assert_close(similarity(one, -one, "hog"), torch.ones(2), atol=1e-4, rtol=0)


def test_robustness_is_the_similarity_to_changed_maps(linear: Classifier, batch: Batch) -> None:
    result = explain(Told(), linear, batch)
    again = measure(Robustness("seed", (0, 0)), linear, result)
    torch.testing.assert_close(again, torch.ones(2))
    found = measure(Robustness("seed", (1, 2), "ssim"), linear, result)
    others = [Told(seed)(linear, batch.images, result.question) for seed in (1, 2)]
    each = [similarity(result.heatmaps, other, "ssim") for other in others]
    torch.testing.assert_close(found, torch.stack(each).mean(0))
    steep = measure(Robustness("slope", (50.0,)), linear, result)
    assert (steep < 0.5).all()


def test_robustness_says_what_it_cannot_change(linear: Classifier, batch: Batch) -> None:
    with pytest.raises(ValueError, match="field is one of seed, slope, not 'size'"):
        measure(Robustness("size"), linear, explain(Told(), linear, batch))
    with pytest.raises(ValueError, match="has no fields to change"):
        measure(Robustness(), linear, told(linear, batch, torch.rand(2, 8, 8)))
    with pytest.raises(ValueError, match="values is empty"):
        Robustness(values=())


def test_concentration_of_one_pixel_and_of_all(linear: Classifier, batch: Batch) -> None:
    heat = torch.zeros(2, 8, 8)
    heat[0, 3, 3] = -2.0
    heat[1] = 0.7
    result = told(linear, batch, heat)
    nothing = told(linear, batch, heat * 0)
    for metric, wanted in (
        (Concentration("gini"), [1 - 1 / 64, 0.0]),
        (Concentration("entropy"), [0.0, math.log(64)]),
        (Concentration("half"), [1 / 64, 0.5]),
    ):
        assert measure(metric, linear, result).tolist() == pytest.approx(wanted, abs=1e-6)
        assert measure(metric, linear, nothing).isnan().all()


class Share(nn.Module):
    """Log-odds of the first class: how much of the image is white, less 0.3, times 10."""

    def forward(self, images: Images) -> Tensor:
        odds = 10 * (images.mean((1, 2, 3)) - 0.3)
        return torch.stack([odds, torch.zeros_like(odds)], 1)


SHARE = Classifier(Share().eval(), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
WHITE = Batch(torch.ones(2, 3, 10, 10), torch.tensor([0, 0]), ("a", "b"))
ROWS = -torch.arange(100.0).view(1, 10, 10).expand(2, -1, -1)
BLACK = Constant(0.0)


@pytest.mark.parametrize(("level", "kept", "removed"), [(0.0, 0.3, 0.7), (2.0, 0.5, 0.5)])
def test_the_kept_area_reaches_the_level(level: float, kept: float, removed: float) -> None:
    result = told(SHARE, WHITE, ROWS)
    found = measure(KeptArea(BLACK, log_odds=level - 1e-4), SHARE, result)
    assert found.tolist() == pytest.approx([kept] * 2, abs=0.011)
    found = measure(KeptArea(BLACK, "removed", log_odds=level + 1e-4), SHARE, result)
    assert found.tolist() == pytest.approx([removed] * 2, abs=0.011)
    never = measure(KeptArea(Constant(0.5), "removed", log_odds=-1.0), SHARE, result)
    assert never.tolist() == [1, 1]  # half of it is left at the end
    nothing = KeptArea(BLACK, log_odds=8.0)  # the image itself has 7
    assert measure(nothing, SHARE, result).isnan().all()
    assert measure(TotalVariation(nothing), SHARE, result).isnan().all()


def test_whole_rows_vary_once_and_scattered_pixels_often() -> None:
    smooth, mixed = told(SHARE, WHITE, ROWS), told(SHARE, WHITE, torch.rand(2, 10, 10))
    at = KeptArea(BLACK, log_odds=2.0 - 1e-4)
    rows = measure(TotalVariation(at), SHARE, smooth)
    assert rows.tolist() == pytest.approx([0.1, 0.1])  # a border of 10 pixels over 100
    assert (measure(TotalVariation(at), SHARE, mixed) > 5 * rows).all()
    plain = measure(TotalVariation(), SHARE, smooth)
    assert plain.tolist() == pytest.approx([(9 * 10 * 10 + 10 * 9) / 99 / 100] * 2)
    assert measure(TotalVariation(), SHARE, told(SHARE, WHITE, ROWS * 0)).tolist() == [0, 0]
    scaled = measure(TotalVariation(), SHARE, told(SHARE, WHITE, 3 * ROWS + 1))
    torch.testing.assert_close(scaled, plain)


def test_the_removal_curve_is_the_mean_fall_of_log_odds() -> None:
    """White pixels go to black one by one: the log-odds fall in a straight line by 10."""
    result = told(SHARE, WHITE, ROWS)
    found = RemovalCurve(BLACK, steps=10).curve(SHARE, result)
    torch.testing.assert_close(found, torch.linspace(0, 10, 11).expand(2, -1))
    assert measure(RemovalCurve(BLACK), SHARE, result).tolist() == pytest.approx([5, 5])
    same = measure(RemovalCurve(Paste(WHITE.images)), SHARE, result)
    assert same.tolist() == pytest.approx([0, 0], abs=1e-5)


def test_curves_of_log_odds_and_of_probabilities_tell_the_same(
    linear: Classifier, batch: Batch
) -> None:
    result = told(linear, batch, torch.rand(2, 8, 8))
    likely, odds = (
        curve(linear, result, Constant(0.2), shares(4), value=value)
        for value in ("probability", "log_odds")
    )
    torch.testing.assert_close(odds.sigmoid(), likely)
    assert (area(odds, shares(4)) != 0).all()
