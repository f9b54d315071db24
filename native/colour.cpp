/// Planes to (height, width, 3).

#include "colour.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <vector>

namespace mic::mpeg4 {
namespace {

/// ITU-R BT.601 with luma in 219 and chroma in 224 steps.
constexpr int kFractionBits = BlueRedToRgb::fraction_bits;
constexpr BlueRedToRgb kToRgb{9539, 13075, -3209, -6660, 16525};

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

/// The columns of a row from `column` on.
template <typename T>
void interleave_row(const T* y, const T* cb, const T* cr, int column, int width, ColourSpace space,
                    T* out) {
    for (; column < width; ++column, out += 3) {
        const T blue = cb[column / 2], red = cr[column / 2];
        if (space == ColourSpace::ycbcr) {
            out[0] = y[column];
            out[1] = blue;
            out[2] = red;
            continue;
        }
        const Wide<T> grey = static_cast<Wide<T>>(kToRgb.y) * y[column];
        const Wide<T> b = blue, r = red;
        out[0] = rounded<T>(grey + kToRgb.red_cr * r);
        out[1] = rounded<T>(grey + kToRgb.green_cb * b + kToRgb.green_cr * r);
        out[2] = rounded<T>(grey + kToRgb.blue_cb * b);
    }
}

}  // namespace

template <typename T>
void interleave(const std::array<PlaneOf<T>, 3>& planes, ColourSpace space, T* out) {
    const auto& [luma, blue, red] = planes;
#if defined(__x86_64__)
    const bool avx2 = std::is_same_v<T, std::int16_t> && __builtin_cpu_supports("avx2");
#endif
    for (int row = 0; row < luma.height; ++row, out += std::ptrdiff_t{3} * luma.width) {
        const T* y = luma.data + row * luma.stride;
        const T* cb = blue.data + row / 2 * blue.stride;
        const T* cr = red.data + row / 2 * red.stride;
        int done = 0;
#if defined(__x86_64__)
        if constexpr (std::is_same_v<T, std::int16_t>)
            if (avx2)
                done = interleave_row_avx2(y, cb, cr, luma.width,
                                           space == ColourSpace::rgb ? &kToRgb : nullptr, out);
#endif
        interleave_row(y, cb, cr, done, luma.width, space, out + std::ptrdiff_t{3} * done);
    }
}

template void interleave(const std::array<PlaneOf<std::int16_t>, 3>&, ColourSpace, std::int16_t*);
template void interleave(const std::array<PlaneOf<std::int32_t>, 3>&, ColourSpace, std::int32_t*);
template void interleave(const std::array<PlaneOf<float>, 3>&, ColourSpace, float*);

void picture_to_rgb(const std::array<PlaneOf<const std::uint8_t>, 3>& planes, bool odd_left,
                    bool odd_top, std::uint8_t* out) {
    const auto& [luma, blue, red] = planes;
    constexpr int black = 16, no_colour = 128;
    // A column goes before the first one, where that shares its chroma sample with it.
    const int before = odd_left ? 1 : 0, columns = before + luma.width;
    std::array<std::vector<std::int16_t>, 3> row;
    for (std::size_t k = 0; k < 3; ++k)
        row[k].resize(static_cast<std::size_t>(k == 0 ? columns : (columns + 1) / 2));
    std::vector<std::int16_t> pixels(3 * static_cast<std::size_t>(columns));
    const auto centred = [](std::int16_t* to, const std::uint8_t* from, int count, int zero) {
        std::transform(from, from + count, to,
                       [zero](int sample) { return static_cast<std::int16_t>(sample - zero); });
    };
    for (int y = 0; y < luma.height; ++y, out += std::ptrdiff_t{3} * luma.width) {
        const int chroma_y = (y + (odd_top ? 1 : 0)) / 2;
        centred(row[0].data() + before, luma.data + y * luma.stride, luma.width, black);
        centred(row[1].data(), blue.data + chroma_y * blue.stride, blue.width, no_colour);
        centred(row[2].data(), red.data + chroma_y * red.stride, red.width, no_colour);
        std::array<PlaneOf<std::int16_t>, 3> line;
        for (std::size_t k = 0; k < 3; ++k)
            line[k] = {row[k].data(), 0, k == 0 ? columns : (columns + 1) / 2, 1};
        interleave(line, ColourSpace::rgb, pixels.data());
        std::transform(pixels.begin() + 3 * before, pixels.end(), out, [](int sample) {
            return static_cast<std::uint8_t>(std::clamp(sample, 0, 255));
        });
    }
}

}  // namespace mic::mpeg4
