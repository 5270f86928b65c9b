"""Likely mix-ups of the library's users, in a process without this suite's checks of types."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import json, torch
from torch import nn
from rather import Batch, Classifier, contrast, edit, explain, measure
from rather.editors import PixelAscent
from rather.explainers import Occlusion
from rather.metrics import Deletion

net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 2)).eval()
of, images, by = Classifier(net), torch.rand(1, 3, 8, 8), Occlusion(size=4, stride=4)
label = torch.tensor([0])
batch = Batch(images, label, ("a",))
answer = explain(by, of, batch)
calls = {
    "class": lambda: explain(Occlusion, of, batch),
    "network": lambda: explain(by, net, batch),
    "turned": lambda: explain(of, by, batch),
    "images": lambda: explain(by, of, images),
    "images of a study": lambda: contrast(by, of, images),
    "editor's class": lambda: edit(PixelAscent, of, images, label),
    "editor's network": lambda: edit(PixelAscent(), net, images, label),
    "metric's class": lambda: measure(Deletion, of, answer),
    "number": lambda: explain(Occlusion(0.5, size=4, stride=4), of, batch),
    "name": lambda: contrast(by, of, batch, infiller="blur"),
}
said = {}
for name, call in calls.items():
    try:
        call()
    except TypeError as error:
        said[name] = str(error)
print(json.dumps(said))
"""
SAID = {
    "class": "Occlusion is a class, and one of it is needed: Occlusion(...)",
    "network": "a Sequential is given as the classifier; wrap the network: Classifier(net",
    "turned": "a Occlusion is given as the classifier; the method comes first",
    "images": "a Tensor is given as the batch; make one of images, labels and names: Batch(images",
    "images of a study": "a Tensor is given as the batch; make one",
    "editor's class": "PixelAscent is a class, and one of it is needed",
    "editor's network": "wrap the network",
    "metric's class": "Deletion is a class, and one of it is needed",
    "number": "0.5 is no in-fill; give one, such as Constant(0.5), Blur() or infillers.default()",
    "name": "'blur' is no in-fill; give one",
}


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("mix_up", SAID)
def test_a_mix_up_is_said_with_the_way_out(mix_up: str, said: dict[str, str]) -> None:
    assert SAID[mix_up] in said[mix_up]
