"""`fit`: the fifth verb, and the one loop for everything that is trained here.

Lightning Fabric places the networks on one device, several, or several machines. Batches and
random numbers are pure functions of the seed and the step, so a training that was killed at any
step ends, when it is started again, with the same weights as an unbroken one.
"""

import copy
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from rather import optional, progress
from rather.batch import Batch
from rather.data.folder import Crop, stepped
from rather.fitting import checkpoint, journal
from rather.fitting.card import card, identity
from rather.fitting.interruption import deferred
from rather.fitting.labels import agreed, doubt, found
from rather.fitting.plan import Plan
from rather.fitting.recipe import Recipe, Source, unwrapped
from rather.fitting.training import Training, restore, saving, state
from rather.networks.weights import packed
from rather.types import Images


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
    force: bool = False,
) -> Path:
    """Train a recipe on pictures; the result is one safetensors file with its model card.

    Checkpoints, log and samples lie in a folder beside it, `<out>.fit`; the same call goes on
    where a killed one stopped. An interruption waits for the step to end, which is then saved; a
    second one does not wait, and loses what came after the last checkpoint.

    Args:
        recipe: what is trained towards what.
        pictures: a folder or zip file of pictures, of class folders where the recipe learns from
            labels; or any other source. Class folders are read in the order of the recipe's names.
        out: the weights file to write.
        plan: how long and how carefully.
        crop: how squares are cut out of the pictures, by default 128 px wide.
        device: "cpu", "cuda", "mps" or "auto".
        devices: number of devices in this machine.
        nodes: number of machines.
        precision: as Fabric names it; "bf16-mixed" halves memory where the hardware has it.
        force: take the place of another file or another training; this very one goes on.

    Raises:
        ValueError: no pictures, classes that do not fit the recipe, a damaged checkpoint, or one
            of another training.
        FileExistsError: `out` is there already, and was not made by this training.
    """
    fabric = optional.need("lightning_fabric", "train", "fit").Fabric(
        accelerator=device, devices=devices, num_nodes=nodes, precision=precision
    )
    source = found(recipe, pictures) if isinstance(pictures, str | Path) else pictures
    both = agreed(recipe, source)
    if said := doubt(source):
        warnings.warn(said, stacklevel=2)
    return fabric.launch(_run, *both, Path(out), plan or Plan(), crop or Crop(), force)


def _run(
    fabric: Any,
    recipe: Recipe[Any],
    pictures: Source,
    out: Path,
    plan: Plan,
    crop: Crop,
    force: bool,
) -> Path:
    book = journal.Journal(out.with_name(out.name + ".fit"), fabric.is_global_zero)
    fixed = identity(recipe, pictures, plan, crop)
    saved = book.state(fixed, force)
    if saved is None:
        check_free(out, force)
    training = begun(fabric, recipe, plan, saved)
    this = {**fixed, "plan": repr(plan), "white": getattr(pictures, "white", None)}
    held = fabric.to_device(pictures.held_out(plan.held, crop))
    book.forget_after(training.step)
    over = hopeless(training.history, plan.patience)  # as it was when it ended
    steps = range(training.step, training.step if over else plan.steps)
    batches = ahead(pictures, crop, plan, steps, fabric)
    with saving(training, book, this), deferred(fabric.world_size == 1) as check:
        for given in progress.track(batches, "training", plan.steps, training.step):
            training.whole = False
            book.hear(advance(fabric, recipe, plan, training, fabric.to_device(given)))
            if training.step % plan.validate_every == 0 or training.step == plan.steps:
                look(recipe, training, held, book)
            training.whole = True
            over = hopeless(training.history, plan.patience)
            last = over or training.step == plan.steps
            book.keep(lambda: this | state(training), plan.save_seconds, last)
            check()
            if over:
                break
    if fabric.is_global_zero:
        about = card(this | state(training))
        checkpoint.write(out, packed(training.averaged, about, plan.half))
    fabric.barrier()
    return out


def check_free(out: Path, force: bool) -> None:
    """Refuse to write over what this training has not made."""
    if out.is_dir():
        raise IsADirectoryError(f"{out} is a folder; name the weights file to write in it")
    if out.exists() and not force:
        raise FileExistsError(
            f"{out} exists already, and there is no checkpoint of this training in {out}.fit; "
            "choose another name, or replace it with --force (force=True)"
        )


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
        restore(nets, optimisers, averaged, saved)
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
    return bool(patience and leading) and len(leading) - leading.index(min(leading)) > patience


@torch.no_grad()
def _average(training: Training, product: str, decay: float) -> None:
    new = unwrapped(training.nets[product]).state_dict()
    for name, mean in training.averaged.state_dict().items():
        if mean.is_floating_point():
            mean.lerp_(new[name], 1 - decay)
        else:
            mean.copy_(new[name])
