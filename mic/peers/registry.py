"""The peers by name: what they are, what they read, where they stand in the published tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from mic.errors import ConfigError
from mic.inputs.batch import Batch
from mic.inputs.tensors import ClipTensors, Kind
from mic.models.expression import Expression
from mic.peers.c3d_gru import C3dGru
from mic.peers.cnn_lstm import CnnLstm
from mic.peers.compressed_fusion import CompressedFusion
from mic.peers.compressed_transformer import CompressedTransformer
from mic.peers.conv_lstm import TwoStreamConvLstm
from mic.peers.frame_attention import FrameAttention
from mic.peers.frame_transformer import FrameTransformer
from mic.peers.local_binary import LbvCnn
from mic.peers.mode_variational import ModeVariational
from mic.peers.optical_flow import FlowCnn
from mic.peers.size import Size
from mic.peers.voting import FrameVoting

Input = Literal["pictures", "compressed", "residuals"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Peer:
    """A method that MIC is compared with.

    Attributes:
        title: Its name in tables.
        network: Builds it: `network(classes, size)`.
        reads: `pictures` (decoded frames), `compressed` (I-picture, residuals, motion) or
            `residuals` (accumulated).
        paper_width: `width` at which it has the size of its source; for those built on the
            common frame CNN, MIC's own.
        published: Its row in `results/paper.csv`, or empty.
        source: Author and year.
        differs: What is not as in the source, in one sentence.
        features: See `Size`.
        grid: Its own; see `Size`.
        searched: Grid edge that won the search in `results/equal` (of equals the coarser one),
            which it is trained and timed with here; 0: not searched on what it is shown, `grid`
            holds.
        moves: Computes optical flow: it gets frames as they are, not less the first one.
        any_rate: May be trained on fewer frames a clip than it is tested on; not if it reaches
            over neighbouring frames, or if its first row is the I-picture.
    """

    title: str
    network: type[nn.Module]
    reads: Input
    paper_width: int
    published: str
    source: str
    differs: str
    features: int = 512
    grid: int = 1
    searched: int = 0
    moves: bool = False
    any_rate: bool = True

    @property
    def shown(self) -> Kind:
        """What it is trained and timed on here.

        Pictures are given less the first one, which was chosen for whoever could choose, but to
        those that look for motion.
        """
        if self.reads == "pictures":
            return "decoded_frames" if self.moves else "decoded"
        return "fusion" if self.reads == "compressed" else "accumulated"


_COMMON_CNN = "the frame CNN is MIC's cnn4, from random weights"

PEERS: Mapping[str, Peer] = MappingProxyType(
    {
        "cnn-lstm": Peer(
            title="CNN+LSTM",
            network=CnnLstm,
            reads="pictures",
            paper_width=32,
            published="CNN+LSTM",
            searched=2,
            source="Kim et al. 2017",
            differs=f"cross-entropy instead of five objectives; {_COMMON_CNN}",
        ),
        "mode-vlstm": Peer(
            title="Mode VLSTM",
            network=ModeVariational,
            reads="pictures",
            paper_width=32,
            published="Mode VLSTM",
            searched=4,
            source="Baddar and Ro 2019",
            differs=f"gates written from the description; {_COMMON_CNN}",
        ),
        "fan": Peer(
            title="FAN+ResNet18",
            network=FrameAttention,
            reads="pictures",
            paper_width=64,
            published="FAN+ResNet18",
            searched=4,
            source="Meng et al. 2019",
            differs="random weights instead of MS-Celeb-1M and FER+",
        ),
        "c3d-gru": Peer(
            title="C3D-GRU",
            network=C3dGru,
            reads="pictures",
            paper_width=64,
            published="C3D-GRU",
            searched=4,
            source="Tran et al. 2015, Cho et al. 2014",
            differs="four 3-D convolutions, from random weights, instead of C3D's eight",
            any_rate=False,
            grid=4,
        ),
        "lbvcnn": Peer(
            title="LBVCNN",
            network=LbvCnn,
            reads="pictures",
            paper_width=32,
            published="LBVCNN",
            source="Kumawat et al. 2019",
            differs="depth, widths and sparsity are ours, as only its abstract was at hand",
            any_rate=False,
            grid=4,
        ),
        "e-convlstm": Peer(
            title="E-ConvLSTM",
            network=TwoStreamConvLstm,
            reads="pictures",
            paper_width=32,
            published="E-ConvLSTM",
            searched=4,
            source="Miyoshi et al. 2019",
            differs="gates written from the description; Lucas-Kanade flow; random weights",
            any_rate=False,
            grid=4,
        ),
        "coviar": Peer(
            title="CoViAR fusion",
            network=CompressedFusion,
            reads="compressed",
            paper_width=32,
            published="",
            source="Wu et al. 2018",
            differs=f"three small networks instead of ResNet-152 and ResNet-18; {_COMMON_CNN}",
            any_rate=False,
            features=256,
            searched=2,
        ),
        "flow-cnn": Peer(
            title="Flow CNN",
            network=FlowCnn,
            reads="pictures",
            paper_width=32,
            published="",
            source="Simonyan and Zisserman 2014",
            differs=f"Lucas-Kanade flow from the first frame; {_COMMON_CNN}",
            moves=True,
        ),
        "voting": Peer(
            title="Frame voting",
            network=FrameVoting,
            reads="pictures",
            paper_width=32,
            published="",
            source="image-based methods",
            differs=f"all sampled frames vote; {_COMMON_CNN}",
            searched=4,
        ),
        "frame-transformer": Peer(
            title="Frame transformer",
            network=FrameTransformer,
            reads="pictures",
            paper_width=64,
            published="",
            source="Zhao and Liu 2021",
            differs="one spatial, two temporal layers instead of four and three; random weights",
            features=128,
            grid=4,
            searched=4,
        ),
        "residual-transformer": Peer(
            title="Residual transformer",
            network=FrameTransformer,
            reads="residuals",
            paper_width=64,
            published="",
            source="Zhao and Liu 2021",
            differs="as the frame transformer, on residuals instead of frames; random weights",
            features=128,
            grid=4,
            searched=4,
        ),
        "compressed-transformer": Peer(
            title="Compressed-video transformer",
            network=CompressedTransformer,
            reads="compressed",
            paper_width=64,
            published="",
            source="Chen and Ho 2022",
            differs=f"one token a frame and kind instead of patches; {_COMMON_CNN}",
            any_rate=False,
            features=128,
            grid=2,
            searched=2,
        ),
    }
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PeerMethod:
    """What is trained: a peer and its size.

    Attributes:
        peer: A key of `PEERS`.
        width: Feature maps of the first layer, 0 for `Peer.paper_width`.
        dropout: See the peer.
        grid: Edge of the grid that its feature maps are averaged to; 0 keeps the peer's own.
    """

    peer: str
    width: int = 16
    dropout: float = 0.3
    grid: int = 0

    def __post_init__(self) -> None:
        """Refuses a name that is not there."""
        if self.peer not in PEERS:
            raise ConfigError(
                f"there is no peer {self.peer!r}", remedy=f"choose one of {', '.join(PEERS)}"
            )

    def network(self, data: ClipTensors, rows: Sequence[int], *, seed: int) -> PeerModel:
        """`PeerModel` for the classes of `data`; a peer is told nothing of the clips."""
        del rows, seed
        return PeerModel(self, classes=len(data.classes))


class PeerModel(nn.Module):
    """A peer as `mic.training.train` takes it: cross-entropy, no game.

    Args:
        method: Which, of what size.
        classes: Number of expressions.
    """

    def __init__(self, method: PeerMethod, *, classes: int) -> None:
        super().__init__()
        self.method = method
        self.regulariser = None
        peer = PEERS[method.peer]
        size = Size(
            width=method.width or peer.paper_width,
            features=peer.features,
            grid=method.grid or peer.grid,
            dropout=method.dropout,
        )
        self.network = peer.network(classes, size)

    def parameters_of_encoder(self) -> list[nn.Parameter]:
        """All parameters: a peer has no critic."""
        return list(self.parameters())

    def forward(
        self, clips: Tensor, lengths: Tensor | None = None, motion: Tensor | None = None
    ) -> Expression:
        """One forward pass; what `clips` holds, `Peer.reads` says."""
        return self.network(clips, lengths, motion)

    def losses(
        self, batch: Batch, *, progress: float, label_smoothing: float = 0.0
    ) -> tuple[Tensor, dict[str, float], Tensor]:
        """Cross-entropy, its value by name, and the logits; see `mic.models.mic.Mic.losses`."""
        del progress
        logits = self(batch.residual, batch.lengths, batch.motion).logits
        with torch.autocast(logits.device.type, enabled=False):
            loss = functional.cross_entropy(
                logits.float(), batch.labels, label_smoothing=label_smoothing
            )
        return loss, {"expression": float(loss.detach())}, logits


def parameter_count(network: nn.Module) -> int:
    """Numbers that training sets; running means and the like are not counted."""
    return sum(parameter.numel() for parameter in network.parameters())
