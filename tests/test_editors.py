"""Editors against what must come out, in closed form or by brute force."""

import math
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

from rather import Classifier, edit
from rather.editors import (
    CellSwap,
    ClassMean,
    LatentShift,
    NearestSample,
    PixelAscent,
    Tries,
    Within,
    samples,
)
from rather.editors.latent_shift import Way
from rather.editors.layer import answer_of
from rather.editors.pixel_ascent import lead
from rather.networks.autoencoder import Autoencoder
from rather.networks.weights import packed
from rather.types import Images, Labels

BLACK, ONE = (0.0,) * 3, (1.0,) * 3


@dataclass(frozen=True)
class Flat:
    """One tone, chosen by the seed."""

    tones: tuple[float, ...]
    seed: int = 0

    def __call__(self, classifier: Classifier, images: Images, target: Labels) -> Images:
        return torch.full_like(images, self.tones[self.seed])


def bank(count: int = 30) -> Tensor:
    """Images with 8-bit values."""
    generator = torch.Generator().manual_seed(4)
    return torch.randint(256, (count, 3, 8, 8), generator=generator).float() / 255


def other(classifier: Classifier, images: Images) -> Labels:
    with torch.no_grad():
        return 1 - classifier(images).argmax(1)


def test_the_nearest_sample_is_that_of_brute_force(linear: Classifier) -> None:
    donors, images = bank(), bank(4) * 0.9
    target = other(linear, images)
    made = NearestSample(donors, batch=7)(linear, images, target)
    answers = linear(donors).argmax(1)
    for image, label, found in zip(images, target, made, strict=True):
        mine = donors[answers == label]
        best = mine[(mine - image).flatten(1).norm(dim=1).argmin()]
        torch.testing.assert_close(found, best)
    assert edit(NearestSample(donors), linear, images, target).flipped.all()


def test_the_nearest_sample_is_never_the_image_itself(linear: Classifier) -> None:
    donors = torch.cat([bank(), bank(3), bank(3)])  # some stand there three times
    with torch.no_grad():
        own = linear(donors[:3]).argmax(1)
    made = NearestSample(donors)(linear, donors[:3], own)
    assert ((made - donors[:3]).abs().amax((1, 2, 3)) > 0.1).all()
    with pytest.raises(ValueError, match="holds but the image itself"):
        NearestSample(donors[:1])(linear, donors[:1], own[:1])


def test_features_can_choose_and_labels_can_decide(linear: Classifier) -> None:
    donors, images, labels = bank(), bank(2) * 0.9, torch.arange(30) % 2
    target = torch.tensor([1, 0])
    made = NearestSample(donors, labels, "features", "0")(linear, images, target)
    unit = torch.nn.functional.normalize
    for image, label, found in zip(images, target, made, strict=True):
        mine = donors[labels == label]
        likeness = unit(mine.flatten(1)) @ unit(image.flatten(), dim=0)
        torch.testing.assert_close(found, mine[likeness.argmax()])


def test_k_nearest_are_drawn_by_the_seed(linear: Classifier) -> None:
    images = bank(1) * 0.9
    target = other(linear, images)
    drawn = [*samples(NearestSample(bank(), k=5), linear, images, target, 12)]
    assert 2 <= len({tuple(x.flatten().tolist()) for x in drawn}) <= 5
    assert len([*samples(NearestSample(bank()), linear, images, target, 3)]) == 3
    assert len([*samples(PixelAscent(steps=1), linear, images, target, 3)]) == 1


def test_a_bank_without_the_class_is_refused_by_name(linear: Classifier) -> None:
    with pytest.raises(ValueError, match=r"none of the 30 images .* class 1, only of 0"):
        NearestSample(bank(), torch.zeros(30).long())(linear, bank(1), torch.tensor([1]))


def test_members_are_asked_again_when_the_classifier_changed(linear: Classifier) -> None:
    editor, images = ClassMean(bank()), bank(1)
    first = editor(linear, images, torch.tensor([0]))
    with torch.no_grad():
        for parameter in linear.net.parameters():
            parameter.neg_()
    assert torch.equal(editor(linear, images, torch.tensor([1])), first)


def test_the_class_mean_is_the_mean(linear: Classifier) -> None:
    donors, labels = bank(), torch.arange(30) % 2
    made = ClassMean(donors, labels, batch=4)(linear, bank(2), torch.tensor([1, 0]))
    torch.testing.assert_close(made[0], donors[labels == 1].mean(0))
    torch.testing.assert_close(made[1], donors[labels == 0].mean(0))


def test_no_steps_change_nothing_and_enough_flip(linear: Classifier) -> None:
    images = bank(4)
    target = other(linear, images)
    assert torch.equal(PixelAscent(steps=0)(linear, images, target), images)
    for loss in ("margin", "ce", "wachter"):
        assert edit(PixelAscent(loss=loss), linear, images, target).flipped.all()


def test_the_ascent_goes_straight_and_stops_at_the_border(linear: Classifier) -> None:
    images = bank(4) * 0.2 + 0.4  # nothing is clamped on the way
    target = other(linear, images)
    editor = PixelAscent(l2=1e-4, margin=0.0, rate=1e-4, steps=2000)
    made = editor(linear, images, target)
    weight = next(linear.net.parameters())
    ways = (weight[target] - weight[1 - target]).detach()
    moved = (made - images).flatten(1)
    alike = torch.nn.functional.cosine_similarity(moved, ways)
    torch.testing.assert_close(alike, torch.ones(4), rtol=0, atol=1e-3)
    with torch.no_grad():
        far = -lead(linear(images), target) / ways.norm(dim=1)
    step = 1e-4 * math.sqrt(moved.shape[1])
    assert ((moved.norm(dim=1) - far) > -1e-5).all()
    assert ((moved.norm(dim=1) - far) < 2 * step).all()


def test_the_margin_is_reached_and_the_pull_is_halved_where_it_is_not(linear: Classifier) -> None:
    images = bank(3)
    target = other(linear, images)
    reached = edit(PixelAscent(margin=0.5), linear, images, target)
    assert (lead(reached.after, target) >= 0.5).all()
    tied = PixelAscent(l2=1e3, halvings=0)
    assert not edit(tied, linear, images, target).flipped.any()
    assert edit(replace(tied, halvings=12), linear, images, target).flipped.all()


def test_a_radius_bounds_every_value(linear: Classifier) -> None:
    images = bank(3)
    made = PixelAscent(radius=0.02)(linear, images, other(linear, images))
    assert (made - images).abs().max() <= 0.02 + 1e-6


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="one of margin, ce, wachter"):
        PixelAscent(loss="hinge")
    with pytest.raises(ValueError, match="steps=-1"):
        PixelAscent(steps=-1)
    with pytest.raises(ValueError, match="'pixel' or 'features'"):
        NearestSample(bank(), metric="angle")
    with pytest.raises(ValueError, match="at least 1"):
        NearestSample(bank(), k=0)
    with pytest.raises(ValueError, match="at least 1 try"):
        Tries(PixelAscent(), 0)


def undecided(head: nn.Linear) -> None:
    """Make grey images belong to no class."""
    with torch.no_grad():
        head.bias.copy_(-head.weight.sum(1) / 2)


def grid(cells: int) -> Classifier:
    """Average colour of every cell, then a linear answer: cells do not look at each other."""
    torch.manual_seed(1)
    pool, head = nn.AvgPool2d(8 // cells), nn.Linear(3 * cells * cells, 2)
    undecided(head)
    return Classifier(nn.Sequential(pool, nn.Flatten(), head).eval(), mean=BLACK, std=ONE)


def test_one_cell_takes_the_answer_of_the_distractor() -> None:
    classifier, images, donors = grid(1), bank(4), bank()
    target = other(classifier, images)
    pair = edit(CellSwap(donors, "0"), classifier, images, target)
    nearest = NearestSample(donors)(classifier, images, target)
    torch.testing.assert_close(pair.edited, nearest)
    assert pair.flipped.all()


def test_cells_are_swapped_one_by_one_until_the_answer_flips() -> None:
    classifier, images, donors = grid(4), bank(4), bank()
    target = other(classifier, images)
    pair = edit(CellSwap(donors, "0", alike=0.0), classifier, images, target)
    assert pair.flipped.all()
    blocks = pair.change.unflatten(1, (4, 2)).unflatten(3, (4, 2)).amax((2, 4)) > 0
    assert (blocks.sum((1, 2)) < 16).any()
    own = edit(CellSwap(donors, "0"), classifier, images, 1 - target)
    assert torch.equal(own.edited, images)


def test_greedy_swaps_raise_the_chance_of_the_class() -> None:
    classifier, image, donors = grid(4), bank(1), bank()
    target = other(classifier, image)
    other_image = NearestSample(donors)(classifier, image, target)
    editor = CellSwap(donors, "0", alike=0.0)
    swaps, size = editor.swapped(classifier, image[0], other_image[0], int(target))
    made = image.clone()
    chances = []
    for count in range(len(swaps) + 1):
        made = editor._pasted(image[0], other_image[0], swaps[:count], size)[None]
        chances.append(classifier(made).softmax(1)[0, target].item())
    assert chances == sorted(chances)
    assert chances[-1] > 0.5


def test_layers_answer_by_name_and_unknown_ones_are_named(linear: Classifier) -> None:
    images = bank(2)
    assert torch.equal(answer_of(linear, "", images), images.flatten(1))
    assert torch.equal(answer_of(linear, "1", images), linear(images))
    with pytest.raises(ValueError, match="no layer 'head'"):
        answer_of(linear, "head", images)
    with pytest.raises(ValueError, match="no linear layer"):
        answer_of(Classifier(nn.Sequential(nn.Flatten()).eval()), "", images)


@pytest.fixture(scope="module")
def autoencoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("latent") / "autoencoder.safetensors"
    path.write_bytes(packed(Autoencoder((8, 8, 8), 4), {}))
    return str(path)


def test_the_shift_is_the_smallest_that_flips(linear: Classifier, autoencoder: str) -> None:
    images = bank(3) * 0.2 + 0.4
    undecided(next(part for part in linear.net.modules() if isinstance(part, nn.Linear)))
    target = other(linear, images)
    editor = LatentShift(autoencoder, bisections=12, limit=5.0)
    pair = edit(editor, linear, images, target)
    flipped = lead(pair.after, target)[pair.flipped]
    assert len(flipped)
    assert (flipped < 0.01).all()


def test_without_a_step_the_residual_gives_the_image_back(
    linear: Classifier, autoencoder: str
) -> None:
    images = bank(2)
    with torch.no_grad():
        own = linear(images).argmax(1)
    editor = LatentShift(autoencoder, bisections=24)
    torch.testing.assert_close(editor(linear, images, own), images, rtol=0, atol=1e-4)
    blurred = replace(editor, residual=False)(linear, images, own)
    assert (blurred - images).abs().mean() > 0.05
    frames = [*editor.frames(linear, images, 1 - own, 4)]
    assert torch.equal(frames[0], images)
    assert len(frames) == 4


def test_tries_stop_at_the_first_flip_or_keep_the_best() -> None:
    head = nn.Linear(3, 2)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[0.0, 0, 0], [9.0, 0, 0]]))
        head.bias.copy_(torch.tensor([0.0, -4.5]))
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), head).eval()
    bright = Classifier(net, mean=BLACK, std=ONE)
    images, wanted = torch.zeros(2, 3, 4, 4), torch.tensor([1, 0])
    pair = edit(Tries(Flat((0.3, 0.4, 0.8, 0.9)), 4), bright, images, wanted)
    assert pair.flipped.all()
    torch.testing.assert_close(pair.edited[:, 0, 0, 0], torch.tensor([0.8, 0.3]))
    pair = edit(Tries(Flat((0.3, 0.4, 0.2, 0.1)), 4), bright, images, wanted)
    torch.testing.assert_close(pair.edited[:, 0, 0, 0], torch.tensor([0.4, 0.3]))


def test_a_function_can_be_an_editor_within_a_region(linear: Classifier) -> None:
    images, keep = bank(2), torch.zeros(1, 1, 8, 8)
    keep[..., :3] = 1
    keep[..., 3] = 0.5
    made = Within(lambda _classifier, x, _target: 1 - x, keep)(linear, images, torch.tensor([0, 1]))
    assert torch.equal(made[..., :3], images[..., :3])
    torch.testing.assert_close(made[..., 3], torch.full_like(made[..., 3], 0.5))
    torch.testing.assert_close(made[..., 4:], 1 - images[..., 4:])


def test_the_ascent_itself_leaves_kept_pixels_alone(linear: Classifier) -> None:
    images, keep = bank(2), torch.zeros(2, 1, 8, 8)
    keep[..., :3] = 1
    made = PixelAscent(keep=keep)(linear, images, other(linear, images))
    assert torch.equal(made[..., :3], images[..., :3])
    assert not torch.equal(made[..., 3:], images[..., 3:])


def test_along_the_path_a_linear_score_rises_by_the_squared_slope(
    linear: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Identity(Autoencoder):
        def encode(self, images: Images) -> Tensor:
            return images

        def decode(self, code: Tensor, like: Images) -> Images:
            return code

    monkeypatch.setattr("rather.editors.latent_shift.chosen", lambda *_: Identity())
    images = bank(3) * 0.2 + 0.4
    target = other(linear, images)
    path = Way.of(LatentShift("none"), linear, images, target)
    weight = next(linear.net.parameters()).detach()
    slope = weight[target] - weight[1 - target]
    step = torch.tensor([0.0, 0.05, 0.1])
    with torch.no_grad():
        gained = lead(linear(path.at(step)), target) - lead(linear(images), target)
    wanted = step * slope.square().sum(1) / slope.square().mean(1).sqrt()
    torch.testing.assert_close(gained, wanted, rtol=1e-3, atol=1e-4)
