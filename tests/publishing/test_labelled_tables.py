"""The tables of notebook 10 that are made of an evaluation: a row a network, a row a clip."""

from pathlib import Path

import pandas as pd

from mic.publishing import labelled
from mic.publishing.labels import LabelledVideo

VIDEOS = [
    LabelledVideo(path=Path("a/1.mp4"), label="anger", person="x"),
    LabelledVideo(path=Path("a/2.mp4"), label="happiness", person="x"),
]


def _answers(*labels):
    return pd.DataFrame(
        {
            "video": [str(video.path) for video in VIDEOS],
            "window": [0, 0],
            "label": labels,
            "confidence": [0.914, 0.5],
            "error": "",
        }
    )


def test_networks_and_clips():
    answers = {
        "pictures": _answers("anger", "happiness"),
        "residual": _answers("anger", "surprise"),
    }
    found = labelled.evaluate(VIDEOS, answers)
    networks = labelled.network_table(found)
    assert list(networks.columns) == list(labelled.NETWORK_COLUMNS)
    assert networks["accuracy"].tolist() == [1.0, 0.5]
    assert networks["n"].tolist() == [2, 2]
    clips = labelled.clip_table(found)
    assert list(clips.columns) == list(labelled.CLIP_COLUMNS)
    assert clips.to_numpy().tolist() == [
        ["1", "anger", "anger", 0.91, "anger"],
        ["2", "happiness", "happiness", 0.5, "surprise"],
    ]
