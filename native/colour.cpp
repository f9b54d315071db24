/// Planes to (height, width, 3).

#include "colour.hpp"

#include <algorithm>
#include <cstddef>

namespace mic::mpeg4 {
namespace {

/// 16.16 fixed point of the ITU-R BT.601 inverse with luma in 219 and chroma in 224 steps.
constexpr std::int32_t kY = 76309, kRedCr = 104597, kGreenCb = -25675, kGreenCr = -53279,
                       kBlueCb = 132201;

std::int16_t rounded(std::int32_t fixed) {
    return static_cast<std::int16_t>(std::clamp((fixed + (1 << 15)) >> 16, -32768, 32767));
}

}  // namespace

void interleave(const std::array<Plane, 3>& planes, ColourSpace space, std::int16_t* out) {
    const auto& [luma, blue, red] = planes;
    for (int row = 0; row < luma.height; ++row) {
        const std::int16_t* y = luma.data + row * luma.stride;
        const std::int16_t* cb = blue.data + row / 2 * blue.stride;
        const std::int16_t* cr = red.data + row / 2 * red.stride;
        if (space == ColourSpace::ycbcr) {
            for (int column = 0; column < luma.width; ++column, out += 3) {
                out[0] = y[column];
                out[1] = cb[column / 2];
                out[2] = cr[column / 2];
            }
            continue;
        }
        for (int column = 0; column < luma.width; ++column, out += 3) {
            const std::int32_t grey = kY * y[column];
            const std::int32_t b = cb[column / 2], r = cr[column / 2];
            out[0] = rounded(grey + kRedCr * r);
            out[1] = rounded(grey + kGreenCb * b + kGreenCr * r);
            out[2] = rounded(grey + kBlueCb * b);
        }
    }
}

}  // namespace mic::mpeg4
