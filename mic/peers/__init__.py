"""Peers of MIC, run beside it: the same folds, frames, optimiser and random start for all.

Each module holds one family, written from its paper's description; its docstring says which
paper, what that leaves open and what is left out. No peer starts from weights learnt elsewhere.

    model = peers.PeerModel(peers.PeerMethod(peer="fan"), classes=7)
    z, logits = model(pictures, lengths)            # (B, T, 3, H, W), (B,)
    peers.parameter_count(model)
"""

from mic.peers.registry import (
    PEERS,
    Input,
    Peer,
    PeerMethod,
    PeerModel,
    parameter_count,
)

__all__ = ["PEERS", "Input", "Peer", "PeerMethod", "PeerModel", "parameter_count"]
