"""Headers of H.264 slices, as far as what they do to the decoder's memory (ITU-T H.264, 7.3.3)."""

from __future__ import annotations

from mic.codec.avc_parameters import ParameterSets, PictureSet, Sequence
from mic.codec.picture_headers import Bits

_IDR = 5  # nal_unit_type
_P, _B, _SP = 0, 1, 3  # slice_type modulo 5; others are intra slices


def empties_memory(unit: bytes, parameters: ParameterSets) -> bool:
    """Whether a reference picture has the decoder forget all others and count from it anew.

    That is memory_management_control_operation 5. An IDR picture does so too, and is not asked.

    Args:
        unit: Its first slice.
        parameters: The parameter sets that hold for it.
    """
    bits = Bits(unit[1:].replace(b"\0\0\3", b"\0\0"))
    bits.golomb()  # first_mb_in_slice
    kind, named = bits.golomb() % 5, bits.golomb()
    sequence, picture = parameters.of(named), parameters.picture(named)
    if sequence is None or picture is None or unit[0] & 31 == _IDR:
        return False
    _pass_order(bits, sequence, picture)
    if picture.redundant:
        bits.golomb()  # redundant_pic_cnt
    if kind == _B:
        bits.take(1)  # direct_spatial_mv_pred_flag
    lists = (kind in (_P, _SP, _B)) + (kind == _B)
    counts = picture.references[:lists]
    if lists and bits.take(1):  # num_ref_idx_active_override_flag
        counts = tuple(bits.golomb() + 1 for _ in counts)
    for _ in counts:
        _pass_modification(bits)
    if counts and picture.weighted[kind == _B]:
        _pass_weights(bits, counts, colour=sequence.colour)
    return bool(bits.take(1)) and _forgets(bits)  # adaptive_ref_pic_marking_mode_flag


def _pass_order(bits: Bits, sequence: Sequence, picture: PictureSet) -> None:
    """Passes over what tells a picture's number, and its place in the order of showing."""
    bits.take(2 * sequence.planes + sequence.number_bits)
    field = sequence.fields and bool(bits.take(1))
    if field:
        bits.take(1)  # bottom_field_flag
    bits.take(sequence.order_bits)
    if sequence.order_told:
        bits.golomb()
    if picture.order_told and not field and (sequence.order_type == 0 or sequence.order_told):
        bits.golomb()


def _pass_modification(bits: Bits) -> None:
    """Passes over how one list of references is put in another order (7.3.3.1)."""
    if bits.take(1):
        while bits.golomb() != 3 and not bits.ended:
            bits.golomb()


def _pass_weights(bits: Bits, counts: tuple[int, ...], *, colour: bool) -> None:
    """Passes over the weights of references (7.3.3.2)."""
    bits.golomb()  # luma_log2_weight_denom
    if colour:
        bits.golomb()
    for count in counts:
        for _ in range(min(count, 32)):
            for numbers in (2, 4) if colour else (2,):
                if bits.take(1):
                    for _ in range(numbers):
                        bits.golomb()


def _forgets(bits: Bits) -> bool:
    """Whether all pictures are among those that are marked as not needed any more (7.3.3.3)."""
    while (operation := bits.golomb()) and not bits.ended:
        if operation == 5:
            return True
        for _ in range(2 if operation == 3 else 1):
            bits.golomb()
    return False
