"""Generated videos of faces, with everything about them known: a dataset that needs no licence.

    from mic import synthface

    manifest = synthface.generate("synth-ck", "data/synth-ck", jobs=2)

Identity, action units, pose, gaze, valence and arousal of every frame are ground truth, so what a
feature knows about the person and about the expression can be measured apart. Head geometry is
distilled from CC0 data (see build_head.py); drawing is NumPy alone and bit-exact.
"""

from mic.synthface.generate import generate
from mic.synthface.protocols import PROTOCOLS

__all__ = ["PROTOCOLS", "generate"]
