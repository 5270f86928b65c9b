"""The networks that are trained here, by name: what a weights file may ask for."""

from torch import nn

from rather.networks.autoencoder import Autoencoder
from rather.networks.classifiers import StridedNet, VggNet
from rather.networks.contextual import ContextualNet
from rather.networks.cyclegan import CyclePair
from rather.networks.denoiser import DenoiserNet
from rather.networks.ganmex import StarGenerator
from rather.networks.inpainter import FourierUNet
from rather.networks.vae import VaeNet

NETWORKS: dict[str, type[nn.Module]] = {
    "Autoencoder": Autoencoder,
    "ContextualNet": ContextualNet,
    "CyclePair": CyclePair,
    "DenoiserNet": DenoiserNet,
    "FourierUNet": FourierUNet,
    "StarGenerator": StarGenerator,
    "StridedNet": StridedNet,
    "VaeNet": VaeNet,
    "VggNet": VggNet,
}
