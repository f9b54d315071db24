"""Writes video object layers with any field, also those that no encoder at hand would write."""

from __future__ import annotations

from oracles.stream import Vol


def video_object_layer(
    vol: Vol, *, resolution: int, verid: int = 2, matrices: str = "00", **fields: int
) -> bytes:
    """A video_object_layer (6.2.3) of the size and options of `vol`.

    Args:
        vol: What fields not named are taken from.
        resolution: vop_time_increment_resolution.
        verid: video_object_layer_verid.
        matrices: Bits from load_intra_quant_mat on, where there are such.
        **fields: Syntax elements by their name in the standard, to override.
    """
    value = {
        "type": 1,
        "chroma_format": 1,
        "shape": 0,
        "width": vol.width,
        "height": vol.height,
        "interlaced": 0,
        "obmc_disable": 1,
        "sprite_enable": 0,
        "not_8_bit": 0,
        "quant_type": int(vol.quant_type),
        "quarter_sample": int(vol.quarter_sample),
        "complexity_estimation_disable": 1,
        "resync_marker_disable": int(vol.resync_marker_disable),
        "data_partitioned": 0,
        "reversible_vlc": 0,
        "newpred_enable": 0,
        "reduced_resolution_vop_enable": 0,
        "scalability": 0,
    }
    unknown = fields.keys() - value.keys()
    assert not unknown, unknown
    value |= fields
    bits = "0" + f"{value['type']:08b}" + f"1{verid:04b}001" + "0001"
    bits += f"1{value['chroma_format']:02b}10"  # vol_control_parameters, low_delay, no vbv
    bits += f"{value['shape']:02b}1{resolution:016b}10"
    bits += f"1{value['width']:013b}1{value['height']:013b}1"
    bits += f"{value['interlaced']}{value['obmc_disable']}"
    bits += f"{value['sprite_enable']:0{1 if verid == 1 else 2}b}"
    bits += f"{value['not_8_bit']}{value['quant_type']}"
    bits += matrices * value["quant_type"]
    bits += f"{value['quarter_sample']}" if verid != 1 else ""
    bits += f"{value['complexity_estimation_disable']}{value['resync_marker_disable']}"
    bits += (
        f"{value['data_partitioned']}" + f"{value['reversible_vlc']}" * value["data_partitioned"]
    )
    if verid != 1:
        bits += f"{value['newpred_enable']}{value['reduced_resolution_vop_enable']}"
    bits += f"{value['scalability']}"
    bits += "0" + "1" * ((-len(bits) - 1) % 8)
    return b"\0\0\1\0" + b"\0\0\1\x20" + int(bits, 2).to_bytes(len(bits) // 8, "big")
