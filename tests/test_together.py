"""Questions asked together cost the passes of one, and are answered as if each were asked alone."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch

from rather import Batch, Classifier, Explainer, Question, contrast, explain
from rather.explainers import Cells, IntegratedGradients, Lime, Occlusion, Rise
from rather.infillers import Constant, Noise
from rather.together import asked_with, together
from rather.types import Heatmaps, Images

ASKED = Question(torch.tensor([0, 1]), torch.tensor([1, 0]))
REMOVERS = (
    Occlusion(Noise(), size=4, stride=2, draws=2, batch=5),
    Occlusion(Constant(0.5), size=4, stride=2, output="probability"),
    Lime(Noise(), Cells(3), samples=30, seeds=2, draws=2),
    Rise(Noise(), samples=20, draws=3, output="probability"),
)


@pytest.mark.parametrize("method", REMOVERS, ids=repr)
def test_a_study_has_the_maps_of_three_questions_for_the_passes_of_one(
    method: Explainer, convolutional: Classifier, batch: Batch
) -> None:
    study = contrast(method, convolutional, batch, ASKED, regions=False)
    sides = (
        Question(ASKED.target),
        Question(ASKED.foil if ASKED.foil is not None else ASKED.target),
    )
    alone = [explain(method, convolutional, batch, one) for one in (ASKED, *sides)]
    for found, wanted in zip(study.explanations().values(), alone, strict=True):
        assert torch.equal(found.heatmaps, wanted.heatmaps)
        assert all(torch.equal(found.notes[name], wanted.notes[name]) for name in wanted.notes)
    few = 2 * len(batch.images)  # the images as they are, for `explain` and for the method
    assert study.answer.cost.forward == alone[0].cost.forward > 2 * few
    for side in (study.target, study.foil):
        assert side is not None
        assert side.cost.forward <= few


def test_passes_are_shared_inside_inference_mode_too(
    convolutional: Classifier, batch: Batch
) -> None:
    wanted = contrast(REMOVERS[0], convolutional, batch, ASKED, regions=False)
    with torch.inference_mode():  # what is made in here is copied, and the copies must be the same
        asked = Question(ASKED.target.clone(), batch.labels.clone())
        inside = replace(batch, images=batch.images.clone())
        asked = replace(asked, foil=1 - asked.target)
        found = contrast(REMOVERS[0], convolutional, inside, asked, regions=False)
    assert found.cost.forward == wanted.cost.forward
    assert torch.equal(found.answer.heatmaps, wanted.answer.heatmaps)


def test_what_depends_on_the_question_is_asked_each_time(
    convolutional: Classifier, batch: Batch
) -> None:
    study = contrast(IntegratedGradients(steps=4), convolutional, batch, ASKED, regions=False)
    costs = [part.cost.backward for part in study.explanations().values()]
    assert costs == [costs[0]] * 3


@dataclass(frozen=True)
class Twice:
    """A method that asks another one of two images, by the very same question."""

    method: Explainer

    def __call__(self, classifier: Classifier, images: Images, question: Question) -> Heatmaps:
        darker = images / 2
        return self.method(classifier, images, question) - self.method(classifier, darker, question)


@pytest.mark.parametrize(
    "change", [lambda of: Twice(of), lambda of: of], ids=["images", "question"]
)
def test_what_was_heard_of_others_is_not_taken_for_this(
    change: Callable[[Explainer], Explainer], convolutional: Classifier, batch: Batch
) -> None:
    method = change(Occlusion(Constant(0.5), size=4, stride=2))
    target = Question(ASKED.target)
    with together([ASKED, target]):
        for question in (
            ASKED,
            target,
            Question(torch.tensor([1, 1])),
            Question(torch.tensor([0, 0]), torch.tensor([1, 1])),
        ):
            inside = method(convolutional, batch.images, question)
            assert torch.equal(inside, fresh(method, convolutional, batch, question))


def fresh(method: Explainer, of: Classifier, batch: Batch, question: Question) -> Heatmaps:
    """The map of a question that nobody else asks."""
    asked = Question(question.target.clone(), question.foil)
    return method(of, batch.images.clone(), asked)


def test_another_classifier_or_setting_is_asked_anew(
    convolutional: Classifier, linear: Classifier, batch: Batch
) -> None:
    method = Occlusion(Constant(0.5), size=4, stride=2)
    with together([ASKED]):
        one = method(convolutional, batch.images, ASKED)
        assert not torch.equal(one, method(linear, batch.images, ASKED))
        other = replace(method, infiller=Constant(0.2))
        assert not torch.equal(one, other(convolutional, batch.images, ASKED))


def test_outside_of_the_block_a_question_is_alone() -> None:
    with together([ASKED]):
        assert len(asked_with(ASKED).questions) == 1
        assert asked_with(Question(ASKED.target)).questions != (ASKED,)
    assert asked_with(ASKED).known == {}
