"""LTX: what must hold of mask networks, their loss, their training and their fine-tuning."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from skimage.data import chelsea, coffee
from torch import Tensor, nn
from torch.nn import functional as F

from rather import Batch, Classifier, Question, explain, progress
from rather.data.photo import look
from rather.explainers import Ltx
from rather.explainers.cells import upsampled
from rather.explainers.ltx import Tune
from rather.explainers.mask_loss import PENALTIES, MaskLoss
from rather.explainers.survival import survival
from rather.explainers.trunk import Trunk, copied, fresh, loaded
from rather.fitting import Arrays, Crop, MaskRecipe, Plan, fit
from rather.infillers import Constant
from rather.models import load
from rather.networks.masker import MaskNet
from rather.networks.weights import packed
from rather.view import View

FLAT = Crop(size=16, zoom=1.0, rare_zoom=1.0, flip=False)
PLAN = Plan(3, 4, warmup=1, average=0.5, held=4, validate_every=2, save_seconds=0.0)
RECIPE = MaskRecipe("test_ltx:patterns", side=16, rate=1e-2, area=2.0, anneal=2)


class Patterns(nn.Module):
    """Convolutions with batch norms and a dropout, over 4 x 4 places."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 4, stride=4),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            nn.Conv2d(8, 8, 1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
        )
        self.head = nn.Sequential(nn.Dropout(), nn.Linear(8, 3))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images).mean((2, 3)))


def patterns() -> Classifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        net = Patterns()
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.get_buffer("running_mean").uniform_(-1, 1)
                module.get_buffer("running_var").uniform_(0.5, 2)
    return Classifier(net.eval(), view=View(crop=16), name="patterns")


@pytest.fixture
def classifier() -> Classifier:
    return patterns()


@pytest.fixture
def photos() -> Batch:
    images = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(5))
    return Batch(images, torch.tensor([0, 1, 2]), ("a", "b", "c"))


@pytest.fixture
def weights(classifier: Classifier, photos: Batch, tmp_path: Path) -> Path:
    return stored(fresh(classifier, photos.images, classes=3, hidden=5, seed=1), tmp_path)


def stored(net: MaskNet, folder: Path) -> Path:
    path = folder / "mask.safetensors"
    path.write_bytes(packed(net, {"recipe": "MaskRecipe('patterns')"}))
    return path


ASKED = Question(torch.tensor([0, 1, 2]), torch.tensor([1, 2, 0]))


@pytest.mark.parametrize("tune", ["all", "head", "logits"])
def test_without_a_step_it_is_the_network(
    classifier: Classifier, photos: Batch, weights: Path, tune: Tune
) -> None:
    net = loaded(str(weights), classifier, photos.images)
    with torch.no_grad():
        grid = net(photos.images, ASKED.target).sigmoid()
    expected = upsampled(grid, photos.images)[:, 0] - 0.5
    for method in (
        Ltx(str(weights), steps=0, tune=tune),
        Ltx(str(weights), steps=1, rates=(9.0, 9.0), tune=tune, select="pos"),
    ):
        found = explain(method, classifier, photos, ASKED)
        torch.testing.assert_close(found.heatmaps, expected, rtol=0, atol=1e-6)
        assert (found.cost.forward, found.cost.backward) == (3, 0)  # the answers alone


def test_files_fit_prepared_and_unprepared_classifiers_and_no_others(
    classifier: Classifier, photos: Batch, weights: Path
) -> None:
    method = Ltx(str(weights), steps=2, rates=(0.1, 0.1))
    one, two = (
        explain(method, each, photos, ASKED).heatmaps for each in (classifier, classifier.prepare())
    )
    torch.testing.assert_close(one, two, rtol=0, atol=1e-4)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3))
    net(photos.images)
    other = Classifier(net.eval(), name="other")
    with pytest.raises(ValueError, match=r"does not fit other: it was trained by MaskRecipe"):
        explain(method, other, photos, ASKED)
    with pytest.raises(ValueError, match="holds a FourierUNet, but a MaskNet is needed"):
        explain(Ltx("rather-inpainter-v2"), classifier, photos, ASKED)


def test_prices_are_those_of_the_paper() -> None:
    ends = torch.tensor([0.0, 1.0])
    assert PENALTIES["softplus"](ends).tolist() == pytest.approx([0.6931, 1.3133], abs=1e-4)
    masks = torch.rand(100, 49, generator=torch.Generator().manual_seed(0))
    price, share = PENALTIES["softplus"](masks).mean(1), masks.mean(1)
    assert (price >= 0.6931 + 0.5 * share).all()
    assert (price <= 0.6932 + 0.6201 * share).all()
    assert PENALTIES["bce"](torch.tensor([0.5])).item() == pytest.approx(0.6931, abs=1e-4)
    squared = MaskLoss(Constant(0.0), 3.0, "square").share(masks.view(100, 1, 7, 7))
    torch.testing.assert_close(squared, share**2)


def test_the_loss_is_cross_entropy_and_area(classifier: Classifier, photos: Batch) -> None:
    """Without a foil among all classes, with one between two; the inverse counts the opposite."""
    grid = torch.rand(3, 1, 2, 2, generator=torch.Generator().manual_seed(1))
    keep = upsampled(grid, photos.images)
    with torch.no_grad():
        logits, rest = (classifier(photos.images * part) for part in (keep, 1 - keep))
        area = 7 * grid.mean((1, 2, 3))
        for asked, inverse in ((Question(ASKED.target), 0.0), (ASKED, 0.0), (ASKED, 0.5)):
            found = MaskLoss(Constant(0.0), 7.0, "mean", inverse)(
                classifier, photos.images, asked, grid, torch.Generator()
            )
            expected = F.cross_entropy(logits, asked.target, reduction="none")
            if asked.foil is not None:
                expected = F.softplus(-asked.score(logits))
            expected = expected - inverse * torch.log1p(-asked.probability(rest))
            torch.testing.assert_close(found, expected + area)


def test_drawn_masks_keep_as_often_as_the_shares_say() -> None:
    """Each image has noise of its own, the gradient arrives, and dimming gains nothing."""
    loss = MaskLoss(Constant(0.0), 0.0, "mean", temperature=0.2)
    grid = torch.tensor([0.1, 0.6]).repeat(5000, 1, 1, 1).requires_grad_()
    keep = loss.drawn(grid, torch.Generator().manual_seed(0))
    often = (keep > 0.5).float().mean((0, 1, 2))
    torch.testing.assert_close(often, torch.tensor([0.1, 0.6]), rtol=0, atol=0.02)
    slope = torch.autograd.grad(keep.sum(), grid)[0]
    assert (slope >= 0).all()
    assert (slope.mean((0, 1, 2)) > 0.1).all()

    class Ratio(nn.Module):  # how bright the left half is, whatever the light
        def forward(self, images: Tensor) -> Tensor:
            total = images.mean((1, 2, 3)) + 1e-3
            share = images[..., :8].mean((1, 2, 3)) / total
            return torch.stack([9 * share - 4.5, torch.zeros_like(share)], 1)

    dim, whole = torch.full((64, 1, 4, 4), 0.1), torch.ones(64, 1, 4, 4)
    asked = Question(torch.zeros(64, dtype=torch.long))
    plain = Classifier(Ratio().eval(), mean=(0.0,) * 3, std=(1.0,) * 3, view=View(crop=16))
    given = plain, torch.ones(64, 3, 16, 16), asked
    for each, worse in ((loss, True), (replace(loss, temperature=0.0), False)):
        lost, least = (each(*given, one, torch.Generator().manual_seed(0)) for one in (dim, whole))
        assert (lost.mean() > 3 * least.mean()) == worse
    with pytest.raises(ValueError, match="temperature must be at least 0"):
        MaskRecipe("any", temperature=-1.0)
    with pytest.raises(ValueError, match="start is a share of `area`, from 0 to 1, but is 2"):
        MaskRecipe("any", start=2.0)


def test_a_file_holds_what_its_map_is_made_of(classifier: Classifier, photos: Batch) -> None:
    net = fresh(classifier, photos.images, layer="body.2")
    kept = {name.removeprefix("trunk.classifier.") for name in net.state_dict()}
    assert {name for name in kept if name.startswith("net.")} == {
        "net.body.0.weight",
        "net.body.0.bias",
    }
    whole = Trunk(copied(classifier, photos.images), "body.2")
    with torch.no_grad():
        torch.testing.assert_close(net.trunk(photos.images), whole(photos.images))
    assert isinstance(classifier.net.get_submodule("head.1"), nn.Linear)  # whose copy it is


def test_what_is_shown_of_a_drawn_mask_is_its_region(photos: Batch) -> None:
    grid = torch.tensor([0.2, 0.6]).repeat(3, 1, 2, 1)
    keep = upsampled(grid, photos.images)
    whole = photos.images * (keep > 0.5)
    drawn = replace(RECIPE, temperature=0.2)
    torch.testing.assert_close(drawn.shown(photos.images, grid), whole)
    torch.testing.assert_close(RECIPE.shown(photos.images, grid), photos.images * keep)


def test_the_price_of_area_rises_from_a_share_of_it(photos: Batch) -> None:
    recipe = replace(RECIPE, anneal=4, start=0.25, area=8.0)
    nets = recipe.networks()
    first, risen, later = (
        float(loss.detach())
        for step in (0, 3, 9)
        for _, loss in recipe.losses(nets, photos.images, torch.Generator(), step)
    )
    kept = float(nets["masker"](photos.images, ASKED.target).sigmoid().mean().detach())
    assert risen - first == pytest.approx(8 * kept * 0.75 * 0.75, rel=1e-3)
    assert later == risen


class Survives(nn.Module):
    """Sees class 0 while at least `count` pixels shine."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, images: Tensor) -> Tensor:
        seen = (images[:, 0] > 0.5).sum((1, 2)) >= self.count
        return torch.stack([seen.float(), 1 - seen.float()], 1)


@pytest.mark.parametrize(
    ("count", "area"), [(101, 0), (100, 5), (90, 15), (51, 45), (20, 85), (10, 90), (0, 90)]
)
def test_survival_takes_the_values_of_the_paper(count: int, area: int) -> None:
    judge = Classifier(Survives(count).eval(), mean=(0.0,) * 3, std=(1.0,) * 3)
    images, heat = torch.ones(1, 3, 10, 10), torch.arange(100.0).view(1, 10, 10)
    for order in ("morf", "lerf"):
        found = survival(judge, images, Question(torch.tensor([0])), heat, order)
        assert found.item() == pytest.approx(area, abs=1e-4)


def test_survival_hides_the_best_or_the_worst_first() -> None:
    class Corner(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.stack([images[:, 0, 9, 9], 0.5 + 0 * images[:, 0, 0, 0]], 1)

    judge = Classifier(Corner().eval(), mean=(0.0,) * 3, std=(1.0,) * 3)
    images, heat = torch.ones(1, 3, 10, 10), torch.arange(100.0).view(1, 10, 10)
    asked = Question(torch.tensor([0]), torch.tensor([1]))
    assert survival(judge, images, asked, heat, "morf").item() == pytest.approx(5)
    assert survival(judge, images, asked, heat, "lerf").item() == pytest.approx(90)


@pytest.mark.parametrize("tune", ["all", "head", "logits"])
def test_the_step_that_is_kept_is_no_worse_than_the_first(
    classifier: Classifier, photos: Batch, weights: Path, tune: Tune
) -> None:
    """At a rate that overshoots; with a sane one the loss falls."""
    for rate, better in ((3.0, False), (0.03, True)):
        method = Ltx(str(weights), steps=8, rates=(rate, rate), tune=tune, area=3.0)
        first, last = (
            loss_of(replace(method, steps=steps), classifier, photos) for steps in (1, 8)
        )
        assert (last <= first + 1e-6).all()
        assert not better or (last < first - 1e-3).any()


def loss_of(method: Ltx, classifier: Classifier, photos: Batch) -> Tensor:
    """Of the map at its full size, whose mean is that of the grid here, but for the borders."""
    keep = explain(method, classifier, photos, ASKED).heatmaps[:, None] + 0.5
    grid = F.avg_pool2d(keep, 4)
    with torch.no_grad():
        logits = classifier(photos.images * keep)
    return F.softplus(-ASKED.score(logits)) + method.area * grid.mean((1, 2, 3))


def test_published_selection_takes_the_least_survival_and_stops_early(
    classifier: Classifier, photos: Batch, weights: Path
) -> None:
    method = Ltx(str(weights), steps=6, rates=(0.3, 0.3), select="pos")

    def lived(method: Ltx) -> Tensor:
        heat = explain(method, classifier, photos, ASKED).heatmaps
        return survival(classifier, photos.images, ASKED, heat, "morf")

    assert (lived(method) <= lived(replace(method, steps=1))).all()
    enough = replace(method, enough=91.0)  # any map will do
    found = explain(enough, classifier, photos, ASKED)
    first = explain(replace(method, steps=1), classifier, photos, ASKED)
    assert torch.equal(found.heatmaps, first.heatmaps)
    assert found.cost.forward + found.cost.backward == 3 * 11 + 3  # a look, and the answers


class Constantly(MaskNet):
    """One parameter: every place is kept alike."""

    def __init__(self) -> None:
        super().__init__(nn.Identity(), 3)
        self.level = nn.Parameter(torch.zeros(()))

    def forward(self, images: Tensor, target: Tensor) -> Tensor:
        return self.level.expand(len(images), 1, 2, 2)


class Brightness(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        bright = 8 * images.mean((1, 2, 3)) - 2
        return torch.stack([bright, torch.zeros_like(bright)], 1)


def test_one_parameter_comes_to_the_least_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """softplus(2 - 8 m) + 1.5 m is least where sigmoid(2 - 8 m) = 1.5 / 8."""
    monkeypatch.setattr("rather.explainers.ltx.Tuned", Level)
    monkeypatch.setattr("rather.explainers.ltx.fresh", lambda *_, **__: Constantly())
    bright = Classifier(Brightness().eval(), mean=(0.0,) * 3, std=(1.0,) * 3)
    method = Ltx("", steps=500, rates=(0.05, 0.05), area=1.5)
    heat = method(bright, torch.ones(1, 3, 4, 4), Question(torch.tensor([0])))
    best = (2 - math.log(1.5 / 6.5)) / 8
    assert heat.numpy() == pytest.approx(best - 0.5, abs=0.002)


class Level:
    """In place of `Tuned`: its only part is the level of a constant mask."""

    def __init__(self, net: MaskNet, images: Tensor, question: Question, tune: str) -> None:
        self.net, self.images, self.target = Constantly(), images, question.target
        self.parts = [self.net.level]

    def __call__(self) -> Tensor:
        return self.net(self.images, self.target).sigmoid()


def test_who_hears_the_class(classifier: Classifier, photos: Batch, tmp_path: Path) -> None:
    """Without channels a class is heard in fine-tuning alone."""

    def apart(path: Path, steps: int) -> float:
        method = Ltx(str(path), steps=steps, rates=(0.1, 0.1), area=1.0)
        asked = (Question(ASKED.target), Question((ASKED.target + 1) % 3))
        one, two = (explain(method, classifier, photos, each).heatmaps for each in asked)
        return float((one - two).abs().max())

    for classes in (0, 3):
        path = stored(fresh(classifier, photos.images, classes=classes), tmp_path)
        assert (apart(path, 0) > 1e-3) is (classes > 0)
        assert apart(path, 4) > 1e-3


@pytest.mark.parametrize("labels", [(), (0, 2)])
def test_a_training_learns_leaves_the_classifier_alone_and_resumes(
    labels: tuple[int, ...], tmp_path: Path
) -> None:
    recipe = replace(RECIPE, labels=labels)
    data = source(labels)
    classifier = patterns()
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    whole = fit(recipe, data, tmp_path / "one.safetensors", PLAN, FLAT, "cpu")
    broken = tmp_path / "two.safetensors"

    def dies(label: str, done: int, total: int | None) -> None:
        if (label, done) == ("training", 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), progress.listening(dies):
        fit(recipe, data, broken, PLAN, FLAT, "cpu")
    fit(recipe, data, broken, PLAN, FLAT, "cpu")
    one, two = (load_file(path) for path in (whole, broken))
    assert all(torch.equal(one[name], two[name]) for name in one)
    photos = Batch(torch.rand(2, 3, 16, 16), torch.tensor([0, 1]), ("a", "b"))
    asked = Question(photos.labels)
    heat, again, untrained = (
        explain(Ltx(weights, steps=0), classifier, photos, asked).heatmaps
        for weights in (str(whole), str(whole), "")
    )
    assert torch.equal(heat, again)
    assert not torch.equal(heat, untrained)
    assert all(torch.equal(before[name], value) for name, value in classifier.state_dict().items())


class Unlabelled:
    """The same pictures for a recipe that learns from pictures alone."""

    def __init__(self, arrays: Arrays) -> None:
        self.arrays, self.names, self.digest = arrays, arrays.names, arrays.digest

    def batch(self, count: int, crop: Crop, seed: int, step: int, part: slice) -> Tensor:
        return self.arrays.batch(count, crop, seed, step, part).images

    def held_out(self, count: int, crop: Crop) -> Tensor:
        return self.arrays.held_out(count, crop).images


def source(labels: tuple[int, ...]) -> Arrays | Unlabelled:
    noise = torch.randint(256, (24, 3, 16, 16), generator=torch.Generator().manual_seed(0))
    arrays = Arrays(noise.to(torch.uint8), torch.arange(24) % 2, 0.2)
    return arrays if labels else Unlabelled(arrays)


def test_a_longer_training_lowers_the_loss(tmp_path: Path) -> None:
    plan = replace(PLAN, steps=60, validate_every=60, batch=8, average=0.8)
    path = fit(RECIPE, source(()), tmp_path / "a.safetensors", plan, FLAT, "cpu")
    judged, images = patterns(), torch.rand(16, 3, 16, 16)
    with torch.no_grad():
        target = judged(images).argmax(1)

    def loss(net: MaskNet) -> float:
        with torch.no_grad():
            grid = net(images, target).sigmoid()
            asked = (judged, images, Question(target), grid, torch.Generator())
            return float(RECIPE.loss()(*asked).mean())

    trained = loaded(str(path), judged, images)
    assert loss(trained) < loss(fresh(judged, images)) - 0.05


def test_a_transformer_lends_its_tokens_and_keeps_its_embeddings(photos: Batch) -> None:
    timm = pytest.importorskip("timm")
    sizes = {"img_size": 16, "patch_size": 4, "embed_dim": 8, "depth": 1, "num_heads": 2}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = timm.models.VisionTransformer(**sizes, num_classes=3)
    transformer = Classifier(net.eval(), name="vit", view=View(crop=16))
    masker = fresh(transformer, photos.images, "norm", tokens=1, hidden=8)
    assert masker(photos.images, ASKED.target).shape == (3, 1, 4, 4)
    learned = {name for name, part in masker.named_parameters() if part.requires_grad}
    still = {name for name, _ in masker.named_parameters()} - learned
    assert {name.split(".net.")[1].split(".")[0] for name in still} == {
        "cls_token",
        "pos_embed",
        "patch_embed",
    }
    method = Ltx("", steps=3, rates=(0.01, 0.01), layer="norm", tokens=1)
    assert explain(method, transformer, photos, ASKED).heatmaps.std() > 0
    with pytest.raises(ValueError, match=r"layer 'norm' answers \(1, 17, 8\), no map"):
        explain(replace(method, tokens=None), transformer, photos, ASKED)


def test_batch_norms_of_the_trunk_cannot_learn(classifier: Classifier, photos: Batch) -> None:
    own = copied(classifier, photos.images)
    assert not [each for each in own.modules() if isinstance(each, nn.BatchNorm2d)]
    with torch.no_grad():
        torch.testing.assert_close(own(photos.images), classifier(photos.images))


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="steps must be at least 0, but is -1"):
        Ltx("", steps=-1)
    with pytest.raises(ValueError, match=r"enough=5.0 is a level of select='pos' or 'neg'"):
        Ltx("", enough=5.0)


def test_the_shipped_network_chooses_a_region_of_a_photo() -> None:
    """It is decided, and keeps neither nothing nor all; that it suffices is not claimed.

    On this photo it does not (benchmarks/results/ltx).
    """
    classifier = load("efficientnet-lite0")
    image = Image.fromarray(chelsea()).resize((224, 224), box=(110, 20, 370, 280))
    images = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255
    batch = Batch(images, torch.tensor([282]), ("cat",))  # tiger cat
    found = explain(Ltx("ltx-efficientnet-lite0", steps=0), classifier, batch)
    share = (found.heatmaps > 0).float()
    assert 0.03 < float(share.mean()) < 0.6
    assert float((found.heatmaps.abs() > 0.4).float().mean()) > 0.7


def test_the_shipped_ranking_keeps_what_the_answer_hangs_on() -> None:
    """Of a photo of an espresso, which it never saw, on black: the best part beats the rest."""
    classifier = load("efficientnet-lite0")
    photo = look(Image.fromarray(coffee()), classifier.view)[None]
    asked = Question(classifier(photo).argmax(1).detach())
    batch = Batch(photo, asked.target, ("cup",))
    found = explain(Ltx("ltx-efficientnet-lite0-v2", steps=0), classifier, batch, asked)
    heat = found.heatmaps
    assert abs(float(heat.mean())) < 0.1  # a map of the ranking has a middle
    best, rest = (
        (heat > heat.quantile(0.6)).float()[:, None],
        (heat < heat.quantile(0.4)).float()[:, None],
    )
    with torch.no_grad():
        kept, left = (float(asked.log_odds(classifier(photo * part))) for part in (best, rest))
    assert kept > left + 3
