"""MIC: the expression branch, the frozen identity anchor, and the game between them.

    L = L_CE + alpha * MI(z_E; z_I) + beta * ||I_apex - Dec(z_I, z_E)||^2        (section 3.4)

z_I comes from a frozen face-recognition network (`mic.identity`), once per clip, from the I-frame;
it enters training only. Testing needs residuals alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mic import mi
from mic.errors import ConfigError
from mic.inputs.batch import Batch
from mic.inputs.tensors import ClipTensors
from mic.models.adversary import Discriminator, GradientReversal
from mic.models.decoder import ApexDecoder
from mic.models.expression import Backbone, Expression, ExpressionNetwork, Pooling

Regulariser = Literal["none", mi.Name, "reversal", "discriminator"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Method:
    """What is trained: a row of the ablation table.

    Attributes:
        backbone: f_E; see `mic.models.expression`.
        width: Feature maps of its first layer.
        grid: Edge of the grid its feature maps are averaged to.
        feature_size: Of the frame feature (512 in the paper).
        z_size: Of z_E (512).
        pooling: Of the LSTM's states.
        dropout: In the encoder and in front of the classifier.
        motion: "+T", a motion branch.
        regulariser: What keeps z_E and z_I independent; "none" is the row "-MI".
        alpha: Its weight.
        beta: Weight of the apex reconstruction; 0 is the row "-I_hat".
        apex_loss: `squared`, as the paper's formula has it, or `absolute`, as its text calls it.
        critic_steps: Steps of the critic for each step of the encoder.
        critic_hidden: Width of the statistics network.
        literal_min_min: The paper's words taken literally: the critic descends too. Diverges.
        identity_size: z_I is reduced to so many principal components of the training clips.
        warm_up: Share of the training over which alpha rises from zero.
        erase: Whether z_I is erased linearly from z_E after training, and the classifier refitted.
    """

    backbone: Backbone = "cnn4"
    width: int = 16
    grid: int = 2
    feature_size: int = 512
    z_size: int = 512
    pooling: Pooling = "last"
    dropout: float = 0.3
    motion: bool = False
    regulariser: Regulariser = "mine"
    alpha: float = 0.1
    beta: float = 0.5
    apex_loss: Literal["squared", "absolute"] = "squared"
    critic_steps: int = 5
    critic_hidden: int = 256
    literal_min_min: bool = False
    identity_size: int = 16
    warm_up: float = 0.2
    erase: bool = False

    def __post_init__(self) -> None:
        """Refuses weights outside [0, 1], where the paper defines them, and idle switches."""
        for name in ("alpha", "beta", "warm_up"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, not in [0, 1]")
        if self.literal_min_min and self.regulariser != "mine":
            raise ConfigError("the literal min-min game is defined for 'mine' only")

    def network_options(self, *, steps: int) -> dict[str, Any]:
        """The arguments of `ExpressionNetwork` but `classes`, for clips of so many frames."""
        names = ("backbone", "width", "grid", "feature_size", "z_size", "pooling", "dropout")
        return {name: getattr(self, name) for name in (*names, "motion")} | {"steps": steps}

    def network(self, data: ClipTensors, rows: Sequence[int], *, seed: int) -> Mic:
        """`Mic` in the shapes of `data`, z_I reduced to what it is fitted to on `rows`."""
        return Mic(
            self,
            classes=len(data.classes),
            identity=data.identity[list(rows)].cpu(),
            apex_size=None if data.apex is None else (data.apex.shape[1], data.apex.shape[2]),
            steps=data.residual.shape[1],
            seed=seed,
        )


class Identity(nn.Module):
    """z_I as the game sees it: principal components of unit variance, fitted on training clips.

    Args:
        features: (N, d) raw identity features of the training clips.
        size: Components to keep (fewer where the clips do not span as many).
    """

    mean: Tensor
    basis: Tensor

    def __init__(self, features: Tensor, *, size: int) -> None:
        super().__init__()
        mean = features.double().mean(0)
        _, singular, rows = torch.linalg.svd(features.double() - mean, full_matrices=False)
        keep = min(size, int((singular > 1e-6 * singular[0]).sum()))
        if keep == 0:
            raise ConfigError("identity features do not vary over the training clips")
        scale = (len(features) - 1) ** 0.5 / singular[:keep]
        # An SVD's signs are arbitrary and differ between machines.
        sign = torch.sign(rows[:keep].gather(1, rows[:keep].abs().argmax(1, keepdim=True)))
        self.register_buffer("mean", mean.float())
        self.register_buffer("basis", (rows[:keep] * sign).T.mul(scale).float())

    @property
    def size(self) -> int:
        """Width of the reduced z_I."""
        return self.basis.shape[1]

    def forward(self, features: Tensor) -> Tensor:
        """(B, d) -> (B, size)."""
        return (features - self.mean) @ self.basis


class Mic(nn.Module):
    """All that is trained for one `Method`.

    Args:
        method: The row.
        classes: Number of expressions.
        identity: (N, d) raw z_I of the training clips.
        apex_size: (channels, edge) of the apex targets, or None where there are none.
        steps: Frames a clip (for `pooling="concat"`).
        seed: Of the critic's weights; the others come from the caller's generator.
    """

    def __init__(
        self,
        method: Method,
        *,
        classes: int,
        identity: Tensor,
        apex_size: tuple[int, int] | None = None,
        steps: int = 16,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.method = method
        self.expression = ExpressionNetwork(classes, **method.network_options(steps=steps))
        self.identity = Identity(identity, size=method.identity_size)
        z_size = self.expression.z_size
        self.regulariser = _regulariser(method, z_size, self.identity.size, seed)
        self.decoder: ApexDecoder | None = None
        if method.beta > 0 and apex_size is not None:
            channels, edge = apex_size
            self.decoder = ApexDecoder(self.identity.size, z_size, channels=channels, size=edge)

    def parameters_of_encoder(self) -> list[nn.Parameter]:
        """Everything the main optimiser owns: all but a critic with its own optimiser."""
        critic = self.regulariser
        if critic is None or critic.optimizer is None:
            return list(self.parameters())
        theirs = {id(parameter) for parameter in critic.parameters()}
        return [parameter for parameter in self.parameters() if id(parameter) not in theirs]

    def forward(
        self, residual: Tensor, lengths: Tensor | None = None, motion: Tensor | None = None
    ) -> Expression:
        """Inference: z_E and class scores from residuals alone; see `ExpressionNetwork`."""
        return self.expression(residual, lengths, motion)

    def losses(
        self, batch: Batch, *, progress: float, label_smoothing: float = 0.0
    ) -> tuple[Tensor, dict[str, float], Tensor]:
        """The encoder's loss after the critic's steps on this batch.

        Args:
            batch: The clips.
            progress: Share of the training that is done, for the warm-up of alpha.
            label_smoothing: Of the cross-entropy.

        Returns:
            The scalar to descend; its parts by name (`expression`, `dependence`, `critic`,
            `apex`); and the logits.
        """
        method = self.method
        z, logits = self.expression(batch.residual, batch.lengths, batch.motion)
        # Everything behind the features is cheap and delicate: full precision.
        with torch.autocast(z.device.type, enabled=False):
            z, logits = z.float(), logits.float()
            loss = F.cross_entropy(logits, batch.labels, label_smoothing=label_smoothing)
            parts = {"expression": float(loss.detach())}
            z_i = self.identity(batch.identity)
            if self.regulariser is not None:
                for _ in range(method.critic_steps):
                    parts["critic"] = self.regulariser.update(z, z_i)
                dependence = self.regulariser.penalty(z, z_i)
                ramp = min(1.0, progress / method.warm_up) if method.warm_up else 1.0
                loss = loss + method.alpha * ramp * dependence
                parts["dependence"] = float(dependence.detach())
            if self.decoder is not None and batch.apex is not None:
                error = self.decoder(z_i, z) - batch.apex
                # Per pixel, so that beta does not depend on the size of the picture.
                apex = (error**2 if method.apex_loss == "squared" else error.abs()).mean()
                loss = loss + method.beta * apex
                parts["apex"] = float(apex.detach())
        return loss, parts, logits


def _regulariser(
    method: Method, z_size: int, identity_size: int, seed: int
) -> mi.Estimator | None:
    name = method.regulariser
    if name == "none" or method.alpha == 0:
        return None
    hidden = method.critic_hidden
    if name == "reversal":
        return GradientReversal(z_size, identity_size, hidden=hidden, seed=seed)
    if name == "discriminator":
        return Discriminator(z_size, identity_size, hidden=hidden, seed=seed)
    options: dict[str, object] = {}
    if name in mi.TRAINED:
        options = {"hidden": hidden, "seed": seed}
    if method.literal_min_min:
        options |= {"ascend": False, "decay": None}
    return mi.make(name, x_size=z_size, y_size=identity_size, **options)
