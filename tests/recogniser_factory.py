"""A small network with random weights, in a weights file: enough for all but accuracy."""

import torch

from mic import faces
from mic.inputs.tensors import Representation
from mic.models.expression import ExpressionNetwork
from mic.models.novelty import Novelty
from mic.recognition.recogniser import Card
from mic.storage import weights

CLASSES = ("anger", "happiness", "surprise")


def write(folder, **changes):
    """Writes the file and returns its path."""
    options = {"width": 4, "feature_size": 16, "z_size": 16, "steps": 8, "motion": False}
    options |= {key: changes.pop(key) for key in list(changes) if key in options}
    facts = {
        "classes": CLASSES,
        "representation": Representation(
            kind="raw", steps=8, scale=2, with_motion=options["motion"]
        ),
        "edge": 128,
        "margin": faces.MARGIN,
        "drop": faces.DROP,
        "summary": "Random weights, for tests.",
    } | changes
    torch.manual_seed(1)
    network = ExpressionNetwork(len(facts["classes"]), **options)
    if facts.get("valence"):
        network.add_module("valence", torch.nn.Linear(network.z_size, 1))
    if limit := facts.get("novelty"):
        network.add_module("novelty", Novelty(len(facts["classes"]), network.z_size))
        network.get_submodule("novelty").limit.fill_(limit)
        facts["novelty"] = True
    card = Card(network=options, **facts)
    path = folder / "random.safetensors"
    weights.write(path, network.state_dict(), metadata=card.to_metadata())
    return path
