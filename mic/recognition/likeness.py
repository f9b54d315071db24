"""Face verification within one film: whether two looks show the same person.

Asked where a face looks otherwise than it did, or where one is found near which another was lost:
at a cut, or where a decoder tells no motion. Faces are compared as they are in memory; what the
network makes of them is written nowhere, names nobody, and ends with the film.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence, Set

import numpy as np
from PIL import Image

from mic import faces
from mic.faces import covering
from mic.faces.landmarks import Mesh
from mic.identity.networks import MobileFaceNetIdentity

# Cosines of the network's vectors. Looks 0.4 s apart, each with the next, of 24 films of 11
# people, also with faces of 60 and of 36 samples and strong compression: 0.53 at least. Looks at
# two of these people: 0.42 at most, at 36 samples one pair 0.51. One person, bare and with a
# hidden mouth or blurred: 0.41 at least.
SAME, OTHER = 0.5, 0.4
# Where a hand may hide a part of the face: half a face has been as low as 0.37.
_UNCLEAR = 0.3
# Below these correlations of two coarse pictures, as the face is and turned upright, it is worth
# asking: of 11,051 pairs of looks at two people they are 0.89 and 0.86 at most, of 142 pairs of
# neighbouring looks at one person eleven are below both.
_ALIKE, _ALIGNED = 0.92, 0.88
_PATCH = 14
# The mesh's points for the middle of either eye, the tip of the nose and the corners of the mouth.
_FIVE = ((33, 133), (263, 362), (1,), (61,), (291,))


@dataclasses.dataclass(eq=False)
class Portrait:
    """A face template: a face as one look saw it, for comparison with others of the same film.

    Attributes:
        picture: uint8 (H, W, 3) RGB.
        mesh: The face in it, in samples of that picture.
        clear: Whether nothing seems to hide eyes or mouth.
        vector: float32 (128,), what the network makes of it; None until it is asked.
    """

    picture: np.ndarray
    mesh: Mesh
    clear: bool = True
    vector: np.ndarray | None = None

    @functools.cached_property
    def appearance(self) -> np.ndarray:
        """As of `mic.faces.covering.appearance`."""
        return covering.appearance(self.picture, self.mesh)

    @functools.cached_property
    def upright(self) -> np.ndarray:
        """float64 (196,) of mean 0 and norm 1: the same of the face turned upright."""
        small = Image.fromarray(self.crop).convert("L")
        values = np.asarray(small.resize((_PATCH, _PATCH), Image.Resampling.BOX), np.float64)
        values = values.reshape(-1) - values.mean()
        return values / max(float(np.linalg.norm(values)), 1e-9)

    @functools.cached_property
    def crop(self) -> np.ndarray:
        """uint8 (112, 112, 3) RGB: the network's input."""
        five = [self.mesh.points[list(which), :2].mean(0) for which in _FIVE]
        return faces.align(self.picture, np.stack(five).astype(np.float32))


Portraits = Sequence[Portrait]
"""Of one person in the last looks, the newest last; at least one."""


class Likeness:
    """Face verification and identification by portraits.

    Raises:
        AssetError: The network cannot be fetched.
    """

    def __init__(self) -> None:
        self._network = MobileFaceNetIdentity()

    def cosine(self, one: Portrait, other: Portrait) -> float:
        """Cosine similarity of two faces by the network's vectors; see `SAME` and `OTHER`."""
        return float(self._vector(one) @ self._vector(other))

    def changed(
        self,
        before: Mapping[int, Portraits],
        now: Mapping[int, Portrait],
        doubted: Set[frozenset[int]],
    ) -> tuple[set[int], set[int]]:
        """Which people's numbers end with this look.

        Args:
            before: By a person's number, their portraits of the last looks.
            now: By a person's number, the portrait of the face found where they should be.
            doubted: Pairs of numbers of people who may have been mixed up.

        Returns:
            Two sets of numbers: people of doubted pairs whom the faces found do not confirm, and
            people in whose place surely somebody else is seen.
        """
        others = {k for k in now if k in before and self.differ(before[k], now[k])}
        unsure = set()
        for pair in doubted:
            known = {k: before[k] for k in pair if k in before}
            for k in pair - others:
                if k not in now or len(known) < len(pair) or self.whose(now[k], known) != k:
                    unsure.add(k)
        return unsure, others

    def whose(self, portrait: Portrait, known: Mapping[int, Portraits]) -> int | None:
        """Identification: the number of the only known person who looks so; None if none does."""
        cosines = {
            number: max(self.cosine(portrait, one) for one in portraits)
            for number, portraits in known.items()
        }
        alike = [number for number, cosine in cosines.items() if cosine >= OTHER]
        return alike[0] if len(alike) == 1 and cosines[alike[0]] >= SAME else None

    def differ(self, known: Portraits, now: Portrait) -> bool:
        """Verification: whether a look surely shows another person than these portraits.

        The network is asked only where coarse pictures of the faces differ.
        """
        if any(
            one.appearance @ now.appearance >= _ALIKE or one.upright @ now.upright >= _ALIGNED
            for one in known
        ):
            return False
        limit = OTHER if now.clear and known[-1].clear else _UNCLEAR
        return all(self.cosine(one, now) < limit for one in reversed(known))

    def _vector(self, portrait: Portrait) -> np.ndarray:
        vector = portrait.vector
        if vector is None:
            vector = portrait.vector = self._network.embed(portrait.crop[None])[0]
        return vector
