"""The programs of docs/guide/export.md run as they stand there, and agree with each other."""

import re
import subprocess
import sys

import numpy as np
import onnx
import recogniser_factory
from environment_file import ROOT

import mic
from mic import cli, codec, export
from mic.export.program import OUTPUTS
from mic.recognition.recogniser import Recogniser
from mic.storage import assets

PAGE = (ROOT / "docs" / "guide" / "export.md").read_text()
MAKING, READING = re.findall(r"(?ms)^```python\n(.*?)^```$", PAGE)
PROOF = """
import sys
assert "torch" not in sys.modules and "mic" not in sys.modules
assert np.array_equal(clips, np.load("clips.npy"))
print(label, confidence)
"""


def ran(program, folder):
    """What a program prints that is run in a folder."""
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


def test_both_programs_of_the_page_give_what_the_recogniser_gives(tmp_path):
    frames = [frame[::2, ::2] for frame in codec.decode(assets.path("single_face"))][:40]
    codec.encode_frames(frames, tmp_path / "video.mp4", frame_rate=25, codec="h264", vop_quant=20)
    ran(MAKING, tmp_path)
    assert cli.main(["export", "--out", str(tmp_path / "mic.onnx")]) == 0
    label, confidence = ran(READING + PROOF, tmp_path).split()
    recogniser = Recogniser.load(device="cpu")
    (answer,) = recogniser.answers([{"residual": np.load(tmp_path / "clips.npy")[0]}])
    assert recogniser.card.classes[answer.probabilities.argmax()] == label
    np.testing.assert_allclose(answer.probabilities.max(), float(confidence), atol=1e-4)
    (predicted,) = mic.predict(tmp_path / "video.mp4", network="residual")["label"]
    assert predicted == label


def test_the_page_names_all_of_a_card_and_every_output(tmp_path):
    recogniser = Recogniser.load(
        recogniser_factory.write(tmp_path, valence=True, novelty=2.0, motion=True), device="cpu"
    )
    export.export_recogniser(recogniser, tmp_path / "mic.onnx")
    model = onnx.load(tmp_path / "mic.onnx")
    assert model.producer_version == mic.__version__
    assert "docs/guide/export.md" in model.doc_string
    named = [*model.graph.input, *model.graph.output]
    fields = vars(recogniser.card)
    for name in (*(one.name for one in named), *fields, OUTPUTS):
        assert f"`{name}`" in PAGE, name
