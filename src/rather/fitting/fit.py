"""`fit`: the fifth verb, and the one loop for everything that is trained here.

Lightning Fabric places the networks on one device, several, or several machines. Batches and
random numbers are pure functions of the seed and the step, so a training that was killed at any
step ends, when it is started again, with the same weights as an unbroken one.
"""

import copy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from rather import optional, progress
from rather.batch import Batch
from rather.data.folder import Crop, Pictures, stepped
from rather.data.labelled import ClassFolders
from rather.fitting import checkpoint, journal
from rather.fitting.card import card, identity
from rather.fitting.plan import Plan
from rather.fitting.recipe import Nets, Recipe, Source, unwrapped
from rather.networks.weights import packed
from rather.types import Images


@dataclass
class Training:
    """Everything that changes while training, and so everything that a checkpoint holds."""

    nets: Nets
    optimisers: dict[str, Optimizer]
    averaged: nn.Module
    step: int
    history: list[tuple[int, dict[str, float]]]  # step and held-out figures


def fit(
    recipe: Recipe[Any],
    pictures: Source | str | Path,
    out: str | Path,
    plan: Plan | None = None,
    crop: Crop | None = None,
    device: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    precision: str = "32-true",
) -> Path:
    """Train a recipe on pictures; the result is one safetensors file with its model card.

    Checkpoints, log and samples lie in a folder beside it, `<out>.fit`; the same call goes on
    where a killed one stopped.

    Args:
        recipe: what is trained towards what.
        pictures: a folder or zip file of pictures, of class folders where the recipe learns from
            labels; or any other source.
        out: the weights file to write.
        plan: how long and how carefully.
        crop: how squares are cut out of the pictures, by default 128 px wide.
        device: "cpu", "cuda", "mps" or "auto".
        devices: number of devices in this machine.
        nodes: number of machines.
        precision: as Fabric names it; "bf16-mixed" halves memory where the hardware has it.

    Raises:
        ValueError: no pictures, a damaged checkpoint, or one of another training.
    """
    fabric = optional.need("lightning_fabric", "train", "fit").Fabric(
        accelerator=device, devices=devices, num_nodes=nodes, precision=precision
    )
    source = found(recipe, pictures) if isinstance(pictures, str | Path) else pictures
    return fabric.launch(_run, recipe, source, Path(out), plan or Plan(), crop or Crop())


def found(recipe: Recipe[Any], *roots: str | Path) -> Source:
    """The pictures in folders or zip files, with their labels if the recipe learns from labels."""
    names = tuple(map(str, roots))
    return ClassFolders(names) if getattr(recipe, "labelled", False) else Pictures(names)


def _run(
    fabric: Any, recipe: Recipe[Any], pictures: Source, out: Path, plan: Plan, crop: Crop
) -> Path:
    book = journal.Journal(out.with_name(out.name + ".fit"), fabric.is_global_zero)
    fixed = identity(recipe, pictures, plan, crop)
    training, this = begun(fabric, recipe, plan, book.state(fixed)), fixed | {"plan": repr(plan)}
    held = fabric.to_device(pictures.held_out(plan.held, crop))
    book.forget_after(training.step)
    steps = range(training.step, plan.steps)
    batches = ahead(pictures, crop, plan, steps, fabric)
    for given in progress.track(batches, "training", plan.steps, training.step):
        book.hear(advance(fabric, recipe, plan, training, fabric.to_device(given)))
        if training.step % plan.validate_every == 0 or training.step == plan.steps:
            look(recipe, training, held, book)
        book.keep(lambda: this | state(training), plan.save_seconds, training.step == plan.steps)
        if hopeless(training.history, plan.patience):
            break
    if fabric.is_global_zero:
        about = card(this | state(training))
        checkpoint.write(out, packed(training.averaged, about, plan.half))
    fabric.barrier()
    return out


def begun(fabric: Any, recipe: Recipe[Any], plan: Plan, saved: checkpoint.State | None) -> Training:
    """Make networks and optimisers, or restore them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        nets = recipe.networks()
    averaged = copy.deepcopy(nets[recipe.product]).requires_grad_(False)
    optimisers = recipe.optimisers(nets)
    for group in (group for one in optimisers.values() for group in one.param_groups):
        group["initial_lr"] = group["lr"]
    step, history = 0, []
    if saved is not None:
        _restore(nets, optimisers, averaged, saved)
        step, history = saved["step"], saved["history"]
    placed = {name: fabric.setup(nets[name], one) for name, one in optimisers.items()}
    wrapped = {name: placed[name][0] if name in placed else net for name, net in nets.items()}
    moved = averaged.to(fabric.device)
    return Training(wrapped, {name: two for name, (_, two) in placed.items()}, moved, step, history)


def advance(
    fabric: Any, recipe: Recipe[Any], plan: Plan, training: Training, given: Images | Batch
) -> dict[str, torch.Tensor]:
    """Make one step of every network and return the losses."""
    heard, step, scale = {}, training.step, plan.rate(training.step)
    generator = stepped(plan.seed + 1, step * fabric.world_size + fabric.global_rank)
    for part, loss in recipe.losses(training.nets, given, generator, step):
        net, optimiser = training.nets[part], training.optimisers[part]
        for group in optimiser.param_groups:
            group["lr"] = group["initial_lr"] * scale
        optimiser.zero_grad()
        fabric.backward(loss)
        fabric.clip_gradients(net, optimiser, max_norm=plan.clip, error_if_nonfinite=False)
        optimiser.step()
        heard[part] = loss.detach()
    training.step = step + 1
    _average(training, recipe.product, min(plan.average, training.step / (training.step + 20)))
    return heard


def ahead(
    pictures: Source, crop: Crop, plan: Plan, steps: range, fabric: Any
) -> Iterator[Images | Batch]:
    """Decode the batches of the next few steps in threads, and hand them out in order."""

    def one(step: int) -> Images | Batch:
        part = slice(fabric.global_rank, None, fabric.world_size)
        return pictures.batch(plan.batch, crop, plan.seed, step, part)

    with ThreadPoolExecutor(max(1, plan.workers)) as pool:
        left = iter(steps)
        waiting = [pool.submit(one, step) for step in islice(left, plan.workers + 1)]
        while waiting:
            yield waiting.pop(0).result()
            waiting += [pool.submit(one, step) for step in islice(left, 1)]


@torch.no_grad()
def look(
    recipe: Recipe[Any], training: Training, held: Images | Batch, book: journal.Journal
) -> None:
    """Validate the averaged network, and make a sheet of samples."""
    nets = {name: unwrapped(net) for name, net in training.nets.items()}
    nets[recipe.product] = training.averaged
    figures = recipe.validate(nets, held)
    training.history.append((training.step, figures))
    book.show(training.step, figures, recipe.samples(nets, held[:8]))


def hopeless(history: list[tuple[int, dict[str, float]]], patience: int) -> bool:
    """Whether the leading figure has not improved for `patience` validations."""
    leading = [next(iter(figures.values())) for _, figures in history]
    return bool(patience) and len(leading) - leading.index(min(leading)) > patience


def state(training: Training) -> checkpoint.State:
    return {
        "step": training.step,
        "history": training.history,
        "nets": {name: unwrapped(net).state_dict() for name, net in training.nets.items()},
        "averaged": training.averaged.state_dict(),
        "optimisers": {name: one.state_dict() for name, one in training.optimisers.items()},
    }


def _restore(
    nets: Nets, optimisers: dict[str, Optimizer], averaged: nn.Module, saved: checkpoint.State
) -> None:
    for name, net in nets.items():
        net.load_state_dict(saved["nets"][name])
    for name, optimiser in optimisers.items():
        optimiser.load_state_dict(saved["optimisers"][name])
    averaged.load_state_dict(saved["averaged"])


@torch.no_grad()
def _average(training: Training, product: str, decay: float) -> None:
    new = unwrapped(training.nets[product]).state_dict()
    for name, mean in training.averaged.state_dict().items():
        if mean.is_floating_point():
            mean.lerp_(new[name], 1 - decay)
        else:
            mean.copy_(new[name])
