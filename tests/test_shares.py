"""Masks of a given share, and networks that learn what goes first from masks of a drawn one."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from rather import Batch, Classifier, Question, explain
from rather.explainers import Ltx
from rather.explainers.mask_loss import SHOWN, SIZES, MaskLoss
from rather.explainers.shares import at_share
from rather.explainers.trunk import fresh
from rather.fitting import MaskRecipe
from rather.infillers import Constant
from rather.networks.weights import packed
from rather.spec import build
from rather.view import View

LOSS = MaskLoss(Constant(0.0), 0.0, "drawn", inverse=1.0, temperature=0.3)


def test_a_mask_keeps_the_share_that_is_asked_and_the_order_of_its_ratings() -> None:
    grid = torch.randn(4, 1, 7, 7, generator=torch.Generator().manual_seed(0)).double()
    share = torch.tensor([0.01, 0.3, 0.6, 0.97]).double()
    for temperature in (0.05, 0.3, 1.0):
        keep = at_share(grid, share, temperature)
        torch.testing.assert_close(keep.mean((1, 2, 3)), share, rtol=0, atol=1e-5)
        ordered = keep.flatten(1).gather(1, grid.flatten(1).argsort(1))
        assert (ordered.diff(dim=1) >= 0).all()
        torch.testing.assert_close(
            at_share(40 * grid - 7, share, temperature), keep, rtol=0, atol=0.02
        )
    assert ((at_share(grid, share, 0.01) > 0.5).double().mean((1, 2, 3)) - share).abs().max() < 0.02
    even = at_share(torch.full((1, 1, 7, 7), 3.0), torch.tensor([0.2]), 0.3)
    torch.testing.assert_close(even, torch.full_like(even, 0.2))


def test_each_image_draws_a_size_of_its_own_and_the_gradient_arrives() -> None:
    grid = torch.rand(2000, 1, 4, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    keep = LOSS.drawn(grid, torch.Generator().manual_seed(1))
    sizes = keep.detach().mean((1, 2, 3))
    middle = sum(SIZES) / 2
    assert sizes.mean() == pytest.approx(middle, abs=0.01)
    assert sizes.min() == pytest.approx(SIZES[0], abs=0.01)
    assert sizes.max() == pytest.approx(SIZES[1], abs=0.01)
    slope = torch.autograd.grad(keep[:, :, 0, 0].sum(), grid)[0]
    assert (slope[:, :, 0, 0] > 0).all()
    shown = LOSS.region(grid.detach()).mean((1, 2, 3))
    torch.testing.assert_close(shown, torch.full_like(shown, SHOWN), rtol=0, atol=1e-5)


def test_what_is_priced_is_what_standardising_changes() -> None:
    """It changes no order, and pulls logits to mean 0 and deviation 1."""
    logit = torch.tensor([-2.0, 1.0, 4.0]).view(1, 1, 1, 3).requires_grad_()
    usual = torch.tensor([-1.5, 0.0, 1.5]) / 1.5**0.5
    price = LOSS.share(logit.sigmoid())
    away = logit.detach().flatten() - usual
    torch.testing.assert_close(price, away.square().mean()[None], rtol=0, atol=0.01)
    slope = torch.autograd.grad(price.sum(), logit)[0].flatten()
    torch.testing.assert_close(slope, 2 * away / 3, rtol=0, atol=0.01)
    usual = torch.tensor([-1.0, 1.0]).view(1, 1, 1, 2).sigmoid()
    torch.testing.assert_close(LOSS.share(usual), torch.zeros(1), rtol=0, atol=1e-4)


class Spots(nn.Module):
    """Says class 1 while the second and the last of four by four places are seen, both."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Conv2d(3, 1, 4, stride=4, bias=False)
        nn.init.constant_(self.look.weight, 1 / 48)  # a mean

    def forward(self, images: Tensor) -> Tensor:
        seen = self.look(images).flatten(1)
        score = 8 * (seen[:, 1] + seen[:, 15]) - 12
        return torch.stack([torch.zeros_like(score), score], 1)


def test_what_the_answer_hangs_on_comes_first() -> None:
    classifier = Classifier(Spots().eval(), mean=(0.0,) * 3, std=(1.0,) * 3, view=View(crop=16))
    batch = Batch(torch.ones(2, 3, 16, 16), torch.ones(2, dtype=torch.long), ("a", "b"))
    made = MaskRecipe.as_ranking("any")
    method = Ltx(
        "",
        steps=60,
        rates=(0.1, 0.1),
        decay=0.0,
        tune="logits",
        select="neg",
        area=made.area,
        area_penalty=made.area_penalty,
        inverse=made.inverse,
        temperature=made.temperature,
        layer="look",
    )
    heat = explain(method, classifier, batch, Question(batch.labels)).heatmaps
    rated = nn.functional.avg_pool2d(heat[:, None], 4).flatten(1)
    assert rated.argsort(1)[:, -2:].sort(1).values.tolist() == [[1, 15]] * 2


RECIPES = {
    repr(MaskRecipe.as_ranking("some.safetensors")): Ltx(
        "", select="neg", area=0.1, area_penalty="drawn", inverse=1.0, temperature=0.3
    ),
    "MaskRecipe('some', area=16.0, area_penalty='square', infiller=Constant(value=0.5))": Ltx(
        "", area=16.0, area_penalty="square"
    ),
    "by hand: area=3": Ltx(""),
    "by hand": Ltx(""),
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_network_is_fine_tuned_as_it_was_trained(recipe: str, tmp_path: Path) -> None:
    classifier = Classifier(Spots().eval(), mean=(0.0,) * 3, std=(1.0,) * 3, view=View(crop=16))
    batch = Batch(torch.rand(1, 3, 16, 16), torch.ones(1, dtype=torch.long), ("a",))
    path = tmp_path / "mask.safetensors"
    path.write_bytes(packed(fresh(classifier, batch.images, "look"), {"recipe": recipe}))
    method = Ltx.as_trained(str(path))
    assert replace(method, weights="") == RECIPES[recipe]
    known = {"Ltx": Ltx}
    assert build(f"Ltx.as_trained({str(path)!r})", known) == method
    explain(replace(method, steps=2), classifier, batch, Question(batch.labels))  # and no warning
    other = Ltx(str(path), steps=2, area=99.0)
    if "by hand" in recipe:
        explain(other, classifier, batch, Question(batch.labels))
    else:
        with pytest.warns(UserWarning, match=r"was trained with area=.*as_trained\('"):
            explain(other, classifier, batch, Question(batch.labels))
        explain(replace(other, steps=0), classifier, batch, Question(batch.labels))


def test_what_is_held_out_is_judged_at_the_size_that_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    classifier = Classifier(Spots().eval(), mean=(0.0,) * 3, std=(1.0,) * 3, view=View(crop=16))
    monkeypatch.setattr("rather.fitting.mask.judge", lambda name, device: classifier)
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    recipe = replace(MaskRecipe.as_ranking("spots"), side=16, layer="look")
    nets = recipe.networks()
    with torch.no_grad():
        found = recipe.validate(nets, images)
    assert found["kept area"] == pytest.approx(SHOWN, abs=1e-4)


def test_masks_of_a_drawn_size_need_a_soft_edge_and_a_measure_of_their_order() -> None:
    with pytest.raises(ValueError, match=r"need a temperature above 0, such as 0\.3"):
        MaskLoss(Constant(0.0), 0.0, "drawn")
    with pytest.raises(ValueError, match="need select='pos' or 'neg'"):
        Ltx("any", area_penalty="drawn", temperature=0.3)
    Ltx("any", steps=0, area_penalty="drawn", temperature=0.3)
