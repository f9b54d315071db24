"""Whether a wheel that was just built parses: three frames of a moving texture, 32x16.

The workflow runs it (`python -I`: not on the sources beside it) in an environment that holds the
wheel and NumPy, on each system. The sums
are those that the tests' oracles confirm on x86-64.
"""

import numpy as np

import mic_bitstream

STREAM = bytes.fromhex(
    "000001b001000001b58913000001000000012000c48d8800cd0104021463000001b3001007000001b61060919c6d"
    "87c080d85c1d4f36c60b7a52fa98aba738eaf9a55860d01ff5ad0e4dea8175a1305aad40316c533abaf284c06783"
    "01ca3d9a5e0dd520e05129b180fd1f6ff980c79f000001b650f0430a6c7e066db321081814010addf9716fc5a100"
    "49578ac14474b87c25dbe03cad528a23ea92ccc83112fc07d40fd5891a0d8a7faa00e46c0c70603ebe062e1f0378"
    "18b81e07fdf12c21406f893e123c0d0215f0f403fbe9954e0ea1e7000001b65160430a6c641bbf6fef06f0218302"
    "87f151003c1403742001de779ca423f51642f050d06503ba3c1f503bbd1904012c1b04880c1002017977c4906562"
    "5aa12a4faaf03c1c0225ca267c7eaf45cf"
)
RESIDUAL, MOTION, BITS = 4516, 64, 1872

stream = mic_bitstream.PacketStream()
stream.append(STREAM)
clip = stream.read(what=("residual", "motion", "macroblocks"))
found = (
    int(np.abs(clip.residual.y.astype(int)).sum()),
    int(np.abs(clip.motion.blocks.astype(int)).sum()),
    int(clip.macroblocks.bits.sum()),
)
assert found == (RESIDUAL, MOTION, BITS), found
print(f"{mic_bitstream.__version__}: three frames parsed")
