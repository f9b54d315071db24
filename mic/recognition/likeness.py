"""Whether two looks of one film show the same person.

Asked where a face looks otherwise than it did, or where one is found near which another was lost:
at a cut, or where a decoder tells no motion. Faces are compared as they are in memory; what the
network makes of them is written nowhere, names nobody, and ends with the film.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Set

import numpy as np

from mic.faces import covering
from mic.faces.landmarks import Mesh
from mic.identity.networks import MobileFaceNetIdentity

# Cosines of the network's vectors. Looks 0.4 s apart, each with the next, of 24 films of 11
# people, also with faces of 60 and of 36 samples and strong compression: 0.53 at least. Looks at
# two of these people: 0.42 at most, at 36 samples one pair 0.51. One person, bare and with a
# hidden mouth or blurred: 0.41 at least.
SAME, OTHER = 0.5, 0.4
# Below this correlation of two coarse pictures it is worth asking: of those pairs of people 0.89
# at most, of one person from look to look mostly above.
_ALIKE = 0.92
# The mesh's points for the middle of either eye, the tip of the nose and the corners of the mouth.
_FIVE = ((33, 133), (263, 362), (1,), (61,), (291,))


@dataclasses.dataclass(frozen=True)
class Portrait:
    """A face as a look saw it.

    Attributes:
        appearance: As of `mic.faces.covering.appearance`.
        crop: uint8 (112, 112, 3) RGB, upright, the network's input.
    """

    appearance: np.ndarray
    crop: np.ndarray


class Likeness:
    """Compares portraits.

    Raises:
        AssetError: The network cannot be fetched.
    """

    def __init__(self) -> None:
        self._network = MobileFaceNetIdentity()
        # A portrait is compared with those of the looks before and after it, and with neighbours.
        self._vector = functools.lru_cache(maxsize=16)(self._embedded)

    def portrait(self, picture: np.ndarray, mesh: Mesh) -> Portrait:
        """The face of a look.

        Args:
            picture: uint8 (H, W, 3) RGB.
            mesh: The face in it, in samples of that picture.
        """
        points = np.stack([mesh.points[list(which), :2].mean(0) for which in _FIVE])
        crop = self._network.crop(picture, points.astype(np.float32))
        return Portrait(covering.appearance(picture, mesh), crop)

    def cosine(self, one: Portrait, other: Portrait) -> float:
        """How alike the network finds two faces; see `SAME` and `OTHER`."""
        return float(self._vector(one.crop.tobytes()) @ self._vector(other.crop.tobytes()))

    def changed(
        self, before: Mapping[int, Portrait], now: Mapping[int, Portrait], doubted: Set[int]
    ) -> tuple[set[int], set[int]]:
        """Numbers of people that end from one look to the next.

        Args:
            before: The last portraits, by number.
            now: Those of the faces that are found where these people should be.
            doubted: Numbers of people who may have been mixed up.

        Returns:
            Those of whom nobody can tell, and those in whose place somebody else is seen.
        """
        others = {k for k in now if k in before and self.differ(before[k], now[k])}
        unsure = {
            k
            for k in doubted - others
            if k not in now or not doubted <= before.keys() or self.whose(now[k], before) != k
        }
        return unsure, others

    def whose(self, portrait: Portrait, known: Mapping[int, Portrait]) -> int | None:
        """The number of the only one of some people who looks like this; None if there is none."""
        cosines = {number: self.cosine(portrait, one) for number, one in known.items()}
        alike = [number for number, cosine in cosines.items() if cosine >= OTHER]
        return alike[0] if len(alike) == 1 and cosines[alike[0]] >= SAME else None

    def differ(self, one: Portrait, other: Portrait) -> bool:
        """Whether two looks surely show two people; the network is asked where they may."""
        alike = float(one.appearance @ other.appearance)
        return alike < _ALIKE and self.cosine(one, other) < OTHER

    def _embedded(self, crop: bytes) -> np.ndarray:
        size = self._network.size
        face = np.frombuffer(crop, np.uint8).reshape(1, size, size, 3)
        vector: np.ndarray = self._network.embed(face)[0]
        return vector
