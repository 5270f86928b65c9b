"""What mask optimisers do at each step, and what Lime fits: by hand, or with Adam replaced."""

from dataclasses import dataclass, field, replace
from typing import Literal

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rather import Batch, Classifier, Explainer, Question
from rather.explainers import Bbmp, Cells, Fido, Lime, MeaningfulPerturbation
from rather.explainers.cells import roughness
from rather.explainers.circle import disc
from rather.explainers.segmenters import Slic
from rather.infillers import Constant, KeptMean
from rather.types import Images, Keep

ASKED = Question(torch.tensor([0, 1]), torch.tensor([1, 0]))
FIRST = Question(torch.tensor([0]), torch.tensor([1]))
STILL = MeaningfulPerturbation(
    Constant(0.0), cells=8, upsample="nearest", jitter=0, binary=False, steps=1
)


@dataclass
class Tape:
    """Stands for Adam: writes down its step sizes and slopes, and moves the cells to `grid`."""

    grid: Tensor
    rates: list[float] = field(default_factory=list)
    slopes: list[Tensor] = field(default_factory=list)
    cells: list[Tensor] = field(default_factory=list)
    param_groups: list[dict[str, float]] = field(default_factory=list)

    def __call__(self, cells: list[Tensor], lr: float) -> "Tape":
        self.cells, self.param_groups = list(cells), [{"lr": lr}]
        return self

    def step(self) -> None:
        self.rates.append(self.param_groups[0]["lr"])
        slope = self.cells[0].grad
        assert slope is not None
        self.slopes.append(slope.clone())
        self.cells[0].data.copy_(self.grid)


@pytest.fixture
def tape(monkeypatch: pytest.MonkeyPatch) -> Tape:
    torch.manual_seed(2)
    tape = Tape(0.2 + 0.6 * torch.rand(2, 1, 8, 8))
    monkeypatch.setattr(torch.optim, "Adam", tape)
    return tape


def shown(
    method: Explainer, classifier: Classifier, images: Images, question: Question = ASKED
) -> list[Images]:
    """What the classifier is shown, call by call."""
    seen: list[Images] = []
    watched = Classifier(classifier.net, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    note = watched.net.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    method(watched, images, question)
    note.remove()
    return seen


def shifts(images: Images) -> list[Images]:
    """Images mirrored at the end and moved by 0 to 3 pixels along each axis."""
    wide = F.pad(images, (0, 3, 0, 3), mode="reflect")
    return [wide[..., top : top + 8, left : left + 8] for top in range(4) for left in range(4)]


def mirrored(images: Images, keep: Keep, generator: torch.Generator) -> Images:
    """A fill that differs from place to place, and with what is shown."""
    return images.flip(3)


def test_the_hybrid_is_shifted_as_a_whole(linear: Classifier, batch: Batch) -> None:
    found = set()
    for seed in range(12):
        still = replace(STILL, infiller=mirrored, seed=seed)
        (hybrid,) = shown(still, linear, batch.images)
        (moved,) = shown(replace(still, jitter=4), linear, batch.images)
        fits = [torch.allclose(moved, each, atol=1e-6) for each in shifts(hybrid)]
        assert sum(fits) == 1
        found.add(fits.index(True))
    assert len(found) > 4
    assert {place // 4 for place in found} == {place % 4 for place in found} == {0, 1, 2, 3}


def test_a_mask_may_stay_while_the_image_moves(linear: Classifier, batch: Batch) -> None:
    found = set()
    for seed in range(6):
        still = replace(STILL, binary=True, seed=seed)
        keep = shown(still, linear, torch.ones_like(batch.images))[0][:, :1]
        jittery = replace(still, infiller=KeptMean(), jitter=4, jitter_keep=False)
        (moved,) = shown(jittery, linear, batch.images)
        fits = []
        for image in shifts(batch.images):
            mean = (keep * image).sum((2, 3), keepdim=True) / keep.sum((2, 3), keepdim=True)
            fits.append(torch.allclose(moved, torch.where(keep > 0, image, mean), atol=1e-6))
        assert sum(fits) == 1
        found.add(fits.index(True))
    assert len(found) > 2


def test_a_mask_of_ones_starts_with_the_image(linear: Classifier, batch: Batch) -> None:
    (seen,) = shown(replace(STILL, init="ones"), linear, batch.images)
    assert torch.allclose(seen, batch.images, atol=1e-6)


class Middle(nn.Module):
    """Sees the four pixels in the middle."""

    def forward(self, images: Images) -> Tensor:
        mean = images[:, :, 111:113, 111:113].mean((1, 2, 3))
        return torch.stack([mean, torch.zeros_like(mean)], 1)


def test_the_circle_is_the_first_that_leaves_less_than_a_hundredth() -> None:
    """A disc blurred by 10 leaves exp(-r^2 / 200) of its middle: 0.011 at 30, 0.002 at 35."""
    white = torch.ones(1, 3, 224, 224)
    method = replace(STILL, init="circle", cells=224, output="logit")
    first = shown(method, Classifier(Middle().eval()), white, FIRST)[-1]
    assert torch.allclose(first, disc(white, 35.0, 10.0).expand_as(white), atol=1e-5)
    assert float(first[..., 111:113, 111:113].mean()) == pytest.approx(0.0022, abs=5e-4)


def test_roughness_is_added_to_the_price() -> None:
    square = torch.tensor([[[[0.0, 0.5], [1.0, 0.5]]]])  # differs by 1, and twice by a half
    for method, exponent, rough in (
        (MeaningfulPerturbation(smooth=2.0), 3.0, 1.25),
        (MeaningfulPerturbation(smooth=2.0, exponent=4.0), 4.0, 1.125),
        (Fido(smooth=2.0), 2.0, 1.5),
    ):
        assert float(roughness(square, exponent)) == pytest.approx(rough)
        paid = method.price(square) - replace(method, smooth=0.0).price(square)
        assert float(paid) == pytest.approx(2 * rough, rel=1e-5)


@pytest.mark.parametrize("objective", ["ssr", "sdr"])
def test_bbmp_pays_for_roughness_as_for_area(
    objective: Literal["ssr", "sdr"], tape: Tape, linear: Classifier, batch: Batch
) -> None:
    bbmp = Bbmp(Constant(0.5), objective, cell=1, steps=2, area=0.0)
    for method in (bbmp, replace(bbmp, smooth=0.7), replace(bbmp, area=64.0)):
        method(linear, batch.images, ASKED)
    plain, smooth, area = tape.slopes[1::2]
    pixel = (area - plain) * (1 if objective == "ssr" else -1)  # the slope of a price of 1
    cells = tape.grid.clone().requires_grad_()
    (slope,) = torch.autograd.grad(roughness(cells, 2.0).sum(), cells)
    assert pixel.min() > 0
    assert torch.allclose((smooth - plain) / pixel, 0.7 * slope, atol=1e-4)


def test_step_sizes_fall_to_zero(tape: Tape, linear: Classifier, batch: Batch) -> None:
    for method, wanted in (
        (Fido(Constant(0.5), cell=1, levels=1, steps=4, rate=0.2), [0.2, 0.15, 0.1, 0.05]),
        (Bbmp(Constant(0.5), cell=1, steps=4, rate=0.2), [0.2, 0.15, 0.1, 0.05]),
        (replace(STILL, steps=4, rate=0.2), [0.2, 0.2, 0.2, 0.2]),
    ):
        tape.rates.clear()
        method(linear, batch.images, ASKED)
        assert tape.rates == pytest.approx(wanted)


def enlarged(cells: Tensor, corners: bool) -> Tensor:
    return F.interpolate(cells, (8, 8), mode="bilinear", align_corners=corners)


@pytest.mark.parametrize("corners", [False, True])
def test_fido_upsamples_its_maps_as_asked(
    corners: bool, tape: Tape, linear: Classifier, batch: Batch
) -> None:
    tape.grid = torch.tensor([[3.0, -2.0], [-1.0, 0.5]]).expand(2, 1, 2, 2)
    fido = Fido(Constant(0.5), cell=4, levels=1, steps=1, align_corners=corners)
    for method, drop in (
        (replace(fido, map_from="logit"), enlarged(tape.grid, corners).sigmoid()[:, 0]),
        (replace(fido, map_from="probability"), enlarged(tape.grid.sigmoid(), corners)[:, 0]),
    ):
        kept, gone = method, replace(method, objective="sdr")
        assert torch.allclose(kept(linear, batch.images, ASKED), 0.5 - drop, atol=1e-5)
        assert torch.allclose(gone(linear, batch.images, ASKED), drop - 0.5, atol=1e-5)


@pytest.mark.parametrize("corners", [False, True])
def test_fido_upsamples_its_masks_as_asked(
    corners: bool, tape: Tape, linear: Classifier, batch: Batch
) -> None:
    tape.grid = torch.tensor([[20.0, -20.0], [-20.0, -20.0]]).expand(2, 1, 2, 2)
    fido = Fido(Constant(0.0), cell=4, levels=1, steps=2, noise="cell", align_corners=corners)
    seen = shown(fido, linear, torch.ones_like(batch.images))[-1]
    keep = enlarged((tape.grid < 0).float(), corners)  # noise changes nothing that is so sure
    assert torch.allclose(seen, keep[:1].expand_as(seen), atol=1e-5)
    drop = fido.dropped(tape.grid / 10, batch.images)
    assert torch.allclose(drop, enlarged((tape.grid / 10).sigmoid(), corners), atol=1e-5)


def test_bbmp_shows_the_infiller_what_is_kept_by_half(
    tape: Tape, linear: Classifier, batch: Batch
) -> None:
    seen: list[Keep] = []

    def spy(images: Images, keep: Keep, generator: torch.Generator) -> Images:
        seen.append(keep)
        return torch.full_like(images, 0.5)

    tape.grid[..., 0], tape.grid[..., 1], tape.grid[..., 2] = 1.0, 0.75, 0.45
    for method, least in ((Bbmp(spy), 0.5), (Bbmp.as_published(spy), 1.0)):
        replace(method, cell=1, steps=2)(linear, batch.images, ASKED)
        assert torch.equal(seen[-1], (tape.grid >= least).float())


@pytest.mark.parametrize("antithetic", [True, False])
def test_lime_is_a_weighted_ridge_regression(
    antithetic: bool, linear: Classifier, batch: Batch
) -> None:
    """White where a segment is shown and black elsewhere, so that images tell the rows."""
    bent = nn.Sequential(linear.net, nn.Tanh()).eval()
    lime = Lime(Constant(0.0), Cells(4), samples=41, antithetic=antithetic)
    white = torch.ones_like(batch.images[:1])
    seen = torch.cat(shown(lime, Classifier(bent), white, FIRST))
    rows = seen[:, 0, ::2, ::2].flatten(1).double()
    assert rows.shape == (41, 16)
    assert rows[0].min() == 1
    assert bool((rows[1::2] + rows[2::2] == 1).all()) == antithetic
    with torch.no_grad():
        values = FIRST.at(torch.zeros(41, dtype=torch.long)).score(bent(seen)).double()
    weights = torch.exp(-((1 - rows.mean(1).sqrt()) ** 2) / 0.25**2).sqrt()
    table = torch.cat([rows, torch.ones(41, 1, dtype=torch.double)], 1)
    penalty = torch.diag(torch.tensor([1.0] * 16 + [0.0], dtype=torch.double))
    across = table.T @ (weights[:, None] * table) + penalty
    expected = torch.linalg.solve(across, table.T @ (weights * values))
    found = lime.fit(Classifier(bent, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)), white, FIRST)
    assert torch.allclose(found.coefficients[0].double(), expected[:16], atol=1e-5)


def test_smoothed_superpixels_do_not_follow_fine_patterns() -> None:
    rows = torch.arange(24)
    checked = ((rows[:, None] + rows) % 2).float().expand(1, 3, 24, 24)
    flat = Slic(9, compactness=3.0)(torch.full_like(checked, 0.5))
    assert torch.equal(Slic(9, compactness=3.0, sigma=3.0)(checked), flat)
    assert not torch.equal(Slic(9, compactness=3.0)(checked), flat)
