"""Metrics of contrastive explanations: deletion, localisation, class sensitivity, randomisation."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rather import Batch, Classifier, Explanation, Question, edit, explain, measure
from rather.editors import PixelAscent
from rather.explainers import GradCam, IntegratedGradients, Occlusion, RandomBlurred, Residual
from rather.infillers import Constant, Edited, Paste
from rather.metrics import (
    Antisymmetry,
    ClassSensitivity,
    Completeness,
    InverseLocalisation,
    Mprt,
    OneVsOneDeletion,
    Robustness,
)
from rather.metrics.mprt import layers, untouched
from rather.metrics.similarity import spearman

ASCENT = PixelAscent(steps=5, halvings=0, margin=1e3)
ASKED = Question(torch.tensor([1, 0]), torch.tensor([0, 1]))


def exact(linear: Classifier, images: Tensor, fill: float) -> Tensor:
    weights = linear.net.get_parameter("1.weight").detach().view(2, 3, 8, 8)
    slope = weights[ASKED.target] - weights[[0, 1]]
    return (slope * (images - fill)).sum(1)


def given(heat: Tensor, classifier: Classifier, batch: Batch) -> Explanation:
    return explain(lambda *_: heat, classifier, batch, ASKED)


@pytest.mark.parametrize("of", ["probability", "score"])
def test_the_exact_contribution_deletes_the_lead_fastest(
    of: Any, linear: Classifier, batch: Batch
) -> None:
    metric = OneVsOneDeletion(Constant(0.5), of, steps=64)
    heat = exact(linear, batch.images, 0.5)
    best, worst = (measure(metric, linear, given(each, linear, batch)) for each in (heat, -heat))
    for seed in range(5):
        chance = torch.rand(2, 8, 8, generator=torch.Generator().manual_seed(seed))
        found = measure(metric, linear, given(chance, linear, batch))
        assert (best < found).all()
        assert (found < worst).all()


def test_the_lead_is_a_difference_of_probabilities(linear: Classifier, batch: Batch) -> None:
    result = given(torch.rand(2, 8, 8), linear, batch)
    for of in ("score", "probability"):
        curve = OneVsOneDeletion(Constant(0.5), of, steps=2).curve(linear, result)
        logits = linear(batch.images).detach()
        wanted = ASKED.score(logits if of == "score" else logits.softmax(1))
        torch.testing.assert_close(curve[:, 0], wanted)
        swapped = replace(result, question=Question(torch.tensor([0, 1]), ASKED.target))
        turned = OneVsOneDeletion(Constant(0.5), of, steps=2).curve(linear, swapped)
        torch.testing.assert_close(turned, -curve)
    alone = explain(Residual(), linear, batch)
    with pytest.raises(ValueError, match="compares two classes; ask Question"):
        measure(OneVsOneDeletion(), linear, alone)


def test_inverse_localisation_of_a_constant_is_1(linear: Classifier, batch: Batch) -> None:
    metric = InverseLocalisation()
    flat = measure(metric, linear, given(torch.full((2, 8, 8), -0.3), linear, batch))
    torch.testing.assert_close(flat, torch.ones(2))
    assert batch.regions is not None
    inside = measure(metric, linear, given(-batch.regions.float(), linear, batch))
    torch.testing.assert_close(inside, torch.full((2,), 2.0))  # the regions are halves
    outside = measure(metric, linear, given(1 - batch.regions.float(), linear, batch))
    assert not outside.any()
    assert measure(metric, linear, given(torch.zeros(2, 8, 8), linear, batch)).isnan().all()
    bare = Batch(batch.images, batch.labels, batch.names)
    with pytest.raises(ValueError, match="needs the object's region"):
        measure(metric, linear, explain(Residual(), linear, bare))


def test_completeness_is_what_the_sum_misses(linear: Classifier, batch: Batch) -> None:
    result = explain(IntegratedGradients(Constant(0.2), steps=1), linear, batch, ASKED)
    torch.testing.assert_close(
        measure(Completeness(), linear, result), torch.zeros(2), rtol=0, atol=1e-5
    )
    off = replace(result, heatmaps=result.heatmaps + 0.5 / 64)
    scores = [ASKED.score(linear(each)) for each in (batch.images, torch.full((2, 3, 8, 8), 0.2))]
    wanted = 0.5 / (scores[0] - scores[1]).abs().clamp(min=1)
    torch.testing.assert_close(measure(Completeness(), linear, off), wanted.detach())
    edited = explain(IntegratedGradients(Edited(ASCENT)), linear, batch, ASKED)
    assert measure(Completeness(), linear, edited).max() < 1e-4
    with pytest.raises(ValueError, match="has no baseline"):
        measure(Completeness(), linear, explain(RandomBlurred(), linear, batch))


def test_a_map_that_ignores_the_question_scores_0(convolutional: Classifier, batch: Batch) -> None:
    blind = explain(RandomBlurred(), convolutional, batch)
    found = measure(ClassSensitivity(), convolutional, blind)
    torch.testing.assert_close(found, torch.zeros(2), rtol=0, atol=1e-6)
    torch.testing.assert_close(ClassSensitivity().overlap(convolutional, blind), torch.ones(2))
    turned = replace(blind, question=ASKED)
    torch.testing.assert_close(measure(Antisymmetry(), convolutional, turned), torch.ones(2))
    assert measure(Antisymmetry(), convolutional, blind).isnan().all()


def test_metrics_that_explain_again_do_so_inside_inference_mode(
    convolutional: Classifier, batch: Batch
) -> None:
    found = explain(IntegratedGradients(steps=2), convolutional, batch, ASKED)
    wanted = measure(ClassSensitivity(), convolutional, found)
    with torch.inference_mode():
        assert torch.equal(measure(ClassSensitivity(), convolutional, found), wanted)


def test_two_classes_of_opposite_evidence_score_1(linear: Classifier, batch: Batch) -> None:
    weights = linear.net.get_parameter("1.weight").data
    weights[1] = -weights[0]
    for asked in (ASKED, None):  # foil, or runner-up
        result = explain(IntegratedGradients(steps=1), linear, batch, asked)
        torch.testing.assert_close(measure(ClassSensitivity(), linear, result), torch.ones(2))
        assert ClassSensitivity().overlap(linear, result).max() < 0.05


def test_explainers_linear_in_the_score_are_antisymmetric(
    convolutional: Classifier, batch: Batch
) -> None:
    pasted = Paste(batch.images.flip(3))
    explainers = [
        IntegratedGradients(pasted, steps=3),
        IntegratedGradients(Edited(ASCENT), steps=3),
        Occlusion(pasted, size=4, stride=2),
    ]
    for explainer in explainers:
        result = explain(explainer, convolutional, batch, ASKED)
        assert measure(Antisymmetry(), convolutional, result).max() < 1e-4
    relu = explain(GradCam(), convolutional, batch, ASKED)
    assert measure(Antisymmetry(), convolutional, relu).max() > 0.1


class Deep(nn.Module):
    """Two convolutions of one shape, batch norm, a parameter of its own, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 2)  # stands first, runs last
        self.token = nn.Parameter(torch.full((4, 1, 1), 0.1))
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.third, self.norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.norm(self.first(images)).relu() + self.token
        return self.head(self.third(self.second(maps).relu()).relu().mean((2, 3)))


@pytest.fixture
def deep() -> Classifier:
    torch.manual_seed(50)
    net = Deep()
    net.norm.get_buffer("running_mean").fill_(0.3)
    return Classifier(net.eval())


def test_layers_stand_in_the_order_in_which_they_run(deep: Classifier, batch: Batch) -> None:
    assert layers(deep, batch.images) == ["first", "norm", "second", "third", "head"]
    assert untouched(deep, batch.images) == ["token"]
    with pytest.raises(ValueError, match="has no layer with reset_parameters"):
        layers(
            Classifier(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()), batch.images
        )


class Attentive(nn.Module):
    """Attention as torch has it, which keeps its input weights to itself and calls no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, stride=4)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patches(images).flatten(2).mT
        return self.head(self.attention(tokens, tokens, tokens)[0].mean(1))


def test_attention_of_torch_is_randomised_with_its_projections(batch: Batch) -> None:
    of = Classifier(Attentive().eval())
    assert layers(of, batch.images) == ["patches", "attention", "head"]
    assert untouched(of, batch.images) == []
    before = copy.deepcopy(of.net.state_dict())
    _, second, _ = Mprt("independent").randomised(of, batch.images)
    now = second.net.state_dict()
    changed = {name for name, value in before.items() if not torch.equal(now[name], value)}
    assert changed == {"attention.in_proj_weight", "attention.out_proj.weight"} | {
        name for name in changed if name.endswith("bias")
    }


@pytest.mark.parametrize("order", ["top_down", "bottom_up", "independent"])
def test_layers_are_randomised_one_after_another(
    order: Any, deep: Classifier, batch: Batch
) -> None:
    before = copy.deepcopy(deep.net.state_dict())
    draws = torch.get_rng_state()
    names = ["first", "norm", "second", "third", "head"]
    expected = names[::-1] if order == "top_down" else names
    for depth, each in enumerate(Mprt(order).randomised(deep, batch.images)):
        state = each.net.state_dict()
        changed = {key.split(".")[0] for key in before if not torch.equal(state[key], before[key])}
        reach = expected[depth : depth + 1] if order == "independent" else expected[: depth + 1]
        assert changed == set(reach)
        if {"second", "third"} <= changed:
            assert not torch.equal(state["second.weight"], state["third.weight"])
    assert torch.equal(torch.get_rng_state(), draws)
    assert all(torch.equal(now, before[key]) for key, now in deep.net.state_dict().items())


def test_maps_of_the_image_alone_survive_every_randomisation(
    deep: Classifier, batch: Batch
) -> None:
    blind = explain(Residual(Constant(0.5)), deep, batch)
    for likeness in ("spearman", "spearman_abs", "ssim", "hog"):
        found = measure(Mprt(likeness=likeness), deep, blind)
        torch.testing.assert_close(found, torch.ones(2), rtol=1e-4, atol=1e-4)
    seeing = explain(IntegratedGradients(Constant(0.5), steps=8), deep, batch)
    assert (measure(Mprt(likeness="spearman"), deep, seeing) < 0.9).all()
    assert Mprt().curve(deep, seeing).shape == (2, 5)


def test_the_baseline_is_kept_or_edited_again_or_refitted(deep: Classifier, batch: Batch) -> None:
    answer = deep(batch.images).argmax(1)
    asked = Question(answer, 1 - answer)
    shown = explain(Residual(Edited(ASCENT)), deep, batch, asked)
    kept = Mprt(likeness="spearman").curve(deep, shown)
    torch.testing.assert_close(kept, torch.ones(2, 5))
    again = Mprt(likeness="spearman", editor="again").curve(deep, shown)
    assert (again < 0.99).any()
    fitted: list[Classifier] = []

    def refit(classifier: Classifier) -> PixelAscent:
        fitted.append(classifier)
        return ASCENT

    same = Mprt(likeness="spearman", refit=refit).curve(deep, shown)
    torch.testing.assert_close(same, again)
    assert len(fitted) == 5
    assert all(each is not deep for each in fitted)


def test_robustness_to_the_baseline_edits_anew(convolutional: Classifier, batch: Batch) -> None:
    plain = explain(IntegratedGradients(Constant(0.5), steps=4), convolutional, batch, ASKED)
    edited = explain(IntegratedGradients(Edited(ASCENT), steps=4), convolutional, batch, ASKED)
    found = measure(Robustness("baseline", (Edited(ASCENT),)), convolutional, plain)
    torch.testing.assert_close(found, spearman(plain.heatmaps, edited.heatmaps))


def test_a_pasted_counterfactual_is_judged_like_the_editors(
    convolutional: Classifier, batch: Batch
) -> None:
    pair = edit(ASCENT, convolutional, batch.images, torch.tensor([0, 1]))
    one, other = (
        explain(IntegratedGradients(each, steps=4), convolutional, batch, ASKED)
        for each in (Paste(pair.edited), Edited(ASCENT))
    )
    robust = Robustness("steps", (2,))
    for metric in (OneVsOneDeletion(), ClassSensitivity(), Mprt(), Completeness(), robust):
        found = [measure(metric, convolutional, each) for each in (one, other)]
        torch.testing.assert_close(*found)
