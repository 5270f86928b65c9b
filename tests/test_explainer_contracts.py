"""What every explainer must keep, whatever it computes. A new one is one line here."""

from collections.abc import Iterator
from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor, nn

from rather import Batch, Classifier, Explainer, Question, explain
from rather.catalogue import METHODS
from rather.explainers import (
    Bbmp,
    Captum,
    Cells,
    DeepLift,
    DeepShap,
    ExpectedGradients,
    Extremal,
    Fido,
    GradCam,
    GuidedGradCam,
    InputGradient,
    IntegratedGradients,
    Lime,
    Ltx,
    MeaningfulPerturbation,
    Occlusion,
    Preservation,
    RandomBlurred,
    Residual,
    Rise,
    Slic,
)
from rather.infillers import Blur, ColourNoise, KeptMean
from rather.spec import build

FEW = (("n_steps", 3),)
WINDOW = (("sliding_window_shapes", (3, 4, 4)), ("strides", (3, 2, 2)))
DRAWN = (("n_samples", 12),)

CAPTUM = [
    Captum("IntegratedGradients", FEW),
    Captum("Saliency"),
    Captum("InputXGradient"),
    Captum("GradientShap", baseline=ColourNoise(), draws=3),
    Captum("DeepLift", baseline=Blur(sigma=2.0)),
    Captum("DeepLiftShap", baseline=ColourNoise(), draws=2),
    Captum("Occlusion", WINDOW),
    Captum("FeatureAblation", segmenter=Slic(6)),
    Captum("ShapleyValueSampling", (("n_samples", 2),), segmenter=Cells(2)),
    Captum("KernelShap", DRAWN, segmenter=Cells(2)),
    Captum("Lime", DRAWN, segmenter=Cells(2)),
    Captum("LayerGradCam"),
    Captum("LayerIntegratedGradients", FEW, layer="second"),
    Captum("NoiseTunnel", (("nt_samples", 3), ("stdevs", 0.1))),
    Captum("NoiseTunnel", (("nt_samples", 2), *FEW), inner="IntegratedGradients"),
    Captum("GuidedBackprop"),
    Captum("GuidedGradCam", layer="second"),
]
EXPLAINERS = [
    GradCam(),
    GradCam("first", signed=True),
    GradCam("first", baseline=Blur(sigma=2.0)),
    GradCam(baseline=ColourNoise(), pooled=True, signed=False, side="baseline", seed=1),
    GuidedGradCam(layer="second"),
    GuidedGradCam(ColourNoise(), "norm", side="image", batch=2),
    IntegratedGradients(steps=3, limit=3),
    IntegratedGradients(ColourNoise(), steps=2, draws=2, seed=1),
    IntegratedGradients(Blur(sigma=2.0), steps=2, rule="gauss", side="baseline"),
    IntegratedGradients.as_published(),
    DeepLift(),
    DeepLift(ColourNoise(), seed=1, side="baseline"),
    DeepLift.as_published(Blur(sigma=2.0)),
    DeepShap(ColourNoise(), draws=3),
    ExpectedGradients(ColourNoise(), draws=7),
    InputGradient(),
    InputGradient(Blur(sigma=2.0), output="probability", signed=False),
    Residual(Blur(sigma=2.0)),
    RandomBlurred(sigma=1.0),
    Occlusion(size=4, stride=2),
    Occlusion(KeptMean(), size=5, stride=3, place="centre"),
    Occlusion(ColourNoise(), size=4, stride=3, place="stretch", output="probability", draws=2),
    Preservation(cells=4, steps=3),
    Lime(segmenter=Slic(6), samples=12),
    Lime(ColourNoise(), Cells(2), samples=9, draws=2, seeds=2, output="probability"),
    Rise(samples=11, cells=3),
    Rise(ColourNoise(), samples=6, cells=2, draws=2, centred=False),
    MeaningfulPerturbation(Blur(sigma=1.0), cells=5, steps=3),
    MeaningfulPerturbation(KeptMean(), cells=4, steps=3, init="circle", fraction=0.3),
    replace(MeaningfulPerturbation.as_published(KeptMean()), steps=3),
    Extremal(Blur(sigma=1.0), areas=(0.2, 0.4), cells=4, steps=3),
    Extremal(ColourNoise(), cells=3, steps=2, output="probability"),
    Bbmp(KeptMean(), steps=3),
    Bbmp(ColourNoise(), "sdr", cell=3, steps=3, smooth=0.1),
    Fido(KeptMean(), steps=4, warmup=2),
    Fido(ColourNoise(), "joint", steps=4, smooth=0.1, refresh=2, noise="cell", tolerance=0.01),
    Fido(Blur(sigma=1.0), "sdr", cell=3, steps=3, samples=3, antithetic=False, map_from="logit"),
    Ltx("", steps=3, rates=(1e-2, 1e-2)),
    Ltx("", ColourNoise(), steps=2, layer="first", tune="head", select="neg", inverse=0.5),
    Ltx("", steps=3, rates=(0.5, 0.5), tune="logits", select="pos", area_penalty="softplus"),
    *CAPTUM,
]


class Awkward(nn.Module):
    """Writes in place, has a dropout, and its parameters want gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.ReLU(inplace=True)
        self.drop = nn.Dropout()
        self.head = nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        middle = self.relu(self.norm(self.first(images)))
        return self.head(self.drop(self.last(self.second(middle)).mean((2, 3))))


@pytest.fixture
def awkward() -> Classifier:
    torch.manual_seed(3)
    net = Awkward()
    net.norm.get_buffer("running_mean").uniform_(-1, 1)
    net.norm.get_buffer("running_var").uniform_(0.5, 2)
    return Classifier(net.eval())


@pytest.fixture
def three() -> Batch:
    torch.manual_seed(2)
    return Batch(torch.rand(3, 3, 10, 10), torch.tensor([0, 1, 2]), ("a", "b", "c"))


ASKED = Question(torch.tensor([0, 1, 2]), torch.tensor([1, 2, 0]))


def traces(net: nn.Module) -> Iterator[object]:
    """What a careless method leaves on a network."""
    for module in net.modules():
        hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks)
        yield type(module), module.training, sorted(vars(module)), [len(each) for each in hooks]
    for parameter in net.parameters():
        yield parameter.requires_grad, parameter.grad is None, parameter._version


@pytest.mark.parametrize("explainer", EXPLAINERS, ids=repr)
def test_explainers_leave_no_trace_and_answer_the_same_twice(
    explainer: Explainer, awkward: Classifier, three: Batch
) -> None:
    before, state, draws = three.images.clone(), awkward.state_dict(), torch.get_rng_state()
    values, seen = {key: value.clone() for key, value in state.items()}, list(traces(awkward))
    first = explain(explainer, awkward, three, ASKED).heatmaps
    assert torch.equal(torch.get_rng_state(), draws)
    torch.rand(1)  # a stray draw must not matter
    assert torch.equal(first, explain(explainer, awkward, three, ASKED).heatmaps)
    assert first.abs().max() > 0 or "Lime" in repr(explainer)  # its lasso may shrink all to 0
    assert torch.equal(three.images, before)
    assert not three.images.requires_grad
    assert all(torch.equal(values[key], state[key]) for key in values)
    assert list(traces(awkward)) == seen


@pytest.mark.parametrize("explainer", EXPLAINERS, ids=repr)
def test_inference_mode_around_explainers_changes_nothing(
    explainer: Explainer, awkward: Classifier, three: Batch
) -> None:
    wanted = explain(explainer, awkward, three, ASKED)
    with torch.inference_mode():  # tensors that are made in here allow no gradient
        batch = replace(three, images=three.images.clone(), labels=three.labels.clone())
        asked = replace(ASKED, target=ASKED.target.clone())
        found = explain(explainer, awkward, batch, asked)
    assert torch.equal(found.heatmaps, wanted.heatmaps)
    assert torch.equal(found.batch.images, three.images)


@pytest.mark.parametrize("explainer", EXPLAINERS, ids=repr)
def test_explainers_rate_images_one_by_one_frozen_or_not(
    explainer: Explainer, awkward: Classifier, three: Batch
) -> None:
    together = explain(explainer, awkward, three, ASKED).heatmaps
    awkward.net.requires_grad_(False)
    for row in range(3):
        one = torch.tensor([row])
        heatmaps = explainer(awkward, three.images[one], ASKED.at(one)).detach()
        torch.testing.assert_close(heatmaps, together[one], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "explainer",
    [each for each in EXPLAINERS if "batch" in {field.name for field in fields(each)}],
    ids=repr,
)
def test_the_size_of_the_batch_changes_no_result(
    explainer: Occlusion, awkward: Classifier, three: Batch
) -> None:
    usual = explain(explainer, awkward, three, ASKED).heatmaps
    for batch in (1, 3, 7, 500):
        other = explain(replace(explainer, batch=batch), awkward, three, ASKED).heatmaps
        torch.testing.assert_close(other, usual, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("explainer", EXPLAINERS, ids=repr)
def test_what_repr_prints_can_be_read(explainer: Explainer) -> None:
    assert build(repr(explainer), METHODS) == explainer


@pytest.mark.parametrize(
    "explainer",
    [
        IntegratedGradients(steps=4),
        Occlusion(size=4, stride=2),
        GradCam(signed=True),
        GradCam(baseline=Blur(sigma=2.0)),
        DeepLift(),
        DeepShap(ColourNoise(), draws=2),
        ExpectedGradients(ColourNoise(), draws=5),
        InputGradient(Blur(sigma=2.0)),
        *CAPTUM[:1],
    ],
    ids=repr,
)
def test_asking_the_other_way_round_turns_the_sign(
    explainer: Explainer, awkward: Classifier, three: Batch
) -> None:
    assert ASKED.foil is not None
    why = explain(explainer, awkward, three, ASKED).heatmaps
    why_not = explain(explainer, awkward, three, Question(ASKED.foil, ASKED.target)).heatmaps
    assert why.abs().max() > 0
    torch.testing.assert_close(why, -why_not, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", [Captum, IntegratedGradients, Occlusion])
def test_a_batch_holds_at_least_one(method: type) -> None:
    with pytest.raises(ValueError, match="batch must be at least 1, but is 0"):
        method(batch=0)
