"""Attributions between an image and another: what must hold of them (ganmex 7, dac 9)."""

import copy
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rather import Batch, Classifier, Explainer, Question, edit, explain
from rather.classifier import gradient
from rather.editors import PixelAscent
from rather.explainers import (
    Captum,
    DeepLift,
    DeepShap,
    ExpectedGradients,
    GradCam,
    GuidedGradCam,
    InputGradient,
    IntegratedGradients,
    Occlusion,
    RandomBlurred,
    Residual,
)
from rather.explainers.deep_lift import ELEMENTWISE
from rather.infillers import Blur, ColourNoise, Constant, Edited, FoilDonor, Paste, Pastes

ASCENT = PixelAscent(steps=5, halvings=0, margin=1e3)
ASKED = Question(torch.tensor([1, 0, 2]), torch.tensor([0, 2, 1]))
SIDES: tuple[Any, ...] = ("both", "image", "baseline")


def network(activation: nn.Module, pool: nn.Module | None = None) -> Classifier:
    """Two convolutions and two linear layers with an activation between them."""
    torch.manual_seed(4)
    first, second, third = (copy.deepcopy(activation) for _ in range(3))
    layers = [nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), first, pool or nn.AvgPool2d(2)]
    layers += [nn.Conv2d(6, 8, 3), second, nn.Flatten(), nn.Linear(32, 16), third]
    net = nn.Sequential(*layers, nn.Dropout(), nn.Linear(16, 3))
    net[1].get_buffer("running_mean").uniform_(-0.5, 0.5)
    net[1].get_buffer("running_var").uniform_(0.1, 0.5)
    return Classifier(net.eval())


@pytest.fixture
def relus() -> Classifier:
    return network(nn.ReLU())


@pytest.fixture
def photos() -> Batch:
    torch.manual_seed(1)
    return Batch(torch.rand(3, 3, 8, 8), torch.tensor([0, 1, 2]), ("a", "b", "c"))


@pytest.fixture
def edited(photos: Batch) -> Tensor:
    """Other images, equal to the photos in the last three columns."""
    torch.manual_seed(7)
    other = torch.rand_like(photos.images)
    other[..., 5:] = photos.images[..., 5:]
    return other


def change(classifier: Classifier, images: Tensor, other: Tensor, asked: Question) -> Tensor:
    scores = [asked.score(classifier(each)).detach() for each in (images, other)]
    return scores[0] - scores[1]


def linear_in_the_score(other: Tensor) -> list[Any]:
    paste = Paste(other)
    return [
        IntegratedGradients(paste, steps=6, limit=6),
        IntegratedGradients(paste, steps=6, limit=6, rule="right"),
        DeepLift(paste),
        DeepShap(Pastes((other, other.flip(3)))),
        ExpectedGradients(paste, draws=20),
        Occlusion(paste, size=3, stride=2),
        InputGradient(paste),
        GradCam("4", baseline=paste),
        GradCam("4", baseline=paste, pooled=True),
    ]


CASES = range(9)  # of `linear_in_the_score`


@pytest.mark.parametrize("case", CASES)
def test_one_pass_is_the_difference_of_two(
    case: int, relus: Classifier, photos: Batch, edited: Tensor
) -> None:
    assert ASKED.foil is not None
    explainer = linear_in_the_score(edited)[case]
    once = explainer(relus, photos.images, ASKED).detach()
    for_target = explainer(relus, photos.images, Question(ASKED.target)).detach()
    for_foil = explainer(relus, photos.images, Question(ASKED.foil)).detach()
    assert once.abs().max() > 0
    torch.testing.assert_close(for_target - for_foil, once, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_swapping_target_and_foil_turns_every_heatmap(
    case: int, relus: Classifier, photos: Batch, edited: Tensor
) -> None:
    assert ASKED.foil is not None
    explainer = linear_in_the_score(edited)[case]
    one = explainer(relus, photos.images, ASKED).detach()
    other = explainer(relus, photos.images, Question(ASKED.foil, ASKED.target)).detach()
    torch.testing.assert_close(one, -other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("steps", [1, 3, 32])
@pytest.mark.parametrize("pool", [nn.AvgPool2d(2), nn.MaxPool2d(2)], ids=["average", "max"])
def test_integrated_gradients_sum_to_a_hundredth_of_the_change(
    steps: int, pool: nn.Module, photos: Batch, edited: Tensor
) -> None:
    classifier = network(nn.ReLU(), pool=pool)
    scale = 400 * torch.ones(3, 1)  # so that the change is well above 1
    classifier.net.get_parameter("10.weight").data *= scale
    method = IntegratedGradients(Paste(edited), steps=steps, limit=20_000)
    heat = method(classifier, photos.images, ASKED)
    wanted = change(classifier, photos.images, edited, ASKED)
    assert wanted.abs().min() > 1
    assert ((heat.sum((1, 2)) - wanted).abs() < 0.01 * wanted.abs()).all()
    few = IntegratedGradients(Paste(edited), steps=1, limit=1)(classifier, photos.images, ASKED)
    assert ((few.sum((1, 2)) - wanted).abs() > 0.01 * wanted.abs()).any()


def test_only_images_that_miss_are_integrated_more_finely(linear: Classifier) -> None:
    class Kinked(nn.Module):
        """Linear where an image is dark, with a kink where it is bright."""

        def forward(self, images: Tensor) -> Tensor:
            score = images.sum((1, 2, 3)) + 50 * torch.relu(images.mean((1, 2, 3)) - 0.55)
            return torch.stack([score, torch.zeros_like(score)], 1)

    kinked = Classifier(Kinked().eval(), mean=(0.0,) * 3, std=(1.0,) * 3)
    images = torch.stack([torch.full((3, 4, 4), 0.3), torch.full((3, 4, 4), 0.8)])
    batch = Batch(images, torch.zeros(2, dtype=torch.long), ("dark", "bright"))
    asked = Question(torch.zeros(2, dtype=torch.long))
    method = IntegratedGradients(Constant(0.0), steps=4, limit=64, tolerance=0.01)
    found = explain(method, kinked, batch, asked)
    extra = found.cost.backward - 2 * 4
    assert extra in (8, 8 + 24)  # of the bright one alone; the first points are used again
    wanted = change(kinked, images, torch.zeros_like(images), asked)
    torch.testing.assert_close(found.heatmaps.sum((1, 2)), wanted, rtol=0.01, atol=0)


def test_the_limit_bounds_what_an_image_costs(relus: Classifier, photos: Batch) -> None:
    method = IntegratedGradients(ColourNoise(), steps=2, tolerance=0.0, limit=9)
    assert explain(method, relus, photos, ASKED).cost.backward == 3 * 6
    again = IntegratedGradients(ColourNoise(), steps=6, limit=6)(relus, photos.images, ASKED)
    torch.testing.assert_close(method(relus, photos.images, ASKED), again, rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="limit=4 is below steps=8; raise it"):
        IntegratedGradients(steps=8, limit=4)


@pytest.mark.parametrize("rule", ["midpoint", "gauss"])
def test_the_two_sides_add_up_to_the_question(
    rule: Any, relus: Classifier, photos: Batch, edited: Tensor
) -> None:
    both, image, baseline = (
        IntegratedGradients(Paste(edited), steps=8, limit=8, rule=rule, side=side)(
            relus, photos.images, ASKED
        )
        for side in SIDES
    )
    torch.testing.assert_close(image + baseline, both, rtol=1e-4, atol=1e-5)
    assert ASKED.foil is not None
    swapped = IntegratedGradients(Paste(photos.images), steps=8, limit=8, rule=rule)
    turned = swapped(relus, edited, Question(ASKED.foil))  # IG(x'; x)[z_j]
    torch.testing.assert_close(baseline, turned)


def test_deep_lift_sides_add_up_too(relus: Classifier, photos: Batch, edited: Tensor) -> None:
    both, image, baseline = (
        DeepLift(Paste(edited), side=side)(relus, photos.images, ASKED) for side in SIDES
    )
    torch.testing.assert_close(image + baseline, both, rtol=1e-4, atol=1e-5)


def test_a_side_without_a_class_is_refused(relus: Classifier, photos: Batch) -> None:
    with pytest.raises(ValueError, match="explains the foil at the baseline, and the question has"):
        InputGradient(side="baseline")(relus, photos.images, Question(ASKED.target))


@pytest.mark.parametrize("name", sorted(ELEMENTWISE - {"GELUTanh", "HardSigmoid", "HardSwish"}))
def test_deep_lift_sums_to_the_change_whatever_the_activation(
    name: str, photos: Batch, edited: Tensor
) -> None:
    kind = getattr(nn, name, None)
    if kind is None:
        pytest.skip("not an activation of torch")
    classifier = network(kind())
    heat = DeepLift(Paste(edited))(classifier, photos.images, ASKED)
    wanted = change(classifier, photos.images, edited, ASKED)
    torch.testing.assert_close(heat.sum((1, 2)), wanted, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "pool",
    [nn.MaxPool2d(2), nn.MaxPool2d(3, 2, 1), nn.MaxPool2d(3, 2, 1, ceil_mode=True)],
    ids=repr,
)
def test_deep_lift_sums_to_the_change_through_max_pools(
    pool: nn.Module, photos: Batch, edited: Tensor
) -> None:
    layers = [nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), pool, nn.Flatten(), nn.LazyLinear(3)]
    torch.manual_seed(0)
    net = nn.Sequential(*layers).eval()
    net(photos.images)
    classifier = Classifier(net)
    heat = DeepLift(Paste(edited))(classifier, photos.images, ASKED)
    wanted = change(classifier, photos.images, edited, ASKED)
    torch.testing.assert_close(heat.sum((1, 2)), wanted, rtol=1e-3, atol=1e-5)


def test_deep_lift_agrees_with_captum(photos: Batch, edited: Tensor) -> None:
    torch.manual_seed(0)
    classifier = Classifier(
        nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Conv2d(6, 8, 3),
            nn.Tanh(),
            nn.Flatten(),
            nn.Linear(32, 3),
        ).eval()
    )
    ours = DeepLift(Paste(edited))(classifier, photos.images, ASKED)
    theirs = Captum("DeepLift", baseline=Paste(edited))(classifier, photos.images, ASKED)
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


def test_a_module_may_run_twice(photos: Batch, edited: Tensor) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
            self.relu, self.head = nn.ReLU(inplace=True), nn.Linear(64, 3)

        def forward(self, images: Tensor) -> Tensor:
            maps = self.relu(self.first(images))
            return self.head(self.relu(self.second(maps) - 0.1).flatten(1))

    torch.manual_seed(0)
    classifier = Classifier(Twice().eval())
    heat = DeepLift(Paste(edited))(classifier, photos.images, ASKED)
    wanted = change(classifier, photos.images, edited, ASKED)
    torch.testing.assert_close(heat.sum((1, 2)), wanted, rtol=1e-3, atol=1e-5)


class Functional(nn.Module):
    """A ReLU that no method can see."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.act, self.head = nn.Conv2d(3, 8, 3), nn.Tanh(), nn.Linear(288, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(torch.relu(self.act(20 * self.first(images))).flatten(1))


def test_deep_lift_that_loses_its_way_is_an_error(photos: Batch, edited: Tensor) -> None:
    torch.manual_seed(0)
    hidden = Classifier(Functional().eval())
    with pytest.raises(ValueError, match=r"DeepLift must sum to .* it lost its way in Functional"):
        DeepLift(Paste(edited))(hidden, photos.images, ASKED)


def as_linear(explainer: Any, linear: Classifier, images: Tensor, start: Tensor) -> None:
    asked = Question(torch.tensor([1, 0]), torch.tensor([0, 1]))
    weights = linear.net.get_parameter("1.weight").detach().view(2, 3, 8, 8)
    slope = weights[asked.target] - weights[[0, 1]]
    heat = explainer(linear, images, asked)
    torch.testing.assert_close(heat, (slope * (images - start)).sum(1), rtol=1e-4, atol=1e-5)


def test_in_a_linear_net_all_are_the_weights_times_the_difference(
    linear: Classifier, batch: Batch
) -> None:
    images, start = batch.images, batch.images.flip(2)
    once = IntegratedGradients(Paste(start), steps=1)
    for explainer in (once, DeepLift(Paste(start)), InputGradient(Paste(start))):
        as_linear(explainer, linear, images, start)
    as_linear(ExpectedGradients(Paste(start), draws=3), linear, images, start)
    other = torch.full_like(start, 0.2)
    as_linear(DeepShap(Pastes((start, other))), linear, images, (start + other) / 2)


def exact(other: Tensor) -> list[Explainer]:
    paste = Paste(other)
    ways = [IntegratedGradients(paste), DeepLift(paste), ExpectedGradients(paste, draws=5)]
    return [*ways, InputGradient(paste), InputGradient.as_published(paste), Residual(paste)]


def test_heat_is_0_where_nothing_differs(relus: Classifier, photos: Batch, edited: Tensor) -> None:
    for explainer in exact(edited):
        heat = explainer(relus, photos.images, ASKED)
        assert not heat[..., 5:].any(), explainer
        assert heat[..., :5].abs().max() > 0


def test_occlusion_pastes_squares_of_the_counterfactual(linear: Classifier, batch: Batch) -> None:
    asked = Question(torch.tensor([1, 0]), torch.tensor([0, 1]))
    pair = edit(ASCENT, linear, batch.images, torch.tensor([0, 1]))
    found = explain(Occlusion(Edited(ASCENT), size=4, stride=4), linear, batch, asked)
    square = batch.images.clone()
    square[..., 4:, :4] = pair.edited[..., 4:, :4]
    drop = change(linear, batch.images, square, asked)
    torch.testing.assert_close(found.heatmaps[:, 5, 2], drop, rtol=1e-4, atol=1e-5)


def test_expected_gradients_draw_from_the_foil(linear: Classifier, batch: Batch) -> None:
    torch.manual_seed(5)
    bank = (torch.rand(40, 3, 8, 8) * 255).byte()
    scores = linear(bank / 255)
    linear.net.get_parameter("1.bias").data[1] -= (scores[:, 1] - scores[:, 0]).median().detach()
    answers = linear(bank / 255).argmax(1)
    assert 5 < int(answers.sum()) < 35
    asked = Question(torch.tensor([1, 0]), torch.tensor([0, 1]))
    found = explain(ExpectedGradients(FoilDonor(bank), draws=4000), linear, batch, asked)
    mean = torch.stack([(bank[answers == foil] / 255).mean(0) for foil in (0, 1)])
    weights = linear.net.get_parameter("1.weight").detach().view(2, 3, 8, 8)
    slope = weights[asked.target] - weights[[0, 1]]
    wanted = (slope * (batch.images - mean)).sum(1)
    torch.testing.assert_close(found.heatmaps, wanted, rtol=0, atol=0.004)
    assert found.counterfactual is None


def test_a_bank_without_the_foil_is_refused(linear: Classifier, batch: Batch) -> None:
    linear.names = ("cat", "dog")
    bank = batch.images[:1].repeat(3, 1, 1, 1)
    answer = linear(bank).argmax(1)
    other = Question(answer[:2], 1 - answer[:2])
    with pytest.raises(ValueError, match=r"calls none of 3 donors '(cat|dog)'; give a bank"):
        explain(ExpectedGradients(FoilDonor(bank)), linear, batch, other)
    with pytest.raises(ValueError, match="draws images of the foil, and the question has none"):
        explain(ExpectedGradients(FoilDonor(bank)), linear, batch)
    with pytest.raises(ValueError, match=r"give it to an explainer and call explain"):
        ExpectedGradients(FoilDonor(bank))(linear, batch.images, other)


def test_stereo_grad_cam_weighs_what_sets_activations_apart(
    convolutional: Classifier, batch: Batch
) -> None:
    asked, other = Question(torch.tensor([1, 0]), torch.tensor([0, 1])), batch.images.flip(3)
    body = nn.Sequential(*list(convolutional.net.children())[:2])
    here, there = (
        body((each - convolutional.mean) / convolutional.std).detach()
        for each in (batch.images, other)
    )
    weights = convolutional.net.get_parameter("4.weight").detach()
    slope = ((weights[[1, 0]] - weights[[0, 1]]) / 64)[:, :, None, None]
    wanted = (slope * (here - there)).sum(1)
    for pooled in (False, True):
        cam = GradCam(baseline=Paste(other), pooled=pooled)
        torch.testing.assert_close(cam(convolutional, batch.images, asked), wanted)
    foil = (weights[[0, 1]] / 64)[:, :, None, None]
    published = GradCam.as_published(Paste(other), "1")(convolutional, batch.images, asked)
    torch.testing.assert_close(published, (foil * (here - there)).sum(1).abs())
    assert (published >= 0).all()


def test_pooling_matters_where_gradients_differ_from_place_to_place(
    relus: Classifier, photos: Batch, edited: Tensor
) -> None:
    sharp, coarse = (
        GradCam("5", baseline=Paste(edited), pooled=pooled)(relus, photos.images, ASKED)
        for pooled in (False, True)
    )
    assert not torch.allclose(sharp, coarse, atol=1e-4)


def test_stereo_gradients_are_those_at_the_baseline(
    relus: Classifier, photos: Batch, edited: Tensor
) -> None:
    children = list(relus.net.children())
    body, head = nn.Sequential(*children[:5]), nn.Sequential(*children[5:])

    def captured(images: Tensor) -> tuple[Tensor, Tensor]:
        maps = body((images - relus.mean) / relus.std).detach().requires_grad_()
        score = ASKED.score(head(maps)).sum()
        return maps.detach(), torch.autograd.grad(score, maps)[0]

    (here, _), (there, slope) = captured(photos.images), captured(edited)
    cam = (slope * (here - there)).sum(1, keepdim=True)
    wanted = nn.functional.interpolate(cam, (8, 8), mode="bilinear")[:, 0]
    found = GradCam("4", baseline=Paste(edited))(relus, photos.images, ASKED)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_guided_grad_cam_is_captums_where_both_have_a_rule(photos: Batch) -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 5, 3, padding=1), nn.ReLU()]
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3))
    classifier = Classifier(net.eval())
    guided = Captum("GuidedBackprop")(classifier, photos.images, ASKED)
    cam = GradCam("3", signed=False)(classifier, photos.images, ASKED)
    ours = GuidedGradCam(layer="3", sign="lines")(classifier, photos.images, ASKED)
    torch.testing.assert_close(ours, guided * cam, rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="Sequential has none; take GradCam"):
        GuidedGradCam()(network(nn.Tanh()), photos.images, ASKED)


def test_guided_gradients_know_relu6(photos: Batch) -> None:
    relu, relu6 = network(nn.ReLU()), network(nn.ReLU6())
    one = GuidedGradCam(layer="4")(relu, photos.images, ASKED)
    torch.testing.assert_close(GuidedGradCam(layer="4")(relu6, photos.images, ASKED), one)
    assert one.abs().max() > 0


def test_guided_grad_cam_takes_the_counterfactuals_cam(
    relus: Classifier, photos: Batch, edited: Tensor
) -> None:
    paste = Paste(edited)
    lines = GuidedGradCam(paste, "5")(relus, photos.images, ASKED)
    plain = GuidedGradCam(layer="5")(relus, photos.images, ASKED)
    cam = GradCam("5", baseline=paste)(relus, photos.images, ASKED)
    usual = GradCam("5", signed=True)(relus, photos.images, ASKED)
    torch.testing.assert_close(lines * usual, plain * cam, rtol=1e-3, atol=1e-6)


def test_stereo_sides_add_up_too(relus: Classifier, photos: Batch, edited: Tensor) -> None:
    both, image, baseline = (
        GradCam("5", baseline=Paste(edited), side=side)(relus, photos.images, ASKED)
        for side in SIDES
    )
    torch.testing.assert_close(image + baseline, both, rtol=1e-4, atol=1e-6)


def test_what_the_image_rightly_has_darker_is_rated_as_high_as_what_it_has_brighter() -> None:
    """White on the left and black on the right is the target, the mirror image the foil."""
    net = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 64, 2)).eval()
    half = torch.zeros(8, 8)
    half[:, :4] = 1
    with torch.no_grad():
        net.get_parameter("0.weight").copy_(torch.tensor([[1.0], [-1.0]]).view(2, 1, 1, 1) / 3)
        net.get_parameter("0.bias").copy_(torch.tensor([0.0, 1.0]))
        # The target has bright on the left and dark on the right: two features, each in its half.
        there = torch.cat([half.flatten(), 1 - half.flatten()])
        net.get_parameter("3.weight").copy_(torch.stack([torch.zeros(128), there]))
    of = Classifier(net, mean=(0.0,) * 3, std=(1.0,) * 3)
    image = half.expand(1, 3, -1, -1).contiguous()
    asked, paste = Question(torch.tensor([1]), torch.tensor([0])), Paste(image.flip(3))
    ours = GuidedGradCam(paste, "1")(of, image, asked)[0]
    assert (ours > 0).all()
    torch.testing.assert_close(ours, ours.flip(1))
    lines = GuidedGradCam(paste, "1", sign="lines")(of, image, asked)[0]
    assert (lines[:, :4] > 0).all()
    assert (lines[:, 4:] < 0).all()  # darker would be better still: restored last


def test_published_lines_are_drawn_of_the_counterfactual(
    relus: Classifier, photos: Batch, edited: Tensor
) -> None:
    assert ASKED.foil is not None
    found = GuidedGradCam.as_published(Paste(edited), "5")(relus, photos.images, ASKED)
    cam = GradCam.as_published(Paste(edited), "5")(relus, photos.images, ASKED)
    own = GuidedGradCam(layer="5", sign="lines")(relus, edited, Question(ASKED.foil))
    usual = GradCam("5", signed=False)(relus, edited, Question(ASKED.foil))
    torch.testing.assert_close(found * usual, own * cam, rtol=1e-3, atol=1e-6)


def test_input_gradient_as_published(relus: Classifier, photos: Batch, edited: Tensor) -> None:
    assert ASKED.foil is not None
    found = InputGradient.as_published(Paste(edited))(relus, photos.images, ASKED)
    slope = gradient(relus, edited, Question(ASKED.foil))
    torch.testing.assert_close(found, (slope * (photos.images - edited)).abs().sum(1))


def test_probabilities_are_explained_by_the_difference_of_two(
    relus: Classifier, photos: Batch, edited: Tensor
) -> None:
    assert ASKED.foil is not None
    method = IntegratedGradients(Paste(edited), steps=64, limit=64, output="probability")
    heat = method(relus, photos.images, ASKED)
    chances = [relus(each).softmax(1).detach() for each in (photos.images, edited)]
    one, other = (ASKED.score(each) for each in chances)
    torch.testing.assert_close(heat.sum((1, 2)), one - other, rtol=0.02, atol=1e-4)


def test_residual_is_the_edit(linear: Classifier, batch: Batch) -> None:
    heat = Residual(Blur(2.0))(linear, batch.images, Question(torch.tensor([0, 1])))
    blurred = Blur(2.0)(batch.images, torch.zeros(2, 1, 8, 8), torch.Generator())
    torch.testing.assert_close(heat, (batch.images - blurred).abs().sum(1))


def test_blurred_noise_is_its_own_for_every_image(linear: Classifier) -> None:
    images = torch.rand(2, 3, 64, 64)
    asked = Question(torch.tensor([0, 1]))
    rough, smooth = (RandomBlurred(sigma)(linear, images, asked) for sigma in (0.0, 4.0))
    assert (smooth > 0).all()
    assert smooth.std() < rough.std() / 4
    joint = torch.corrcoef(rough.flatten(1))[0, 1]
    assert abs(joint) < 0.1
    assert torch.equal(
        RandomBlurred(0.0)(linear, images[1:], asked.at(torch.tensor([1]))), rough[1:]
    )


def test_deep_lift_of_probabilities_takes_the_slope_of_the_softmax(photos: Batch) -> None:
    torch.manual_seed(0)
    linear = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 3)).eval())
    leaf, grey = photos.images.clone().requires_grad_(), torch.full_like(photos.images, 0.3)
    score = ASKED.score(linear(leaf).softmax(1))
    (slope,) = torch.autograd.grad(score.sum(), leaf)
    wanted = (slope * (photos.images - grey)).sum(1)
    found = DeepLift.as_published(Constant(0.3))(linear, photos.images, ASKED)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-7)


class Gated(nn.Module):
    """A product of two linear maps, which DeepLIFT has no rule for; its dropout is off."""

    def __init__(self) -> None:
        super().__init__()
        self.drop, self.flat = nn.Dropout(), nn.Flatten()
        self.one, self.two = nn.Linear(3 * 64, 3), nn.Linear(3 * 64, 3)

    def forward(self, images: Tensor) -> Tensor:
        flat = self.flat(self.drop(images))
        return self.one(flat) * self.two(flat)


@pytest.mark.parametrize("method", [DeepLift(), DeepLift.as_published(), DeepLift.as_in_dapi()])
def test_deep_lift_says_where_it_has_no_rule_whatever_is_explained(
    method: DeepLift, photos: Batch
) -> None:
    torch.manual_seed(0)
    gated = Classifier(Gated().eval())
    said = r"DeepLift must sum to .* are Flatten \('flat'\); IntegratedGradients needs no rules"
    with pytest.raises(ValueError, match=said):
        explain(method, gated, photos, ASKED)


@pytest.mark.parametrize("method", [DeepLift.as_published(), GuidedGradCam()])
def test_programs_whose_modules_cannot_be_seen_are_said_to_be_that(
    method: Explainer, relus: Classifier, photos: Batch
) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit", FutureWarning)
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        program = torch.jit.trace(relus.net, photos.images)
    assert isinstance(program, nn.Module)
    saved = Classifier(program)
    with pytest.raises(ValueError, match="cannot be seen: a network saved with TorchScript"):
        explain(method, saved, photos, ASKED)
