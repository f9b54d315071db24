"""Networks outside Python: ONNX files with folded weights, run by ONNX Runtime.

    mic.export.export(model, "mic.onnx", size=(64, 64))
    answer = mic.export.Session("mic.onnx", threads=1)(residuals)      # int16 in, logits and z out
    mic.export.quantise("mic.onnx", "mic-int8.onnx", calibration)

Integers go in as the bitstream gives them; the input's normalisation is in the first weights.
"""

from mic.export.networks import build
from mic.export.session import Answer, Parity, Session, export, parity, quantise

__all__ = ["Answer", "Parity", "Session", "build", "export", "parity", "quantise"]
