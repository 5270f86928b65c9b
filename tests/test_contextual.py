"""DeepFill v1: attention in closed form, contract, losses, and both trainings, small."""

from pathlib import Path

import pytest
import skimage.data
import torch
from followed import followed
from PIL import Image
from torch.nn import functional as F

from rather import fill
from rather.data.folder import Crop
from rather.fitting.boxes import OneBox
from rather.fitting.contextual import ContextualRecipe, depth_weight, penalty, stage_loss
from rather.fitting.fit import Plan, fit
from rather.infillers import KeptMean
from rather.infillers.contextual import ContextualAttention
from rather.networks.attention import attend, diagonal, fused, shown_patches
from rather.networks.contextual import BoxCritic, ContextualNet, around
from rather.networks.weights import load, packed


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An untrained network: what must hold of every weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("contextual") / "net.safetensors"
    path.write_bytes(packed(ContextualNet(width=4), {}))
    return str(path)


def only_shown(row: int, column: int, size: int) -> torch.Tensor:
    """All cells hidden but the 3x3 around one."""
    hidden = torch.ones(1, 1, size, size)
    hidden[..., row - 1 : row + 2, column - 1 : column + 2] = 0
    return hidden


def test_a_patch_that_alone_is_shown_is_copied_everywhere() -> None:
    """A 4x4 patch of period 2 comes out unchanged where four copies of it overlap."""
    torch.manual_seed(0)
    features = torch.rand(1, 5, 16, 16)
    tile = torch.rand(1, 5, 2, 2).tile(1, 1, 2, 2)
    features[..., 7:11, 5:9] = tile  # the 4x4 patch of the cell (4, 3), which starts one before it
    copied = attend(features, only_shown(4, 3, 8))
    wanted = tile.tile(1, 1, 4, 4).roll((-1, -1), (2, 3))
    torch.testing.assert_close(copied[..., 1:-1, 1:-1], wanted[..., 1:-1, 1:-1])


def test_hidden_patches_get_no_weight() -> None:
    torch.manual_seed(0)
    features, hidden = torch.rand(2, 4, 12, 12), torch.zeros(2, 1, 6, 6)
    hidden[0, :, :3], hidden[1, :, :, :3] = 1, 1
    other = features.clone()
    other[0, :, :5] += 100  # a shown patch reaches one row beyond its own cells
    other[1, :, :, :5] += 100
    kept = attend(features, hidden)
    assert kept.max() <= features.max() + 1e-5
    usable = shown_patches(hidden).view(2, 6, 6)
    assert usable[0].any(1).tolist() == [False] * 4 + [True] * 2
    assert attend(other, hidden).max() < 90


def test_published_weights_do_not_sum_to_one() -> None:
    features, hidden = torch.ones(1, 1, 12, 12), torch.zeros(1, 1, 6, 6)
    hidden[..., :3] = 1
    ours = attend(features, hidden, scale=0.0)
    theirs = attend(features, hidden, scale=0.0, renormalise=False)
    torch.testing.assert_close(theirs, ours * 12 / 36)  # 12 of 36 patches hold no hidden cell


def test_where_no_patch_is_shown_all_are_copied() -> None:
    features = torch.full((1, 2, 8, 8), 0.3)
    copied = attend(features, torch.ones(1, 1, 4, 4))[..., 1:-1, 1:-1]
    torch.testing.assert_close(copied, features[..., 1:-1, 1:-1])


def test_fusion_adds_neighbours_along_rows_and_then_along_columns() -> None:
    """A score at (patch, place) helps the pairs that are its neighbours in both images."""
    scores = torch.zeros(1, 12, 12)
    scores[0, 5, 6] = 1  # patch (1, 1) at place (1, 2), on a 3x4 grid
    assert diagonal(scores)[0].nonzero().tolist() == [[4, 5], [5, 6], [6, 7]]
    wanted = sorted(
        [4 * (1 + down) + 1 + right, 4 * (1 + down) + 2 + right]
        for down in (-1, 0, 1)
        for right in (-1, 0, 1)
    )
    assert fused(scores, 3, 4)[0].nonzero().tolist() == wanted


def test_hidden_pixels_and_neighbours_do_not_matter(weights: str) -> None:
    infiller, images = ContextualAttention(weights), torch.rand(3, 3, 21, 34)
    keep = torch.ones(3, 1, 21, 34)
    keep[..., 5:17, 9:20] = 0
    made = infiller(images, keep, seeded())
    assert torch.equal(made, infiller(images.where(keep > 0, torch.nan), keep, seeded()))
    alone = infiller(images[2:], keep[2:], seeded())
    torch.testing.assert_close(alone, made[2:], rtol=0, atol=1e-4)
    moved = infiller((images + 0.2).clamp(0, 1).where(keep > 0, images), keep, seeded())
    assert not torch.equal(moved, made)


@pytest.mark.parametrize("size", [(1, 1), (8, 13), (33, 18)])
@pytest.mark.parametrize("shown", [0.0, 1.0])
def test_any_size_with_all_or_nothing_shown(
    weights: str, size: tuple[int, int], shown: float
) -> None:
    images, keep = torch.rand(1, 3, *size), torch.full((1, 1, *size), shown)
    filled = fill(ContextualAttention(weights), images, keep, seeded())
    assert filled.isfinite().all()
    assert torch.equal(filled, images) == bool(shown)


def test_depth_discounts_as_in_a_box() -> None:
    hidden = torch.zeros(1, 1, 11, 12)
    hidden[..., 2:9, 3:10] = 1
    rows = torch.arange(7).minimum(6 - torch.arange(7))
    wanted = 0.9 ** torch.minimum(rows[:, None], rows[None]).float()
    weight = depth_weight(hidden, 0.9)
    torch.testing.assert_close(weight[0, 0, 2:9, 3:10], wanted)
    assert weight.sum() == pytest.approx(wanted.sum().item())


def test_stage_loss_in_closed_form() -> None:
    images, keep = torch.full((1, 3, 8, 8), 0.5), torch.ones(1, 1, 8, 8)
    keep[..., 3:5, 3:5] = 0
    stages = images + 0.1 * (1 - keep), images - 0.2 * keep
    wanted = 2 * 1.2 * (1.2 * 0.1 + 0.2)
    assert stage_loss(stages, images, keep, 0.9).item() == pytest.approx(wanted, rel=1e-4)


def test_the_local_critic_sees_the_square_around_the_hole() -> None:
    images = torch.arange(64.0).view(1, 1, 8, 8).expand(2, 3, 8, 8)
    keep = torch.ones(2, 1, 8, 8)
    keep[0, :, 2:5, 3:6] = 0
    keep[1, :, :1, 7:] = 0
    cut = around(images, keep, 3)
    assert torch.equal(cut[0], images[0, :, 2:5, 3:6])
    assert torch.equal(cut[1], images[1, :, :3, 5:])


def test_the_penalty_asks_for_a_slope_of_one_in_the_hole() -> None:
    class Slope(torch.nn.Module):
        """Two scores with slopes of length 1 and 3 in a hole of 4 values."""

        def forward(self, images: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
            inside, outside = (images * (1 - keep)).sum((1, 2, 3)), (images * keep).sum((1, 2, 3))
            total = inside / 12**0.5 + 7 * outside
            return torch.stack([total, 3 * total], 1)

    images, keep = torch.rand(2, 3, 4, 4), torch.ones(2, 1, 4, 4)
    keep[..., 1:3, 1:3] = 0
    found = penalty(Slope(), images, 1 - images, keep, seeded())
    assert found.item() == pytest.approx(4, rel=1e-4)


def test_an_unknown_critic_is_refused() -> None:
    with pytest.raises(ValueError, match="it is 'patch' or 'box'"):
        ContextualRecipe(critic="local")


def test_the_published_recipe() -> None:
    published = ContextualRecipe.as_published()
    assert (published.width, published.side, published.critic_steps) == (32, 256, 5)
    assert (published.critic, published.renormalise, published.adversarial) == ("box", False, 0.001)


def test_the_hidden_part_takes_the_shown_colour() -> None:
    colours = torch.tensor([[0.2, 0.5, 0.8], [0.8, 0.2, 0.4]])
    recipe = ContextualRecipe(width=6, rate=4e-3, adversarial=0.005, holes=OneBox())
    images = colours[:, :, None, None].repeat(1, 1, 16, 16)
    before, after = (recipe.validate(followed(recipe, colours, 16, n, 4), images) for n in (0, 30))
    assert before["L1"] > 0.25
    assert after["L1"] < 0.15
    assert after["L1, coarse"] < 0.15


@pytest.mark.parametrize("critic", ["patch", "box"])
def test_both_critics_learn(critic: str) -> None:
    recipe = ContextualRecipe(width=4, critic=critic, critic_steps=2, side=32)
    start, end = (followed(recipe, torch.rand(2, 3), 32, steps, 2) for steps in (0, 2))
    pairs = zip(start["critic"].named_parameters(), end["critic"].parameters(), strict=True)
    same = [name for (name, old), new in pairs if torch.equal(old, new)]
    assert not [name for name in same if "weight" in name]


def test_fit_follows_the_recipe(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16), (200, 50, 100)).save(tmp_path / "one.png")
    recipe, plan = ContextualRecipe(width=4), Plan(steps=2, batch=2, held=1)
    out = fit(recipe, tmp_path, tmp_path / "net.safetensors", plan, Crop(16), "cpu")
    card = load(str(out))[1]
    assert card["recipe"] == repr(recipe)
    assert set(card["metrics"]) == {"step", "L1", "L1, coarse"}
    images, keep = torch.rand(1, 3, 9, 9), torch.zeros(1, 1, 9, 9)
    assert ContextualAttention(str(out))(images, keep, seeded()).isfinite().all()


def test_the_shipped_weights_fill_a_real_photo_better_than_its_mean() -> None:
    """A cat, in whose fur four squares are missing; no cat was in the training."""
    photo = torch.from_numpy(skimage.data.chelsea()).permute(2, 0, 1)[None] / 255
    images = F.interpolate(photo[..., 76:376], (224, 224), mode="bilinear", antialias=True)
    keep = torch.ones(1, 1, 224, 224)
    for row, column in ((20, 20), (150, 30), (60, 160), (160, 150)):
        keep[..., row : row + 40, column : column + 40] = 0
    filled, mean = (
        fill(infiller, images, keep, seeded()) for infiller in (ContextualAttention(), KeptMean())
    )
    lost, rival = (
        (made - images).abs()[keep.expand_as(images) < 1].mean() for made in (filled, mean)
    )
    assert lost < 0.9 * rival


def test_each_critic_scores_every_image() -> None:
    scores = BoxCritic(32, (4, 4, 4, 4))(torch.rand(3, 3, 32, 32), torch.zeros(3, 1, 32, 32))
    assert scores.shape == (3, 2)
