"""CNN+LSTM on decoded frames: the network of MIC, fed what MIC does without.

Source: D. H. Kim, W. J. Baddar, J. Jang, Y. M. Ro, "Multi-objective based spatio-temporal feature
representation learning robust to expression intensity variations for facial expression
recognition", IEEE Trans. Affective Computing 10(2), 2019, the paper's [6] (78.61 % on MMI).

Left open, or left out: the original learns its frame features with five objectives on frames
annotated as onset, transition, apex and offset, which neither MIC's protocol nor AFEW has; here
cross-entropy alone trains CNN and LSTM together. Its CNN is replaced by the one that all peers of
this package use, `mic.models.expression.FrameEncoder`.

How it compares with MIC depends on what else differs. With one average a map (`grid=1`), where
MIC has four, and pictures that are not compared with the first, it learns next to nothing from
three hundred clips; with MIC's grid and pictures less the first it is as good as MIC. Which of
these it gets is chosen on validation people, as for all (`mic.experiments.equal`).
"""

from __future__ import annotations

from mic.models.expression import ExpressionNetwork
from mic.peers.size import Size


class CnnLstm(ExpressionNetwork):
    """Frame CNN, LSTM, classifier; the input is pictures.

    Args:
        classes: Number of expressions.
        size: Of the frame CNN; the LSTM's state is as wide as its features.
    """

    def __init__(self, classes: int, size: Size) -> None:
        super().__init__(
            classes,
            width=size.width,
            grid=size.grid,
            feature_size=size.features,
            z_size=size.features,
            dropout=size.dropout,
        )
