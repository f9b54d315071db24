"""Networks outside this package: ONNX files with folded weights, programs of `torch.export`.

    mic.export.export(model, "mic.onnx", size=(64, 64))
    answer = mic.export.Session("mic.onnx", threads=1)(residuals)      # int16 in, logits and z out
    mic.export.quantise("mic.onnx", "mic-int8.onnx", calibration)
    mic.export.export(model, "mic.pt2", size=(64, 64))                 # runs where torch does

Integers go in as the bitstream gives them; the input's normalisation is in the first weights.
"""

from mic import extras

with extras.needed():
    from mic.export.answer import Answer
    from mic.export.networks import build
    from mic.export.program import Program
    from mic.export.recognition import export_recogniser
    from mic.export.session import Parity, Session, export, parity, quantise

__all__ = [
    "Answer",
    "Parity",
    "Program",
    "Session",
    "build",
    "export",
    "export_recogniser",
    "parity",
    "quantise",
]
