"""CoViAR's data loader (C.-Y. Wu et al., CVPR 2018) in loops over samples."""

import av
import numpy as np
from av.video.reformatter import Interpolation


def by_the_sample(path, accumulate):
    """Picture, residual and motion of all frames but the last, as CoViAR's loader gives them.

    One sample at a time, a dictionary of paths instead of its arrays.
    """
    out, reference, chain = [], None, None
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        video.codec_context.options = {"flags2": "+export_mvs"}
        for frame in container.decode(video):
            bgr = frame.reformat(format="bgr24", interpolation=Interpolation.BICUBIC)
            bgr = bgr.to_ndarray().astype(int)
            height, width = bgr.shape[:2]
            if frame.pict_type == 1:
                reference = bgr
                chain = {(x, y): (x, y) for x in range(width) for y in range(height)}
                out.append((bgr, np.zeros_like(bgr), np.zeros((height, width, 2), int)))
                continue
            old, new = dict(chain), dict(chain)
            vector = {}
            data = frame.side_data.get("MOTION_VECTORS")
            for mv in [] if data is None else data:
                if (mv.dst_x, mv.dst_y) == (mv.src_x, mv.src_y):
                    continue
                for dx in range(-(mv.w // 2), mv.w // 2):
                    for dy in range(-(mv.h // 2), mv.h // 2):
                        to = (mv.dst_x + dx, mv.dst_y + dy)
                        source = (mv.src_x + dx, mv.src_y + dy)
                        if to in old and source in old:
                            new[to] = old[source]
                            vector[to] = (mv.dst_x - mv.src_x, mv.dst_y - mv.src_y)
            residual, motion = np.zeros_like(bgr), np.zeros((height, width, 2), int)
            for (x, y), back in new.items() if data is not None else ():
                step = vector.get((x, y), (0, 0))
                source = back if accumulate else (x - step[0], y - step[1])
                residual[y, x] = bgr[y, x] - reference[source[1], source[0]]
                motion[y, x] = x - source[0], y - source[1]
            out.append((bgr, residual, motion))
            chain = new
            if not accumulate:
                reference = bgr
    return out[:-1]
