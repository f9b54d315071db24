"""Who is on the I-frame: frozen face recognition networks behind one interface.

z_I, the identity feature of the MIC paper, is what such a network makes of the aligned face of a
clip's I-frame. It is computed once a clip, cached by content, and always named with its network.

    network = mic.identity.load("mobilefacenet")
    identity = mic.identity.of_clip("clip.mp4", network=network)   # z_I and the face's status

These networks are instruments here: they measure how much identity a feature reveals, on
generated faces and on subjects who agreed to it. They are not to be used to find people.
"""

from mic.identity.clips import ClipIdentity, of_clip, of_clips
from mic.identity.networks import NETWORKS, IdentityNetwork, load

__all__ = [
    "NETWORKS",
    "ClipIdentity",
    "IdentityNetwork",
    "load",
    "of_clip",
    "of_clips",
]
