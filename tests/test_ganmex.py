"""GANMEX and CycleGAN: losses in closed form, short trainings, resumed equal to unbroken."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from rather import Batch, Classifier, edit, progress
from rather.data.folder import Crop, stepped
from rather.data.labelled import Arrays
from rather.editors import CycleGan, Ganmex
from rather.editors.ganmex import places
from rather.fitting import CycleGanRecipe, GanmexRecipe, Plan, fit
from rather.fitting.cyclegan import judged
from rather.fitting.ganmex import shaken
from rather.fitting.wasserstein import critic_gap, slope_penalty
from rather.models import load
from rather.networks.cyclegan import CriticPair, CyclePair, Fakes
from rather.networks.ganmex import StarCritic, StarGenerator, smoothed
from rather.networks.weights import load as load_weights
from rather.networks.weights import packed

TONES = "test_ganmex:tones"
RECIPE = GanmexRecipe(
    TONES, (0, 2), side=8, width=8, blocks=1, critic_width=8, rate=3e-3, critic_rate=1e-3
)
PAIR = CycleGanRecipe(TONES, (0, 2), side=32, width=4, blocks=1, critic_width=4)
FLAT = Crop(size=8, zoom=1.0, rare_zoom=1.0, flip=False)
PLAN = Plan(4, 4, warmup=1, clip=100.0, average=0.5, held=4, validate_every=2, save_seconds=0.0)


class Tones(nn.Module):
    """Dark, middling or bright."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([-8.0, 0.0, 8.0]))

    def forward(self, images: Tensor) -> Tensor:
        return (images.mean((1, 2, 3)) - 0.5)[:, None] * self.weight


def tones() -> Classifier:
    return Classifier(Tones().eval(), mean=(0.0,) * 3, std=(1.0,) * 3)


def source(side: int = 8) -> Arrays:
    """Dark and bright noise; labels are places, not the classifier's numbers."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(24) % 2
    noise = torch.randint(80, (24, 3, side, side), generator=generator)
    return Arrays((noise + 150 * labels[:, None, None, None]).to(torch.uint8), labels, 0.2)


def given(side: int = 8) -> Batch:
    return source(side).batch(8, replace(FLAT, size=side), 0, 0)


def test_networks_have_the_shape_of_the_paper() -> None:
    images, wanted = torch.rand(2, 3, 28, 28), torch.tensor([0, 2])
    net = StarGenerator((3, 5, 8))
    assert net(images, wanted).shape == images.shape
    convolutions = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    assert [c.in_channels for c in convolutions[:3]] == [6, 64, 128]
    assert sum(isinstance(layer, nn.Conv2d) for layer in net.modules()) == 3 + 12 + 1
    for side, layers in ((28, 4), (64, 5), (128, 6), (256, 6)):
        critic = StarCritic(side, 4)
        assert sum(isinstance(layer, nn.Conv2d) for layer in critic.layers) == layers
    assert StarCritic(28, 4)(images).shape == (2,)


def test_odd_sides_and_grey_images_come_back_as_they_were() -> None:
    images = torch.rand(2, 3, 9, 14)
    grey = StarGenerator((0, 1), 4, 1, channels=1)(images, torch.tensor([0, 1]))
    assert grey.shape == images.shape
    assert torch.equal(grey[:, 0], grey[:, 2])
    assert 0 <= grey.min() <= grey.max() <= 1


def test_a_generator_of_changes_starts_with_none_and_keeps_the_detail_of_large_images() -> None:
    images, wanted = torch.rand(2, 3, 30, 21) * 0.2 + 0.4, torch.tensor([0, 1])
    net = StarGenerator((0, 1), 4, 1, side=8)
    assert torch.equal(net(images, wanted), images)
    nn.init.normal_([*net.parameters()][-1], std=1e-3)
    change = net(images, wanted) - images
    assert change.abs().amax() > 1e-4
    small = F.interpolate(images, (8, 8), mode="bilinear", antialias=True)
    drawn = smoothed(net(small, wanted) - small)
    assert torch.allclose(change, F.interpolate(drawn, (30, 21), mode="bilinear"), atol=1e-6)


def test_what_alternates_from_pixel_to_pixel_is_smoothed_away() -> None:
    flat, board = torch.full((1, 1, 6, 6), 0.3), torch.ones(1, 1, 6, 6)
    board[..., ::2, 1::2] = board[..., 1::2, ::2] = -1
    assert torch.allclose(smoothed(flat), flat)
    assert smoothed(board)[..., 1:-1, 1:-1].abs().max() < 1e-6


def test_a_linear_critic_of_unit_slope_is_not_punished() -> None:
    weight = torch.randn(3, 8, 8)

    def linear(images: Tensor) -> Tensor:
        return ((2 * images - 1) * weight / weight.norm()).sum((1, 2, 3))

    class Linear(nn.Module):
        def __init__(self, times: float) -> None:
            super().__init__()
            self.times = times

        def forward(self, images: Tensor) -> Tensor:
            return self.times * linear(images)

    real, made = torch.rand(5, 3, 8, 8), torch.rand(5, 3, 8, 8)
    one, three = (slope_penalty(Linear(t), real, made, stepped(0, 0)) for t in (1.0, 3.0))
    assert one.item() == pytest.approx(0, abs=1e-5)
    assert three.item() == pytest.approx(4, abs=1e-3)
    gap = critic_gap(Linear(1.0), real, made)
    torch.testing.assert_close(gap, linear(made).mean() - linear(real).mean())


def test_requests_are_of_other_classes_as_often_as_asked() -> None:
    recipe = replace(RECIPE, labels=(0, 1, 2, 7))
    labels = torch.arange(4).repeat(2000)
    asked = recipe.requests(labels, stepped(0, 0))
    assert (asked == labels).float().mean().item() == pytest.approx(0.1, abs=0.02)
    others = Counter((asked - labels)[asked != labels].remainder(4).tolist())
    assert max(others.values()) / min(others.values()) < 1.1
    even = replace(recipe, own_share=None).requests(labels, stepped(0, 0))
    assert (even == labels).float().mean().item() == pytest.approx(0.25, abs=0.02)


def test_the_loss_is_the_sum_of_its_terms() -> None:
    nets, batch = RECIPE.networks(), given()
    bare = replace(RECIPE, critic_steps=0, class_weight=0.0, similarity=0.0, cycle=0.0)

    def loss(**weights: float) -> float:
        (part, value) = next(iter(replace(bare, **weights).losses(nets, batch, stepped(0, 3), 0)))
        assert part == "generator"
        return value.item()

    wanted = bare.requests(batch.labels, stepped(0, 3))
    made = nets["generator"](batch.images, wanted)
    back = nets["generator"](made, batch.labels)
    terms = {
        "class_weight": F.cross_entropy(tones()(made)[:, [0, 2]], wanted),
        "similarity": 2 * (made - batch.images).abs().mean(),
        "cycle": 2 * (back - batch.images).abs().mean(),
    }
    real = loss()
    assert real == pytest.approx(-nets["critic"](made).mean().item(), abs=1e-5)
    for name, term in terms.items():
        assert loss(**{name: 2.0}) - real == pytest.approx(2 * term.item(), abs=1e-4)


def test_what_goes_beyond_the_target_probability_is_no_gain() -> None:
    bright, wanted = torch.full((2, 3, 8, 8), 0.9), torch.tensor([1, 1])
    assert RECIPE.opinion(bright, wanted) > 0
    sure = replace(RECIPE, target_probability=0.5)
    assert sure.opinion(bright, wanted) == 0
    assert sure.opinion(1 - bright, wanted) > 1


def test_the_published_recipe_and_impossible_ones() -> None:
    published = GanmexRecipe.as_published("mnist", tuple(range(10)), 28)
    assert (published.class_weight, published.similarity, published.cycle) == (100, 20, 10)
    assert (published.own_share, published.width, published.blocks) == (None, 64, 6)
    with pytest.raises(ValueError, match="at least two classes"):
        GanmexRecipe("mnist", (1, 1))
    with pytest.raises(ValueError, match="two different classes"):
        CycleGanRecipe("mnist", (1, 1))


@pytest.mark.parametrize(("recipe", "side"), [(RECIPE, 8), (PAIR, 32)], ids=["ganmex", "cyclegan"])
def test_resumed_equals_unbroken_and_the_classifier_stays_as_it_is(
    recipe: Any, side: int, tmp_path: Path
) -> None:
    frozen = load(TONES)
    crop = replace(FLAT, size=side)
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    fit(recipe, source(side), one, PLAN, crop, "cpu")

    def dies(label: str, done: int, total: int | None) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), progress.listening(dies):
        fit(recipe, source(side), two, PLAN, crop, "cpu")
    fit(recipe, source(side), two, PLAN, crop, "cpu")
    left, right = load_file(one), load_file(two)
    assert all(torch.equal(left[key], right[key]) for key in left)
    assert torch.equal(next(frozen.net.parameters()), Tones().weight)
    metrics = load_weights(str(one))[1]["metrics"]
    assert {"missed", "L1"} < set(metrics)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("ganmex") / "tones.safetensors"
    plan = Plan(60, 8, warmup=5, clip=100.0, average=0.9, held=4, validate_every=60)
    return str(fit(RECIPE, source(), out, plan, FLAT, "cpu"))


def test_it_learns_to_turn_dark_into_bright_and_to_leave_what_is_right(trained: str) -> None:
    batch, classifier = source().held_out(4, FLAT), tones()
    labels = torch.tensor([0, 2])
    pair = edit(Ganmex(trained), classifier, batch.images, labels[1 - batch.labels])
    assert pair.flipped.all()
    own = edit(Ganmex(trained), classifier, batch.images, labels[batch.labels])
    assert own.change.mean() < pair.change.mean()
    card = load_weights(trained)[1]
    assert card["metrics"]["missed"] == 0


def test_an_editor_knows_its_classes_and_its_weights(trained: str) -> None:
    assert places(torch.tensor([2, 0, 2]), (0, 2)).tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match="no images of class 1, only of 0, 2"):
        Ganmex(trained)(tones(), torch.rand(1, 3, 8, 8), torch.tensor([1]))
    with pytest.raises(ValueError, match=r"holds a StarGenerator .* but a CyclePair is needed"):
        CycleGan(trained)(tones(), torch.rand(1, 3, 8, 8), torch.tensor([2]))
    with pytest.raises(ValueError, match="no weights called 'ganmex-letters'"):
        Ganmex("letters")(tones(), torch.rand(1, 3, 8, 8), torch.tensor([1]))
    eight = Ganmex(trained, quantise=True)(tones(), torch.rand(1, 3, 8, 8), torch.tensor([2]))
    torch.testing.assert_close(eight * 255, (eight * 255).round())


def test_the_two_generators_of_a_pair_are_two() -> None:
    torch.manual_seed(0)
    net, images = CyclePair((4, 7), 4, 1), torch.rand(2, 3, 9, 10)
    one, other = (net(images, torch.full((2,), place)) for place in (0, 1))
    assert one.shape == images.shape
    assert not torch.equal(one, other)
    mixed = net(images, torch.tensor([1, 0]))
    torch.testing.assert_close(mixed, torch.stack([other[0], one[1]]))


def test_the_way_back_is_shorter_than_the_way_to_the_other_class(tmp_path: Path) -> None:
    recipe = replace(PAIR, class_weight=1.0, rate=2e-3)
    plan = Plan(40, 4, warmup=5, clip=100.0, average=0.9, held=4, validate_every=40)
    crop = replace(FLAT, size=32)
    out = fit(recipe, source(32), tmp_path / "pair.safetensors", plan, crop, "cpu")
    held = source(32).held_out(4, crop)
    far = (held.images[held.labels == 0] - held.images[held.labels == 1]).abs().mean()
    net = load_weights(str(out))[0]
    there = net(held.images, 1 - held.labels)
    assert (net(there, held.labels) - held.images).abs().mean() < far
    labels = torch.tensor([0, 2])
    assert edit(CycleGan(str(out)), tones(), held.images, labels[1 - held.labels]).flipped.all()


def test_least_squares_compare_with_the_truth_class_by_class() -> None:
    class Told(nn.Module):
        def forward(self, images: Tensor, place: int) -> Tensor:
            return images.mean(1, keepdim=True) + place

    images, places = torch.zeros(3, 3, 2, 2), torch.tensor([0, 1, 0])
    assert judged(Told(), images, places, 1.0).item() == pytest.approx((1 + 0) / 2)
    assert CriticPair(4)(torch.rand(2, 3, 64, 64), 1).shape == (2, 1, 6, 6)


def test_fakes_are_remembered_in_the_checkpoint() -> None:
    pool, generator = Fakes(4, size=3), stepped(0, 0)
    first = torch.arange(3.0)[:, None, None, None].expand(-1, 3, 4, 4) / 10
    assert torch.equal(pool.swapped(first, 1, generator), first)
    assert pool.count.tolist() == [0, 3]
    later = torch.full((40, 3, 4, 4), 0.9)
    shown = pool.swapped(later, 1, generator)[:, 0, 0, 0]
    assert 0 < (shown < 0.5).sum() <= 3
    assert "images" in pool.state_dict()


@pytest.mark.parametrize("weights", ["mnist", "mnist-near"])
def test_the_shipped_generators_turn_a_drawn_one_into_a_seven(weights: str) -> None:
    images = torch.zeros(1, 3, 28, 28)
    images[..., 5:23, 13:15] = 1
    pair = edit(Ganmex(weights), load("mnist"), images, torch.tensor([7]))
    assert pair.before.argmax() == 1
    assert pair.flipped.all()


def test_the_shipped_pair_turns_a_drawn_eight_into_a_three() -> None:
    down, right = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    rings = [((down - row).square() + (right - 14).square()).sqrt() - 4 for row in (9.5, 17.5)]
    drawn = (1.8 - torch.stack(rings).abs().amin(0)).clamp(0, 1)
    pair = edit(CycleGan("mnist-3-8"), load("mnist"), drawn.expand(1, 3, -1, -1), torch.tensor([3]))
    assert pair.before.argmax() == 8
    assert pair.flipped.all()


def test_the_slope_is_taken_between_real_and_made() -> None:
    class Bowl(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return (2 * images - 1).square().sum((1, 2, 3)) / 2

    grey, white = torch.full((4000, 3, 1, 1), 0.5), torch.ones(4000, 3, 1, 1)
    found = slope_penalty(Bowl(), grey, white, stepped(0, 0)).item()
    assert found == pytest.approx(3 / 3 - 3**0.5 + 1, abs=0.02)  # slopes from 0 to the root of 3


def test_each_image_is_shown_to_the_critic_of_the_class_it_should_be_of() -> None:
    asked: list[tuple[float, int]] = []

    class Same(nn.Module):
        def forward(self, images: Tensor, wanted: Tensor) -> Tensor:
            return images

    class Spy(nn.Module):
        def forward(self, images: Tensor, place: int) -> Tensor:
            asked.append((images.mean().item(), place))
            return images.mean(1, keepdim=True)

    batch = Batch(torch.zeros(2, 3, 4, 4), torch.tensor([0, 1]), ("dark", "bright"))
    batch.images[1] = 1
    pool = Fakes(4)
    nets: dict[str, nn.Module] = {"pair": Same(), "critics": Spy(), "fakes": pool}
    assert [part for part, _ in PAIR.losses(nets, batch, stepped(0, 0), 0)] == ["pair", "critics"]
    made, real, fake = [(0.0, 1), (1.0, 0)], [(0.0, 0), (1.0, 1)], [(0.0, 1), (1.0, 0)]
    assert [sorted(asked[i : i + 2]) for i in (0, 2, 4)] == [made, real, fake]
    assert pool.count.tolist() == [1, 1]


def test_a_revised_generator_has_no_transposed_convolutions_and_its_file_says_so(
    tmp_path: Path,
) -> None:
    recipe = replace(RECIPE, revised=True, drawn_at=8)
    net = recipe.networks()["generator"].eval()
    assert not any(isinstance(layer, nn.ConvTranspose2d) for layer in net.modules())
    path = tmp_path / "made.safetensors"
    path.write_bytes(packed(net, {}))
    images, wanted = torch.rand(2, 3, 8, 8), torch.tensor([0, 1])
    torch.testing.assert_close(
        load_weights(str(path))[0](images, wanted), net(images, wanted), atol=1e-2, rtol=0
    )


def test_shaken_images_are_moved_and_noisy_by_what_was_asked() -> None:
    images = torch.full((4, 3, 20, 20), 0.5)
    images[:, :, 10, 10] = 1.0
    same = shaken(images, 0.0, stepped(0, 0))
    torch.testing.assert_close(same, images)
    moved = shaken(images, 0.2, stepped(0, 0))
    assert (moved - images).std().item() == pytest.approx(0.04, abs=0.015)
    places = {tuple(one[0].flatten().topk(1).indices.tolist()) for one in moved}
    assert len(places) > 1  # each by its own way
    assert torch.equal(moved, shaken(images, 0.2, stepped(0, 0)))


def test_a_classifier_that_is_shaken_hears_other_images() -> None:
    seen: list[Tensor] = []
    recipe = replace(RECIPE, shaken=0.1)
    with patch.object(GanmexRecipe, "opinion", lambda _, made, __: seen.append(made) or 0.0):
        nets = recipe.networks()
        for _, _loss in recipe.losses(nets, given(), stepped(0, 0), 0):
            pass
        for _, _loss in RECIPE.losses(nets, given(), stepped(0, 0), 0):
            pass
    assert (seen[0] - seen[1]).abs().mean() > 0.01


def test_the_class_is_heard_inside_an_image_only_where_no_norm_takes_it_away() -> None:
    images = torch.rand(1, 3, 96, 96, generator=stepped(0, 0)).expand(2, -1, -1, -1)
    middle = {}
    for revised in (False, True):
        torch.manual_seed(0)
        net = StarGenerator((0, 1), 8, 1, revised=revised).eval()
        one, other = net(images, torch.tensor([0, 1]))[:, :, 44:52, 44:52]
        middle[revised] = (one - other).abs().mean().item() / one.std().item()
    assert middle[True] > 3 * middle[False]


@pytest.mark.parametrize("share", [-0.1, 0.5])
def test_a_share_that_shakes_too_much_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"shaken=.* from 0 to below 0\.5"):
        replace(RECIPE, shaken=share)
