"""Metrics of explanations against answers that can be worked out by hand."""

import pytest
import torch
from torch import Tensor, nn

from rather import Batch, Classifier, Explanation, Question, edit, explain, measure
from rather.data.segments import slic
from rather.explainers import IntegratedGradients
from rather.infillers import Constant, Paste
from rather.metrics import Closeness, Deletion, Insertion, Pointing, Srg
from rather.metrics.curve import Start, area, curve, means, rank, shares
from rather.metrics.pointing import over_classes


def told(classifier: Classifier, batch: Batch, heatmaps: Tensor) -> Explanation:
    return explain(lambda *_: heatmaps, classifier, batch)


@pytest.fixture
def heat() -> Tensor:
    return torch.rand(2, 8, 8, generator=torch.Generator().manual_seed(5))


@pytest.fixture
def constant() -> Classifier:
    """Answers every image alike: probability 3/4 for the second class."""
    last = nn.Linear(192, 2)
    last.weight.data.zero_()
    last.bias.data = torch.tensor([1.0, 3.0]).log()
    return Classifier(nn.Sequential(nn.Flatten(), last).eval())


def test_a_constant_classifier_makes_every_curve_flat(
    constant: Classifier, batch: Batch, heat: Tensor
) -> None:
    explanation = told(constant, batch, heat)
    expected = torch.full((2,), 0.75)
    torch.testing.assert_close(measure(Deletion(), constant, explanation), expected)
    torch.testing.assert_close(measure(Insertion(), constant, explanation), expected)
    torch.testing.assert_close(measure(Srg(), constant, explanation), torch.zeros(2))


def test_the_area_is_the_trapezoid_rule() -> None:
    values = torch.rand(3, 21)
    expected = (values.sum(1) - values[:, 0] / 2 - values[:, -1] / 2) / 20
    torch.testing.assert_close(area(values, shares(20)), expected)


def test_a_curve_shows_one_hybrid_after_the_other(linear: Classifier) -> None:
    image = torch.rand(1, 3, 8, 8)
    rows = torch.arange(8.0).flip(0)[:, None].expand(8, 8)[None]  # the top row goes first
    explanation = told(linear, Batch(image, torch.tensor([0]), ("one",)), rows)
    cases: list[tuple[Start, slice]] = [("image", slice(4, 8)), ("hidden", slice(0, 4))]
    for start, visible in cases:
        found = curve(linear, explanation, Constant(0.2), (0.0, 0.5, 1.0), "morf", start)
        half = torch.full_like(image, 0.2)
        half[:, :, visible] = image[:, :, visible]
        expected = explanation.question.probability(linear(half))
        torch.testing.assert_close(found[:, 1], expected)


def test_every_share_of_an_image_is_filled_with_the_same_noise(
    linear: Classifier, batch: Batch, heat: Tensor
) -> None:
    made: list[Tensor] = []

    def spy(images: Tensor, keep: Tensor, generator: torch.Generator) -> Tensor:
        made.append(torch.rand(images.shape, generator=generator))
        return made[-1]

    measure(Deletion(spy, steps=3, batch=2), linear, told(linear, batch, heat))
    assert len(made) == 4
    assert all(torch.equal(one, made[0]) for one in made)


def test_filling_with_the_image_itself_leaves_the_answer(
    linear: Classifier, batch: Batch, heat: Tensor
) -> None:
    explanation = told(linear, batch, heat)
    before = explanation.question.probability(explanation.logits)
    for metric in (Deletion(Paste(batch.images)), Insertion(Paste(batch.images))):
        torch.testing.assert_close(measure(metric, linear, explanation), before)


def test_the_exact_contributions_of_a_linear_net_are_the_best_order(linear: Classifier) -> None:
    """With a constant fill no other order lowers the logit faster; few enough pixels to try all."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).eval()
    torch.manual_seed(3)
    net[1].weight.data = torch.rand(2, 12) * torch.tensor([[0.2], [0.0]])
    small = Classifier(net, mean=(0.0,) * 3, std=(1.0,) * 3)
    batch = Batch(torch.rand(1, 3, 2, 2), torch.tensor([0]), ("one",))
    question = Question(torch.tensor([0]), torch.tensor([1]))
    exact = (net[1].weight.data[0].view(3, 2, 2) * batch.images).sum(1)
    orders = torch.cartesian_prod(*[torch.arange(4.0)] * 4)
    orders = orders[[len(set(order.tolist())) == 4 for order in orders]].view(-1, 1, 2, 2)

    def deletion(heatmaps: Tensor) -> float:
        explanation = explain(lambda *_: heatmaps, small, batch, question)
        return measure(Deletion(Constant(0.0), steps=4), small, explanation).item()

    values = [deletion(order) for order in orders]
    assert len(values) == 24
    assert deletion(exact) == pytest.approx(min(values))
    assert deletion(-exact) == pytest.approx(max(values))


def test_srg_is_insertion_less_deletion(linear: Classifier, batch: Batch, heat: Tensor) -> None:
    explanation = told(linear, batch, heat.round(decimals=1))  # many ties
    fill = Constant(0.2)
    gain = measure(Insertion(fill), linear, explanation) - measure(
        Deletion(fill), linear, explanation
    )
    torch.testing.assert_close(measure(Srg(fill), linear, explanation), gain)
    assert (gain.abs() > 1e-3).all()


def test_srg_changes_sign_with_the_heat(linear: Classifier, batch: Batch, heat: Tensor) -> None:
    one, other = (measure(Srg(), linear, told(linear, batch, sign * heat)) for sign in (1, -1))
    torch.testing.assert_close(one, -other)


def test_srg_of_chance_is_0_in_the_mean(linear: Classifier, batch: Batch) -> None:
    wide = Batch(
        batch.images[:1].expand(400, 3, 8, 8), torch.zeros(400, dtype=torch.int64), ("x",) * 400
    )
    scores = measure(Srg(steps=4), linear, told(linear, wide, torch.rand(400, 8, 8)))
    assert scores.mean().abs() < 4 * scores.std() / 20
    assert scores.std() > 1e-3


def test_only_the_order_of_heat_counts(linear: Classifier, batch: Batch, heat: Tensor) -> None:
    plain, bent = told(linear, batch, heat), told(linear, batch, 7 * heat**3 - 100)
    for metric in (Deletion(), Insertion(), Srg()):
        assert torch.equal(measure(metric, linear, plain), measure(metric, linear, bent))


def test_ties_follow_the_seed_and_not_the_raster() -> None:
    flat = torch.zeros(1, 8, 8)
    assert torch.equal(rank(flat), rank(flat + 1))
    assert not torch.equal(rank(flat), rank(flat, seed=1))
    assert not torch.equal(rank(flat).flatten(), torch.arange(64))
    assert torch.equal(rank(flat, "lerf"), 63 - rank(flat, "morf"))
    assert torch.equal(rank(torch.rand(1, 8, 8), "random"), rank(flat, "random"))


def test_segments_are_ranked_by_their_mean_and_go_as_wholes() -> None:
    heat = torch.tensor([[[9.0, 0.0, 0.0, 5.0]]])
    parts = torch.tensor([[[0, 0, 0, 1]]])
    assert means(heat[0], parts[0]).tolist() == [3, 5]
    assert rank(heat, segments=parts).tolist() == [[[1, 1, 1, 0]]]
    assert rank(heat, "lerf", segments=parts).tolist() == [[[0, 0, 0, 1]]]


def test_slic_numbers_regions_without_gaps() -> None:
    images = nn.functional.interpolate(torch.rand(2, 3, 3, 3), (16, 16), mode="bilinear")
    for parts in slic(images, 9):
        assert parts.unique().tolist() == list(range(int(parts.max()) + 1))
        assert 4 <= parts.max() < 20
    assert torch.equal(slic(images, 9)[1:], slic(images[1:], 9))
    halves = torch.zeros(1, 3, 16, 16)
    halves[..., 8:] = 1
    parts = slic(halves, 4)[0]
    assert parts.max() > 0
    for part in parts.unique():
        assert len(halves[0, 0][parts == part].unique()) == 1  # no region lies across the edge


@pytest.mark.parametrize("steps", [0, (0.5,), (0.5, 0.2), (0.0, 1.5)])
def test_steps_that_make_no_curve_are_refused(steps: int | tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="give a number of at least 1, or two or more rising"):
        Deletion(steps=steps)


def test_a_faithful_order_beats_its_reverse(linear: Classifier, batch: Batch) -> None:
    good = explain(IntegratedGradients(), linear, batch)
    bad = told(linear, batch, -good.heatmaps)
    assert (measure(Deletion(), linear, good) < measure(Deletion(), linear, bad)).all()
    assert (measure(Insertion(), linear, good) > measure(Insertion(), linear, bad)).all()


def test_pointing_hits_strictly_within_the_tolerance(linear: Classifier, batch: Batch) -> None:
    heatmaps = torch.zeros(2, 8, 8)
    heatmaps[:, 5, 0] = 1  # the true region ends at row 3, so 2 px away
    explanation = told(linear, batch, heatmaps)

    for metric, hit in (
        (Pointing(2.0, scale=False), 0),
        (Pointing(2.1, scale=False), 1),
        (Pointing(2.0 * 224 / 8), 0),
        (Pointing(2.1 * 224 / 8), 1),
    ):
        assert measure(metric, linear, explanation).tolist() == [hit, hit]


def test_pointing_measures_distances_as_the_crow_flies(linear: Classifier, batch: Batch) -> None:
    regions = torch.zeros(2, 8, 8, dtype=torch.bool)
    regions[:, 0, 0] = True
    heatmaps = torch.zeros(2, 8, 8)
    heatmaps[:, 3, 4] = 1  # 5 px away
    explanation = told(linear, Batch(batch.images, batch.labels, batch.names, regions), heatmaps)
    for tolerance, hit in ((4.9, 0), (5.1, 1)):
        metric = Pointing(tolerance, scale=False)
        assert measure(metric, linear, explanation).tolist() == [hit, hit]


def test_heat_on_the_region_hits_and_an_empty_region_is_no_question(
    linear: Classifier, batch: Batch
) -> None:
    assert batch.regions is not None
    inside = told(linear, batch, batch.regions.float())
    assert measure(Pointing(tolerance=0.0), linear, inside).tolist() == [1, 1]
    nowhere = Batch(batch.images, batch.labels, batch.names, torch.zeros_like(batch.regions))
    assert measure(Pointing(), linear, told(linear, nowhere, inside.heatmaps)).isnan().all()


def test_pointing_says_what_the_dataset_lacks(linear: Classifier, batch: Batch) -> None:
    bare = Batch(batch.images, batch.labels, batch.names)
    with pytest.raises(ValueError, match="needs the true regions"):
        measure(Pointing(), linear, told(linear, bare, torch.zeros(2, 8, 8)))


def test_the_published_pointing_score_weighs_classes_alike() -> None:
    hits = torch.tensor([1.0, 1.0, 0.0, 0.0, torch.nan])
    assert over_classes(hits, torch.tensor([7, 7, 7, 9, 9])) == pytest.approx((2 / 3 + 0) / 2)


def test_closeness_is_the_mean_change_of_a_channel(linear: Classifier, batch: Batch) -> None:
    other = torch.tensor([0, 1])
    brighter = edit(lambda _, images, __: images * 0.5 + 0.1, linear, batch.images, other)
    expected = (batch.images - (batch.images * 0.5 + 0.1)).abs().mean((1, 2, 3))
    torch.testing.assert_close(measure(Closeness(), linear, brighter), expected)
