"""The autoencoder of `LatentShift`: what it keeps, and its losses."""

import pytest
import torch
from followed import followed

from rather.data.folder import stepped
from rather.fitting import AutoencoderRecipe
from rather.networks.autoencoder import Autoencoder

RECIPE = AutoencoderRecipe((8, 8, 8), 4, rate=5e-3)


def test_it_keeps_colours_it_was_shown() -> None:
    colours = torch.tensor([[0.2, 0.5, 0.8], [0.8, 0.2, 0.4]])
    nets = followed(RECIPE, colours, 16, 120)
    images = colours[:, :, None, None].repeat(1, 1, 16, 16)
    found = RECIPE.validate(nets, images)
    assert found["L1"] < 0.05
    given, made = RECIPE.samples(nets, images)
    assert torch.equal(given, images)
    assert made.shape == images.shape


def test_codes_are_an_eighth_as_wide_and_sizes_come_back() -> None:
    net, images = Autoencoder((8, 8, 8), 4), torch.rand(2, 3, 11, 20)
    code = net.encode(images)
    assert code.shape == (2, 4, 2, 3)
    assert net.decode(code, images).shape == images.shape
    torch.testing.assert_close(net(images)[0], net.decode(code, images))


def test_the_prior_and_missing_features_count() -> None:
    nets, images = RECIPE.networks(), torch.rand(2, 3, 8, 8)
    free, tied = (
        next(AutoencoderRecipe((8, 8, 8), 4, prior=p).losses(nets, images, stepped(0, 0), 0))[1]
        for p in (0.0, 1.0)
    )
    assert tied > free
    losses = AutoencoderRecipe((8, 8, 8), 4, "nowhere.pth").losses(nets, images, stepped(0, 0), 0)
    with pytest.raises(ValueError, match="pass features=None"):
        next(losses)
