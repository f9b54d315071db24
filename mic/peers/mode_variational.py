"""Mode Variational LSTM: a second cell state takes up what does not belong to the expression.

Source: W. J. Baddar, Y. M. Ro, "Mode variational LSTM robust to unseen modes of variation:
application to facial expression recognition", AAAI 2019, arXiv:1811.06937 (97.42 % on CK+, 79.33 %
on MMI, 51.44 % on AFEW, 10 to 11 frames per second as MIC's tables quote them).

What its description fixes: an LSTM with one additional cell state, which encodes the mode of
variation of the sequence (who, pose, light), and additional gates that decide what goes there.

Left open, and our reading: written from the description, not from its equations. The mode cell
v has an input gate and a forget gate of its own, whose bias starts high, because a mode varies
slowly; a further gate decides how much of v is taken from the cell c before the output:

    i, f, o, g = gates of an LSTM, from x_t and h_{t-1}
    j, k, m    = sigmoid gates of the mode cell, u = tanh candidate, from x_t and h_{t-1}
    v_t = k v_{t-1} + j u
    c_t = f c_{t-1} + i g
    h_t = o tanh(c_t - m v_t)

The authors start from a frame CNN trained before; here everything starts at random, as all peers
of this package do, and the frame CNN is the common one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mic.models.expression import Expression
from mic.peers.padding import at_last, encode_valid
from mic.peers.size import Size


class ModeVariationalLstm(nn.Module):
    """The recurrent layer alone.

    Args:
        input_size: Width of the frame features.
        size: Width of both cell states and of the output.
    """

    def __init__(self, input_size: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.from_input = nn.Linear(input_size, 8 * size)
        self.from_state = nn.Linear(size, 8 * size, bias=False)
        nn.init.orthogonal_(self.from_state.weight)
        with torch.no_grad():
            forget, mode_forget = slice(size, 2 * size), slice(5 * size, 6 * size)
            self.from_input.bias.zero_()
            self.from_input.bias[forget] = 1.0
            self.from_input.bias[mode_forget] = 3.0  # remembers for about 20 frames at the start

    def forward(self, frames: Tensor) -> Tensor:
        """(B, T, input_size) -> states (B, T, size)."""
        inputs = self.from_input(frames)
        # Full precision also under autocast: the cells add up over the whole clip.
        state = torch.zeros(frames.shape[0], self.size, device=frames.device)
        cell, mode = state, state
        states = []
        for step in range(frames.shape[1]):
            gates = (inputs[:, step] + self.from_state(state)).float().chunk(8, 1)
            i, f, o, j, m, k = (torch.sigmoid(gates[n]) for n in (0, 1, 2, 3, 4, 5))
            g, u = torch.tanh(gates[6]), torch.tanh(gates[7])
            mode = k * mode + j * u
            cell = f * cell + i * g
            state = o * torch.tanh(cell - m * mode)
            states.append(state)
        return torch.stack(states, 1)


class ModeVariational(nn.Module):
    """Frame CNN, mode variational LSTM, classifier.

    Args:
        classes: Number of expressions.
        size: Of the frame CNN; the states are as wide as its features.
    """

    def __init__(self, classes: int, size: Size) -> None:
        super().__init__()
        self.z_size = size.features
        self.encoder = size.encoder()
        self.lstm = ModeVariationalLstm(size.features, size.features)
        self.classifier = size.classifier(classes)

    def forward(
        self, clips: Tensor, lengths: Tensor | None = None, motion: Tensor | None = None
    ) -> Expression:
        """(B, T, 3, H, W) pictures, (B,) lengths -> z (B, z_size), logits."""
        del motion
        states = self.lstm(encode_valid(self.encoder, clips, lengths))
        z = at_last(states, lengths)
        return Expression(z=z, logits=self.classifier(z))
