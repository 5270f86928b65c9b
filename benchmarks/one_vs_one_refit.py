"""Cascading randomisation with the generator kept, and trained on for each randomised network."""

import copy
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from claims_ledger import made_by
from harness import ROOT
from harness import digest as file_digest
from one_vs_one_beds import Bed
from one_vs_one_work import Forgetting, Row, makers
from torch import nn
from train_counterfactuals import JOBS

from rather import Classifier, Editor
from rather.data.folder import stepped
from rather.editors import Ganmex
from rather.infillers import Edited
from rather.infillers.bank import digest
from rather.networks.weights import load, located, packed

KEPT = (Forgetting("spearman_abs"), Forgetting("ssim"))


@dataclass(frozen=True)
class Refit:
    """Trains a generator on against another network, for a while, once for each.

    Args:
        job: of the generator, in `train_counterfactuals.py`.
        steps: of the training; the paper trains from scratch for 50,000.
        seed: of the critic, batches and requests.
        recipe: the job's own, by default; part of what tells two trainings apart.
        folder: where generators are kept.
    """

    job: str = "ganmex-mnist"
    steps: int = 150
    seed: int = 0
    recipe: Any = field(default_factory=lambda: JOBS["ganmex-mnist"].recipe)
    folder: Path = field(default=ROOT / "results" / "ledger" / "refit", repr=False)

    def __call__(self, classifier: Classifier) -> Editor:
        weights = torch.cat([one.flatten() for one in classifier.net.state_dict().values()])
        key = made_by(self, file_digest(located(self.job)), digest(weights))
        path = self.folder / f"{key}.safetensors"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            judge = path.with_name(f"{path.stem}-judge.safetensors")
            judge.write_bytes(packed(classifier.net, {}))
            path.write_bytes(packed(*self.trained(str(judge))))
        return Ganmex(str(path))

    def trained(self, judge: str) -> tuple[nn.Module, dict[str, object]]:
        """The shipped generator after some steps against a judge, and how often it convinces."""
        job, start = JOBS[self.job], time.monotonic()
        recipe, source = replace(self.recipe, classifier=judge), job.source()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            nets = recipe.networks()
        nets["generator"] = begun(self.job)
        optimisers = recipe.optimisers(nets)
        for step in range(self.steps):
            given = source.batch(job.plan.batch, job.crop, self.seed, step, slice(None))
            for part, loss in recipe.losses(nets, given, stepped(self.seed, step), step):
                optimisers[part].zero_grad()
                loss.backward()
                optimisers[part].step()
        with torch.no_grad():
            figures = recipe.validate(nets, source.held_out(job.plan.held, job.crop))
        print(f"{Path(judge).stem}: {figures}, {time.monotonic() - start:.0f} s", flush=True)
        return nets["generator"], {"figures": figures, "steps": self.steps}


def begun(weights: str) -> nn.Module:
    """A copy of a shipped network that can be trained on."""
    return copy.deepcopy(load(weights)[0]).requires_grad_(True).train()


def rows(bed: Bed) -> list[Row]:
    """Maps whose baselines stay the same for every randomised network."""
    return [
        Row(method, name, makers(bed)[method](baseline))
        for method in ("IG", "DeepLIFT")
        for name, baseline in bed.baselines.items()
    ]


def refitted(bed: Bed) -> list[Row]:
    """Maps whose generator is trained on for every randomised network."""
    edited = Edited(bed.editors["GANMEX"])
    return [
        Row(method, "GANMEX, refitted", makers(bed)[method](edited), edits=True)
        for method in ("IG", "DeepLIFT")
    ]
