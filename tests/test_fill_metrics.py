"""Metrics of fills against answers that can be worked out by hand."""

from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from rather import Batch, Classifier, fill, measure
from rather.infillers import Constant, MeanColour
from rather.metrics import FillError, HiddenLeak, Recreation, Roms
from rather.metrics.features import distance, features, pooled
from rather.metrics.fills import drawn, span_mean
from rather.metrics.likeness import inside, psnr, ssim
from rather.variants import image_seeds

MEAN = MeanColour()


class Oracle:
    """Restores the image: it reads what it should not see."""

    reads_hidden = True

    def __call__(self, images: Tensor, keep: Tensor, generator: torch.Generator) -> Tensor:
        return images


def upper_half(images: Tensor, generator: torch.Generator) -> Tensor:
    keep = torch.ones_like(images[:, :1])
    keep[:, :, : images.shape[2] // 2] = 0
    return keep


def test_a_perfect_fill_keeps_the_answer_for_ever(linear: Classifier, batch: Batch) -> None:
    answer = linear(batch.images).softmax(1).amax(1)
    found = measure(Roms(Oracle(), segments=16, counts=4), linear, batch)
    torch.testing.assert_close(found, answer.detach())


def test_roms_is_the_mean_height_of_the_curve() -> None:
    values, share = torch.tensor([[1.0, 0.5, 0.5]]), torch.tensor([[0.1, 0.3, 0.6]])
    expected = (0.2 * 0.75 + 0.3 * 0.5) / 0.5
    torch.testing.assert_close(span_mean(values, share), torch.tensor([expected]))


def test_roms_hides_nested_superpixels_until_all_are_gone(linear: Classifier) -> None:
    seen: list[Tensor] = []

    def spy(images: Tensor, keep: Tensor, generator: torch.Generator) -> Tensor:
        seen.append(keep.clone())
        return torch.zeros_like(images)

    batch = Batch(torch.rand(1, 3, 8, 8), torch.tensor([0]), ("one",))
    measure(Roms(spy, segments=12, counts=5), linear, batch)
    keeps = torch.cat(seen)
    assert keeps.shape == (5, 1, 8, 8)
    assert (keeps[1:] <= keeps[:-1]).all()
    assert keeps[-1].sum() == 0
    assert 0 < (1 - keeps[0]).sum() < 32


def test_roms_as_published_asks_about_the_first_hybrid(batch: Batch) -> None:
    """A fill that flips the answer at once: the untouched answer dies, the first one lives."""
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)).eval()
    net[2].weight.data = torch.tensor([[0.0] * 3, [90.0] * 3])
    net[2].bias.data = torch.tensor([0.0, -10.0])
    bright = Classifier(net, mean=(0.0,) * 3, std=(1.0,) * 3)
    dark = Batch(torch.zeros(1, 3, 8, 8), torch.tensor([0]), ("dark",))
    untouched = Roms(Constant(1.0), segments=4, counts=4)
    assert measure(untouched, bright, dark) < 0.01
    assert measure(replace(untouched, reference="first"), bright, dark) > 0.99


def test_roms_refuses_a_curve_of_one_point() -> None:
    with pytest.raises(ValueError, match="Roms needs 2 counts or more"):
        Roms(counts=1)


def test_only_a_fill_that_reads_hidden_pixels_leaks(linear: Classifier, batch: Batch) -> None:
    assert measure(HiddenLeak(Constant(0.3), upper_half), linear, batch).tolist() == [0, 0]
    leak = measure(HiddenLeak(Oracle(), upper_half), linear, batch)
    assert (leak > 0.5).all()


def test_fill_errors_of_a_known_fill(linear: Classifier, batch: Batch) -> None:
    hidden = batch.images[:, :, :4]
    expected = (hidden - 0.3).abs().mean((1, 2, 3))
    found = measure(FillError(Constant(0.3), holes=upper_half), linear, batch)
    torch.testing.assert_close(found, expected)
    filled = torch.cat([torch.full_like(hidden, 0.3), batch.images[:, :, 4:]], 2)
    before, after = (
        linear(both)[torch.arange(2), batch.labels]
        - linear(both)[torch.arange(2), 1 - batch.labels]
        for both in (batch.images, filled)
    )
    found = measure(FillError(Constant(0.3), "log_odds", upper_half), linear, batch)
    torch.testing.assert_close(found, (after - before).abs().detach())


@pytest.mark.parametrize("by", ["l1", "features", "log_odds"])
def test_a_perfect_fill_has_no_error_and_no_hole_no_answer(
    by: Literal["l1", "features", "log_odds"], convolutional: Classifier, batch: Batch
) -> None:
    perfect = FillError(Oracle(), by, upper_half)
    assert measure(perfect, convolutional, batch).tolist() == [0, 0]
    nothing = FillError(Oracle(), by, lambda images, _: torch.ones_like(images[:, :1]))
    assert measure(nothing, convolutional, batch).isnan().all()


def test_an_unknown_label_asks_about_the_own_answer(linear: Classifier, batch: Batch) -> None:
    unknown = Batch(batch.images, torch.tensor([-1, -1]), batch.names, batch.regions)
    own = Batch(batch.images, linear(batch.images).argmax(1), batch.names, batch.regions)
    for metric in (FillError(by="log_odds"), Recreation(Constant(0.1))):
        assert torch.equal(measure(metric, linear, unknown), measure(metric, linear, own))


def test_recreation_is_what_is_left_above_grey(linear: Classifier, batch: Batch) -> None:
    found = measure(Recreation(Oracle()), linear, batch)
    assert batch.regions is not None
    keep = (~batch.regions[:, None]).float()
    grey = fill(MEAN, batch.images, keep, torch.Generator())
    rows = torch.arange(2)
    expected = linear(batch.images).softmax(1) - linear(grey).softmax(1)
    torch.testing.assert_close(found, expected[rows, batch.labels].detach())
    none = Batch(batch.images, batch.labels, batch.names, torch.zeros_like(batch.regions))
    assert measure(Recreation(), linear, none).isnan().all()
    with pytest.raises(ValueError, match="this dataset has no regions"):
        measure(Recreation(), linear, Batch(batch.images, batch.labels, batch.names))


def test_holes_follow_each_image_alone(batch: Batch) -> None:
    seeds = image_seeds(batch.images, 3)
    assert seeds[0] != seeds[1]
    assert image_seeds(batch.images[1:], 3) == seeds[1:]

    def scatter(images: Tensor, generator: torch.Generator) -> Tensor:
        return (torch.rand(images[:, :1].shape, generator=generator) > 0.5).float()

    both = drawn(scatter, batch.images, 0)
    assert torch.equal(both[1:], drawn(scatter, batch.images[1:], 0))
    assert not torch.equal(both[0], both[1])


def test_features_are_the_last_map_of_each_resolution() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 2),
    ).eval()
    images = torch.rand(2, 3, 8, 8)
    classifier = Classifier(net)
    maps, logits = features(classifier, images)
    assert [tuple(found.shape) for found in maps] == [(2, 4, 8, 8), (2, 6, 4, 4)]
    torch.testing.assert_close(logits, classifier(images).detach())
    torch.testing.assert_close(net[6](pooled(maps)), logits)
    assert (maps[0] >= 0).all()  # after the ReLU
    assert distance(maps, maps).tolist() == [0, 0]


def test_a_network_without_maps_is_refused(linear: Classifier) -> None:
    with pytest.raises(ValueError, match="shows no feature maps"):
        features(linear, torch.rand(1, 3, 8, 8))


def test_likeness_on_hidden_pixels_alone() -> None:
    truth = torch.rand(1, 3, 16, 16)
    keep = upper_half(truth, torch.Generator())
    spoilt = truth.clone()
    spoilt[:, :, 8:] = 0  # shown pixels do not count
    assert psnr(spoilt, truth, keep).item() == pytest.approx(100)
    spoilt[:, :, :8] = truth[:, :, :8] + 0.1
    assert psnr(spoilt, truth, keep).item() == pytest.approx(20, abs=1e-3)
    assert inside(spoilt - truth, keep).item() == pytest.approx(0.1, abs=1e-5)


def test_ssim_equals_that_of_scikit_image() -> None:
    from skimage.metrics import structural_similarity

    one, other = torch.rand(2, 1, 3, 20, 24)
    expected = structural_similarity(
        one[0].numpy(),
        other[0].numpy(),
        win_size=7,
        data_range=1.0,
        channel_axis=0,
        use_sample_covariance=False,
        full=True,
    )[1]
    inner = (slice(None), slice(3, -3), slice(3, -3))  # the borders are padded in other ways
    torch.testing.assert_close(ssim(one, other)[0][inner], torch.tensor(expected)[inner])
    torch.testing.assert_close(ssim(one, one), torch.ones_like(one))
