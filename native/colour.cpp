/// Planes to (height, width, 3).

#include "colour.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <type_traits>

namespace mic::mpeg4 {
namespace {

/// 16.16 fixed point of the ITU-R BT.601 inverse with luma in 219 and chroma in 224 steps.
constexpr int kFractionBits = 16;
constexpr int kY = 76309, kRedCr = 104597, kGreenCb = -25675, kGreenCr = -53279, kBlueCb = 132201;

/// What products and their sums are held in; wide enough for any three samples of T.
template <typename T>
using Wide = std::conditional_t<std::is_same_v<T, float>, float,
                                std::conditional_t<sizeof(T) == 2, std::int32_t, std::int64_t>>;

template <typename T>
T rounded(Wide<T> fixed) {
    if constexpr (std::is_same_v<T, float>) {
        return fixed * (1.0F / (1 << kFractionBits));
    } else {
        constexpr Wide<T> low = std::numeric_limits<T>::min(),
                          high = std::numeric_limits<T>::max();
        return static_cast<T>(
            std::clamp((fixed + (1 << (kFractionBits - 1))) >> kFractionBits, low, high));
    }
}

}  // namespace

template <typename T>
void interleave(const std::array<PlaneOf<T>, 3>& planes, ColourSpace space, T* out) {
    const auto& [luma, blue, red] = planes;
    for (int row = 0; row < luma.height; ++row) {
        const T* y = luma.data + row * luma.stride;
        const T* cb = blue.data + row / 2 * blue.stride;
        const T* cr = red.data + row / 2 * red.stride;
        if (space == ColourSpace::ycbcr) {
            for (int column = 0; column < luma.width; ++column, out += 3) {
                out[0] = y[column];
                out[1] = cb[column / 2];
                out[2] = cr[column / 2];
            }
            continue;
        }
        for (int column = 0; column < luma.width; ++column, out += 3) {
            const Wide<T> grey = static_cast<Wide<T>>(kY) * y[column];
            const Wide<T> b = cb[column / 2], r = cr[column / 2];
            out[0] = rounded<T>(grey + kRedCr * r);
            out[1] = rounded<T>(grey + kGreenCb * b + kGreenCr * r);
            out[2] = rounded<T>(grey + kBlueCb * b);
        }
    }
}

template void interleave(const std::array<PlaneOf<std::int16_t>, 3>&, ColourSpace, std::int16_t*);
template void interleave(const std::array<PlaneOf<std::int32_t>, 3>&, ColourSpace, std::int32_t*);
template void interleave(const std::array<PlaneOf<float>, 3>&, ColourSpace, float*);

}  // namespace mic::mpeg4
