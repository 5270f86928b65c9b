"""The guide `docs/your-own.md`: every block of it runs, and does what the page says."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from rather import Batch, explain, fill, measure
from rather.explainers import Occlusion
from rather.infiller import seeded

GUIDE = Path(__file__).parents[1] / "docs" / "your-own.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
SIDE = 64


@pytest.fixture(scope="module")
def guide() -> Any:
    """All names of the page, its blocks run from top to bottom in one module."""
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 2))
    images = torch.rand(3, 3, SIDE, SIDE, generator=generator)
    batch = Batch(images, torch.full((3,), -1), ("a", "b", "c"))
    names: dict[str, Any] = {"__name__": "guide", "net": net, "batch": batch}
    for block in BLOCKS:
        exec(compile(block, GUIDE.name, "exec"), names)
    return SimpleNamespace(**names)


def test_every_part_has_its_block(guide: Any) -> None:
    assert len(BLOCKS) == 5
    assert guide.classifier.view.crop == SIDE
    assert guide.batch.images.shape[2:] == (SIDE, SIDE)


@pytest.mark.parametrize("name", ["Stripes", "Speckles"])
def test_the_in_fills_do_not_depend_on_the_batch(name: str, guide: Any) -> None:
    infiller, images = getattr(guide, name)(), guide.batch.images
    keep = torch.zeros_like(images[:, :1])
    together = fill(infiller, images, keep, seeded(0, images))
    alone = fill(infiller, images[2:], keep[2:], seeded(0, images))
    assert torch.equal(together[2:], alone)
    assert not torch.equal(alone, images[2:])


def test_the_in_fill_that_draws_is_asked_once_a_draw(guide: Any) -> None:
    one, eight = (
        explain(Occlusion(guide.Speckles(), 32, 32, draws=draws), guide.classifier, guide.batch)
        for draws in (1, 8)
    )
    assert eight.cost.forward > 4 * one.cost.forward
    assert not torch.equal(one.heatmaps, eight.heatmaps)


def test_the_metric_gives_a_share_an_image(guide: Any) -> None:
    assert guide.scores.shape == (3,)
    assert guide.scores.tolist() == pytest.approx([0.25] * 3, abs=0.05)  # of a quarter of the area
    again = measure(guide.Centred(), guide.classifier, guide.explanation)
    assert torch.equal(again, guide.scores)


def test_the_editor_moves_the_answer_towards_the_target(guide: Any) -> None:
    assert (guide.pair.after > guide.pair.before)[:, 1].all()
    assert guide.pair.flipped.any()
    assert 0 < guide.pair.change.max() <= 0.05 + 1e-6
