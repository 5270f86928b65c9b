"""`Edited`: an edit towards the foil as an in-fill, settled by `explain`, read from text."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch

from rather import (
    Batch,
    Classifier,
    Counterfactual,
    Explainer,
    Infiller,
    Question,
    contrast,
    edit,
    explain,
)
from rather.catalogue import METHODS
from rather.cost import counting
from rather.editors import PixelAscent
from rather.explainers import (
    Bbmp,
    Captum,
    Fido,
    IntegratedGradients,
    Lime,
    MeaningfulPerturbation,
    Occlusion,
    Preservation,
    Rise,
)
from rather.infiller import seeded
from rather.infillers import Cached, Constant, Edited, MeanColour, Paste, Pastes
from rather.settling import at_rows, rebuilt, reseeded, settle
from rather.spec import build
from rather.types import Images, Labels

ASKED = Question(torch.tensor([1, 0]), torch.tensor([0, 1]))
ASCENT = PixelAscent()


@dataclass(frozen=True)
class Shade:
    """Paints everything with one shade of grey, which the class and the seed choose."""

    seed: int = 0

    def __call__(self, classifier: Classifier, images: Images, target: Labels) -> Images:
        shade = (0.2 + 0.5 * target + 0.1 * self.seed).view(-1, 1, 1, 1)
        return shade.expand_as(images).clone()


FILLED = [
    Occlusion(size=4, stride=2),
    Lime(samples=9),
    Rise(samples=5, cells=2),
    Preservation(cells=4, steps=2),
    Fido(steps=2, warmup=1, batch=4),
    Bbmp(steps=2, batch=1),
    MeaningfulPerturbation(cells=4, steps=2, batch=1),
]
BASED = [IntegratedGradients(steps=2), Captum("IntegratedGradients"), Captum("DeepLift")]


def with_edit(explainer: Any, infiller: Infiller) -> Explainer:
    name = "infiller" if explainer in FILLED else "baseline"
    return replace(explainer, **{name: infiller})


@pytest.mark.parametrize("explainer", [*FILLED, *BASED], ids=repr)
def test_an_edit_in_a_field_is_the_pasted_counterfactual(
    explainer: Any, convolutional: Classifier, batch: Batch
) -> None:
    assert ASKED.foil is not None
    pair = edit(ASCENT, convolutional, batch.images, ASKED.foil)
    found = explain(with_edit(explainer, Edited(ASCENT)), convolutional, batch, ASKED)
    pasted = explain(with_edit(explainer, Paste(pair.edited)), convolutional, batch, ASKED)
    torch.testing.assert_close(found.heatmaps, pasted.heatmaps)
    assert found.counterfactual is not None
    assert torch.equal(found.counterfactual.edited, pair.edited)
    assert torch.equal(found.counterfactual.target, ASKED.foil)
    assert found.explainer == with_edit(explainer, Edited(ASCENT))
    assert (pasted.counterfactual, pasted.settled) == (None, pasted.explainer)
    assert found.settled is not None
    again = found.settled(convolutional, batch.images, ASKED).detach()
    torch.testing.assert_close(again, found.heatmaps)


def test_an_edit_is_part_of_what_an_explanation_costs(linear: Classifier, batch: Batch) -> None:
    plain = explain(Occlusion(Constant(), size=4, stride=4), linear, batch, ASKED).cost
    found = explain(Occlusion(Edited(ASCENT), size=4, stride=4), linear, batch, ASKED).cost
    assert ASKED.foil is not None
    with counting(linear) as alone:
        edit(ASCENT, linear, batch.images, ASKED.foil)
    assert alone.backward > 0
    assert found.backward == plain.backward + alone.backward
    assert found.forward == plain.forward + alone.forward


def test_without_a_foil_the_way_out_is_named(linear: Classifier, batch: Batch) -> None:
    with pytest.raises(ValueError, match=r"the question has none; ask .* --rather-than CLASS"):
        explain(IntegratedGradients(Edited(ASCENT)), linear, batch)


def test_without_explain_the_way_out_is_named(linear: Classifier, batch: Batch) -> None:
    with pytest.raises(ValueError, match=r"call explain\(\.\.\.\), or paste an edit"):
        IntegratedGradients(Edited(ASCENT))(linear, batch.images, ASKED)


@pytest.mark.parametrize(
    "spec",
    [
        "IntegratedGradients(baseline=Edited(PixelAscent()))",
        "IntegratedGradients(Edited(PixelAscent))",
        "IntegratedGradients(baseline=Edited(editor=PixelAscent(), samples=1))",
    ],
)
def test_an_edit_is_read_from_text(spec: str) -> None:
    assert build(spec, METHODS) == IntegratedGradients(Edited(ASCENT))
    assert build(repr(build(spec, METHODS)), METHODS) == IntegratedGradients(Edited(ASCENT))


@pytest.mark.parametrize("spec", ["Constant('a', 'b')", "Edited(PixelAscent(), 2)", "Constant(1)"])
def test_only_what_speaks_for_itself_stands_without_a_keyword(spec: str) -> None:
    with pytest.raises(ValueError, match="neither a literal nor Name"):
        build(spec, METHODS)


def test_several_samples_are_edits_from_several_seeds(linear: Classifier, batch: Batch) -> None:
    infiller, pair = Edited(Shade(seed=1), samples=3).settled(linear, batch.images, ASKED)
    assert isinstance(infiller, Pastes)
    shades = torch.tensor([[image.mean() for image in images] for images in infiller.sets])
    torch.testing.assert_close(shades, torch.tensor([[0.3, 0.8], [0.4, 0.9], [0.5, 1.0]]))
    assert pair is not None
    assert torch.equal(pair.edited, infiller.sets[0])
    nothing = torch.zeros_like(batch.images[:, :1])
    drawn = [infiller(batch.images, nothing, seeded(seed, nothing)) for seed in range(60)]
    counts = [sum(torch.equal(each, images) for each in drawn) for images in infiller.sets]
    assert sum(counts) == 60
    assert min(counts) > 8
    one = infiller.at(torch.tensor([1]))
    assert [images.mean() for images in one.sets] == [images[1].mean() for images in infiller.sets]


def test_samples_need_a_seed() -> None:
    with pytest.raises(ValueError, match="has no seed, so 2 edits of an image would be the same"):
        reseeded(ASCENT, 2)
    assert reseeded(ASCENT, 1) == [ASCENT]
    with pytest.raises(ValueError, match="samples is 0"):
        Edited(ASCENT, samples=0)


def test_what_is_not_pending_stays_the_very_same(linear: Classifier, batch: Batch) -> None:
    cached = Occlusion(Cached(MeanColour()))
    assert settle(cached, linear, batch.images, ASKED)[0] is cached
    assert at_rows(cached, torch.tensor([0])) is cached
    assert rebuilt((1, cached), lambda part: part)[1] is cached


def test_an_edit_is_found_inside_of_another_fill(linear: Classifier, batch: Batch) -> None:
    nested, pair = settle(Occlusion(Cached(Edited(Shade()))), linear, batch.images, ASKED)
    assert isinstance(nested.infiller, Cached)
    assert isinstance(nested.infiller.infiller, Paste)
    assert isinstance(pair, Counterfactual)


def test_the_sides_of_a_study_share_the_counterfactual(
    convolutional: Classifier, batch: Batch
) -> None:
    explainer = IntegratedGradients(Edited(ASCENT), steps=4, limit=4)  # equal steps for all
    study = contrast(explainer, convolutional, batch, ASKED)
    assert study.target is not None
    assert study.foil is not None
    difference = study.target.heatmaps - study.foil.heatmaps
    torch.testing.assert_close(difference, study.answer.heatmaps, rtol=1e-3, atol=1e-5)
    assert study.target.explainer == study.foil.explainer == explainer
    pair = study.answer.counterfactual
    assert pair is not None
    assert all(isinstance(removal.infiller, Paste) for removal in study.removals)
    most = study.removals[0].images
    assert ((most == pair.edited) | (most == batch.images)).all()
