"""Following a recipe without `fit`: no files, no averaging, for tests of what is learnt."""

import torch

from rather.data.folder import stepped
from rather.fitting.recipe import Nets, Recipe


def followed(recipe: Recipe, colours: torch.Tensor, side: int, steps: int, batch: int = 8) -> Nets:
    """Train on pictures of one colour each, drawn from a few."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        nets = recipe.networks()
    optimisers = recipe.optimisers(nets)
    for step in range(steps):
        generator = stepped(0, step)
        chosen = colours[torch.randint(len(colours), (batch,), generator=generator)]
        images = chosen[:, :, None, None].repeat(1, 1, side, side)
        for part, loss in recipe.losses(nets, images, generator, step):
            optimisers[part].zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(nets[part].parameters(), 1.0)
            optimisers[part].step()
    return nets
