"""Sets with a known answer: what is in an image, where, and that brightness does not tell."""

import pytest
import torch

from rather import Batch
from rather.data.composite import composite, shapes_on_textures
from rather.data.synthetic import (
    DISC,
    SQUARE,
    disc_missing,
    disc_parity,
    missing_pairs,
    parity_pairs,
)


def foreground(batch: Batch) -> list[float]:
    """Mean share of pixels that are not black, by class."""
    lit = (batch.images[:, 0] > 0).float().mean((1, 2))
    return [lit[batch.labels == label].mean().item() for label in batch.labels.unique()]


@pytest.mark.parametrize("draw", [disc_parity, disc_missing])
def test_balanced_sets_have_as_much_foreground_in_every_class(draw: type) -> None:
    leaking, balanced = (foreground(draw(360, 32, 0, each).batch) for each in (False, True))
    assert max(leaking) / min(leaking) > 1.2
    assert max(balanced) / min(balanced) < 1.1


def test_an_image_does_not_depend_on_how_many_are_drawn() -> None:
    few, many = disc_missing(3, 24, 5).batch, disc_missing(6, 24, 5).batch
    assert torch.equal(few.images, many.images[:3])
    assert not torch.equal(few.images, disc_missing(3, 24, 6).batch.images)
    assert few.images.max() == 1
    assert few.images.min() == 0


def test_the_missing_kind_is_missing_and_the_foil_lacks_what_differs() -> None:
    scenes = disc_missing(9, 48)
    for place, label in enumerate(scenes.batch.labels.tolist()):
        there = scenes.shapes[place].flatten(1).any(1).tolist()
        assert there == [kind != label for kind in range(3)]
    foil = (scenes.batch.labels + 1) % 3
    region = scenes.differing(foil)
    assert torch.equal(region[0], scenes.shapes[0, SQUARE])
    assert torch.equal(region[2], scenes.shapes[2, DISC])
    assert scenes.batch.regions is not None
    assert not (region & ~scenes.batch.regions).any()
    black = scenes.batch.images.masked_fill(scenes.batch.regions[:, None], 0)
    assert black.max() == 0


def test_shapes_have_the_area_of_their_kind() -> None:
    scenes = disc_missing(60, 96, balanced=False)
    areas = scenes.shapes.float().sum((2, 3))
    mean = [areas[scenes.batch.labels != kind, kind].mean().item() for kind in range(3)]
    size = 37.5**2 + 54  # mean square of sizes 25 to 50, at 128 px
    wanted = [factor * size * (96 / 128) ** 2 for factor in (0.785, 1.0, 0.433)]
    assert mean == pytest.approx(wanted, rel=0.15)  # a tenth may be cut off


def test_pairs_differ_in_one_triangle_and_in_parity() -> None:
    whole, less = parity_pairs(5, 48)
    assert torch.equal(whole.labels, 1 - less.labels)
    assert whole.regions is not None
    changed = ((whole.images - less.images).abs() > 1e-5).any(1)
    assert changed.flatten(1).any(1).all()
    assert not (changed & ~whole.regions).any()


def test_pairs_differ_in_the_kinds_that_are_missing() -> None:
    before, after = missing_pairs(12, 48)
    assert before.labels.tolist() == [0, 1, 2] * 4
    assert len(set(zip(before.labels.tolist(), after.labels.tolist(), strict=True))) == 6
    assert (before.labels != after.labels).all()
    assert before.regions is not None
    changed = ((before.images - after.images).abs() > 1e-5).any(1)
    assert not (changed & ~before.regions).any()
    assert (changed & before.regions).sum() > 0.9 * before.regions.sum()
    for one, other in ((before, after), (after, before)):  # what goes was there, and so was a third
        lit = ((one.images > other.images) & before.regions[:, None]).flatten(1).float().mean(1)
        assert (lit > 0.01).all()
        assert (one.images[~before.regions[:, None].expand_as(one.images)] > 0).any()


def test_shapes_that_find_no_place_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rather.data.synthetic.TRIES", 1)
    with pytest.raises(ValueError, match="shapes found no place on 32 pixels"):
        disc_parity(50, 32)


def test_objects_stand_where_the_region_says_and_scenes_around_them() -> None:
    regions = torch.zeros(2, 16, 16, dtype=torch.bool)
    regions[:, 3:9, 4:8] = True
    objects = Batch(torch.ones(2, 3, 16, 16), torch.tensor([0, 1]), ("a", "b"), regions)
    objects.images[1] = 0.75
    scenes = Batch(torch.zeros(2, 3, 16, 16), torch.tensor([0, 1]), ("c", "d"))
    scenes.images[1] = 0.25
    made = composite(objects, scenes, 8)
    assert made.labels.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    assert made.names[1] == "a on d"
    assert made.regions is not None
    for image, region, label in zip(made.images, made.regions, made.labels.tolist(), strict=True):
        tone, ground = (1.0, 0.75)[label // 2], (0.0, 0.25)[label % 2]
        middle = region.nonzero().float().mean(0).long().tolist()
        assert image[0, *middle] == pytest.approx(tone)
        assert image[0, ~region].median() == ground
        assert 0.08 < region.float().mean() < 0.45
    with pytest.raises(ValueError, match="need regions"):
        composite(scenes, scenes, 2)
    assert objects.regions is not None
    objects.regions[1] = False
    with pytest.raises(ValueError, match="1 of 2 objects have an empty region"):
        composite(objects, scenes, 2)


def test_shapes_on_textures_have_four_classes_and_the_shape_as_region() -> None:
    batch = shapes_on_textures(8, 32)
    assert batch.labels.tolist() == [0, 1, 2, 3] * 2
    assert batch.regions is not None
    areas = batch.regions.float().mean((1, 2))
    assert ((areas > 0.05) & (areas < 0.3)).all()
    for image, region in zip(batch.images, batch.regions, strict=True):
        assert len(image[:, region].T.unique(dim=0)) == 1
        assert len(image[:, ~region].T.unique(dim=0)) == 2
    assert torch.equal(batch.images[:4], shapes_on_textures(4, 32).images)
