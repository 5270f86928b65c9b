"""What an explanation takes over the passes that it needs: ours, captum's and grad-cam's.

The unit is the wall time of the same number of raw passes at torch's best: batch norm folded,
channels last, parameters frozen, inference mode, the better of 16 and 32 images a batch, nothing
else in the loop. All run side by side, in turn, in one process with malloc set as the command line
sets it. EfficientNet-Lite0 at 224 pixels, Occlusion by 16-pixel squares every 8 pixels (784 of
them; captum leaves out the clipped ones, 729), integrated gradients of 50 steps, Grad-CAM.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import captum.attr
import torch
from harness import record
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from quiet import Sample, in_turn
from skimage import data
from torch import Tensor, nn

from rather import Batch, Classifier, Question, explain
from rather.data.photo import look
from rather.explainers import GradCam, IntegratedGradients, Occlusion
from rather.infillers import Constant
from rather.memory import ENVIRONMENT
from rather.models import load

SIZE, GREY = 16, Constant(0.5)
Jobs = Mapping[str, Callable[[], object]]


@dataclass(frozen=True)
class Case:
    """A method: how many passes it needs, and who does it how; the raw jobs come first."""

    method: str
    passes: str
    jobs: Jobs


@dataclass(frozen=True, eq=False)
class Scene:
    """The photo, the question, and the classifier as users have it and as we prepare it."""

    plain: Classifier
    torch: Classifier
    openvino: Classifier
    batch: Batch
    stride: int
    steps: int

    @property
    def target(self) -> int:
        return int(self.batch.labels[0])

    @property
    def question(self) -> Question:
        return Question(self.batch.labels)

    @property
    def normalised(self) -> Tensor:
        """What the bare network reads."""
        return (self.batch.images - self.plain.mean) / self.plain.std

    def ours(self, explainer: Any, classifier: Classifier) -> Tensor:
        return explain(explainer, classifier, self.batch, self.question).heatmaps


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer passes and rounds; no verdict")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    scene = scenery(quick=options.quick)
    rounds = 2 if options.quick else options.rounds
    rows = [row for case in cases(scene) for row in measured(case, rounds, options.quick)]
    record(
        "passes-quick" if options.quick else "passes",
        "Wall time over the raw passes, EfficientNet-Lite0 at 224",
        rows,
        {"rounds": rounds, "engine": scene.openvino.engine, "photo": "skimage chelsea"},
        same_maps=equalities(scene),
    )
    return 0


def scenery(quick: bool = False) -> Scene:
    """The photo of a cat, and why it is called what it is called."""
    from PIL import Image

    plain = load("efficientnet-lite0")
    images = look(Image.fromarray(data.chelsea()), plain.view)[None]
    with torch.no_grad():
        label = plain(images).argmax(1)
    return Scene(
        plain,
        plain.prepare(),
        plain.prepare("openvino"),
        Batch(images, label, ("chelsea",)),
        stride=32 if quick else 8,
        steps=16 if quick else 50,
    )
