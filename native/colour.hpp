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
/// B = 1.164384 Y + 2.017232 Cb, with 13 fractional bits, so that 16-bit samples cannot
/// overflow 32-bit sums; integers are rounded to nearest, halves upwards, and saturate. There is
/// no offset: a residual of zero stays zero. T is std::int16_t, std::int32_t or float.
template <typename T>
void interleave(const std::array<PlaneOf<T>, 3>& planes, ColourSpace space, T* out);

/// Writes (height, width, 3) samples of a decoded picture: as `ColourSpace::rgb`, with 16 taken
/// off Y and 128 off Cb and Cr first, clipped to 8 bits.
///
/// @param odd_left, odd_top the first luma column, or row, is the second one of its chroma sample.
void picture_to_rgb(const std::array<PlaneOf<const std::uint8_t>, 3>& planes, bool odd_left,
                    bool odd_top, std::uint8_t* out);

/// Weights of the conversion in fixed point.
struct BlueRedToRgb {
    static constexpr int fraction_bits = 13;
    int y, red_cr, green_cb, green_cr, blue_cb;
};

#if defined(__x86_64__)
/// Whole groups of eight columns of one row, for processors with AVX2; returns how many columns.
///
/// @param by null for ColourSpace::ycbcr.
int interleave_row_avx2(const std::int16_t* y, const std::int16_t* cb, const std::int16_t* cr,
                        int width, const BlueRedToRgb* by, std::int16_t* out);
#endif

}  // namespace mic::mpeg4
