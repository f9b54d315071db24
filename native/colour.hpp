#pragma once
/// Residual planes to interleaved samples, as the papers use them.

#include <cstdint>

#include "mpeg4.hpp"

namespace mic::mpeg4 {

/// How three planes become three channels.
enum class ColourSpace : std::uint8_t {
    planes,  ///< they stay planes
    ycbcr,   ///< Y, Cb, Cr; chroma repeated over 2x2 samples
    rgb,     ///< R, G, B of the same, by the linear part of ITU-R BT.601 (limited range)
};

/// Writes (height, width, 3) samples; chroma is repeated to the size of `planes[0]`.
///
/// RGB: R = 1.164384 Y + 1.596027 Cr, G = 1.164384 Y - 0.391762 Cb - 0.812968 Cr,
/// B = 1.164384 Y + 2.017232 Cb in 16.16 fixed point, rounded to nearest, halves upwards. There is
/// no offset: a residual of zero stays zero.
void interleave(const std::array<Plane, 3>& planes, ColourSpace space, std::int16_t* out);

}  // namespace mic::mpeg4
