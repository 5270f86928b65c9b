"""Metrics of edits, one by one and as sets: closed forms."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

from rather import Batch, Classifier, Counterfactual, Editor, edit, measure
from rather.editors import PixelAscent
from rather.metrics import (
    ChangedShare,
    Closeness,
    Confidence,
    Cout,
    Diversity,
    FlipRate,
    Perceptual,
    TransferValidity,
    fid,
    kid,
    penultimate,
    survives_8bit,
)
from rather.types import Images, Labels

ASCENT = PixelAscent(steps=5, halvings=0, margin=1e3)
AFTER = torch.tensor([[0.0, 3.0, 1.0], [2.0, 0.0, 1.0]])


def pair(images: Tensor, edited: Tensor, after: Tensor = AFTER) -> Counterfactual:
    before = torch.tensor([[2.0, 0.0, 1.0], [2.0, 0.0, 1.0]])
    return Counterfactual(images, edited, torch.tensor([1, 1]), before, after, ASCENT)


def test_flips_and_confidence_are_of_the_second_answer(linear: Classifier, batch: Batch) -> None:
    made = pair(batch.images, batch.images)
    assert measure(FlipRate(), linear, made).tolist() == [1.0, 0.0]
    chance = AFTER.softmax(1)[:, 1]
    torch.testing.assert_close(measure(Confidence(), linear, made), chance)
    assert measure(Confidence("margin"), linear, made).tolist() == [2.0, -2.0]


def test_a_flip_of_an_adversarial_edit_does_not_transfer(batch: Batch) -> None:
    def net(part: slice) -> Classifier:
        layer = nn.Linear(192, 2)
        layer.weight.data.zero_()
        layer.weight.data[1].view(3, 8, 8)[:, part] = 1
        layer.bias.data = torch.tensor([48.0, 0.0])
        return Classifier(
            nn.Sequential(nn.Flatten(), layer).eval(), mean=(0.0,) * 3, std=(1.0,) * 3
        )

    own, judge = net(slice(0, 4)), net(slice(4, 8))
    edited = torch.zeros_like(batch.images)
    edited[0, :, :4] = 1  # flips the classifier, and not the judge
    edited[1] = 1
    made = edit(lambda *_: edited, own, batch.images * 0, torch.tensor([1, 1]))
    assert measure(FlipRate(), own, made).tolist() == [1.0, 1.0]
    metric = TransferValidity(judge)
    judge.name = "another"
    assert measure(metric, own, made).tolist() == [0.0, 1.0]
    assert repr(metric) == "TransferValidity(judge='another')"


def test_closeness_by_both_norms(linear: Classifier) -> None:
    images = torch.zeros(2, 3, 4, 4)
    edited = images.clone()
    edited[0, :, 0, 0], edited[1] = 0.8, 0.1
    made = pair(images, edited)
    torch.testing.assert_close(measure(Closeness(), linear, made), torch.tensor([0.05, 0.1]))
    torch.testing.assert_close(measure(Closeness("l2"), linear, made), torch.tensor([0.2, 0.1]))


def test_the_changed_share(linear: Classifier) -> None:
    images = torch.zeros(2, 3, 4, 5)
    edited = images.clone()
    edited[0, 1, :2, :2] = 0.06  # 4 of 20 pixels, in one channel
    edited[0, :, 3] = 0.04  # below what counts
    made = pair(images, edited)
    torch.testing.assert_close(measure(ChangedShare(), linear, made), torch.tensor([0.2, 0.0]))
    edited[:] = 0
    edited[0, :, 0, 0], edited[0, :, 0, 1], edited[0, :, 0, 2] = 0.5, 0.41, 0.09
    found = measure(ChangedShare("mass"), linear, pair(images, edited))
    torch.testing.assert_close(found, torch.tensor([0.1, 0.0]))  # two of 20 hold 91 %


def margins(classifier: Classifier, images: Tensor) -> Tensor:
    chances = classifier(images).softmax(1).detach()
    return chances[:, 1] - chances[:, 0]


def test_cout_of_an_unchanged_image_is_its_margin(linear: Classifier, batch: Batch) -> None:
    before = linear(batch.images).detach()
    leads = [before.argmax(1), 1 - before.argmax(1)]
    made = edit(lambda *_: batch.images, linear, batch.images, leads[1])
    chances = before.softmax(1)
    gap = chances.gather(1, leads[1][:, None]) - chances.gather(1, leads[0][:, None])
    torch.testing.assert_close(measure(Cout(), linear, made), gap[:, 0])


def test_cout_of_a_flip_in_the_first_step() -> None:
    class Corner(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            lit = images[:, 0, 0, 0]
            return torch.stack([1 - lit, 2 * lit], 1)

    corner = Classifier(Corner().eval(), mean=(0.0,) * 3, std=(1.0,) * 3)
    images = torch.zeros(1, 3, 10, 10)
    edited = images.clone()
    edited[:, :, 0, 0] = 1  # the one pixel that changes
    made = edit(lambda *_: edited, corner, images, torch.tensor([1]))
    before, after = (margins(corner, each) for each in (images, edited))
    found = measure(Cout(), corner, made)
    torch.testing.assert_close(found, 0.99 * after + 0.01 * before)
    assert -1 <= float(found) <= 1


def test_cout_asks_51_times(linear: Classifier, batch: Batch) -> None:
    from rather.cost import counting

    made = edit(ASCENT, linear, batch.images, torch.tensor([0, 1]))
    with counting(linear) as cost:
        measure(Cout(), linear, made)
    assert cost.forward == 2 * 51


def test_perceptual_distance_of_a_copy_is_0(convolutional: Classifier, batch: Batch) -> None:
    made = pair(batch.images, batch.images)
    assert not measure(Perceptual(), convolutional, made).any()
    other = replace(made, edited=batch.images.flip(1))
    assert (measure(Perceptual(), convolutional, other) > 0).all()
    one = measure(Perceptual(layers=(0,)), convolutional, other)
    torch.testing.assert_close(one, measure(Perceptual(), convolutional, other))  # it has one


@dataclass(frozen=True)
class Shade:
    """Grey of a shade that the seed chooses."""

    seed: int = 0

    def __call__(self, classifier: Classifier, images: Images, target: Labels) -> Images:
        return torch.full_like(images, 0.1 + 0.2 * self.seed)


@pytest.mark.parametrize(("editor", "wanted"), [(Shade(), 0.4 * 2 / 3), (ASCENT, 0.0)])
def test_diversity_is_the_mean_distance_of_pairs(
    editor: Editor, wanted: float, linear: Classifier, batch: Batch
) -> None:
    made = edit(editor, linear, batch.images, torch.tensor([0, 1]))
    found = measure(Diversity(count=3, by="l1"), linear, made)
    torch.testing.assert_close(found, torch.full((2,), wanted))
    with pytest.raises(ValueError, match="count is 1; the distance of edits needs at least 2"):
        Diversity(count=1)


def test_edits_smaller_than_a_bit_do_not_survive_storage(batch: Batch) -> None:
    class Above(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            mean = images.mean((1, 2, 3))
            return torch.stack([torch.zeros_like(mean), (mean - 0.499) * 1e4], 1)

    above = Classifier(Above().eval(), mean=(0.0,) * 3, std=(1.0,) * 3)
    edited = torch.stack([torch.full((3, 8, 8), shade) for shade in (0.4996, 0.9)])
    made = edit(lambda *_: edited, above, batch.images, torch.tensor([1, 1]))
    assert made.flipped.all()
    assert survives_8bit(above, made).tolist() == [False, True]


def gaussian(count: int, shift: float, seed: int) -> Tensor:
    noise = torch.randn(count, 3, 2, 2, generator=torch.Generator().manual_seed(seed))
    return noise * 0.1 + shift


def flat(images: Tensor) -> Tensor:
    return images.flatten(1)


def test_fid_of_equal_spreads_is_the_squared_distance_of_means() -> None:
    one = gaussian(400, 0.3, 0)
    assert fid(one, one, flat) == pytest.approx(0, abs=1e-3)
    assert fid(one, one + 0.2, flat) == pytest.approx(12 * 0.04, abs=2e-3)
    shuffled = one[torch.randperm(400)]
    assert fid(shuffled, one + 0.2, flat) == pytest.approx(fid(one, one + 0.2, flat), abs=1e-4)


def test_fid_of_different_spreads() -> None:
    one = gaussian(20_000, 0.0, 0)
    found = fid(one, 3 * gaussian(20_000, 0.0, 1), flat)
    assert found == pytest.approx(12 * (0.3 - 0.1) ** 2, rel=0.05)


def test_kid_is_0_on_average_for_one_distribution() -> None:
    values = [kid(gaussian(60, 0.3, k), gaussian(60, 0.3, 99 + k), flat)[0] for k in range(20)]
    values = torch.tensor(values)
    assert abs(values.mean()) < 3 * values.std() / 20**0.5 + 1e-6
    far, spread = kid(gaussian(60, 0.3, 0), gaussian(60, 0.8, 1), flat, subsets=10, size=30)
    assert far > 0.1
    assert 0 < spread < far
    whole = kid(gaussian(60, 0.3, 0), gaussian(60, 0.8, 1), flat, subsets=3)
    turned = kid(gaussian(60, 0.3, 0).flip(0), gaussian(60, 0.8, 1), flat, subsets=3)
    assert whole == pytest.approx(turned, abs=1e-4)
    with pytest.raises(ValueError, match="have no distance; give 2 or more"):
        kid(gaussian(1, 0.0, 0), gaussian(5, 0.0, 0), flat)


def test_penultimate_features_are_what_the_head_reads(
    convolutional: Classifier, batch: Batch
) -> None:
    found = penultimate(convolutional)(batch.images)
    body = nn.Sequential(*list(convolutional.net.children())[:4])
    wanted = body((batch.images - convolutional.mean) / convolutional.std)
    torch.testing.assert_close(found, wanted.detach())
