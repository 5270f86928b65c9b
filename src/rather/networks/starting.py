"""Starting weights under which a signal keeps its size through many layers without shortcuts.

Source: He et al., Delving Deep into Rectifiers, arXiv:1502.01852. torch's own start lets the input
fade behind the biases by a factor of about two a layer, and such networks learn late or never.
"""

from torch import nn

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def started(net: nn.Module) -> None:
    """Draw the weights of all convolutions anew, and set their biases to zero."""
    for layer in net.modules():
        if isinstance(layer, CONVOLUTIONS):
            transposed = isinstance(layer, nn.ConvTranspose2d)
            mode = "fan_out" if transposed else "fan_in"
            nn.init.kaiming_normal_(layer.weight, mode=mode, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
