#pragma once
/// Clause 7.6.2: sample interpolation as a linear map, without the rounding of each step.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "bilinear.hpp"
#include "blocks.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace mic::mpeg4 {

/// A displacement in units of 1 / 2^bits sample.
struct Displacement {
    int x, y;
    int bits;
};

// What a weighted sum is: for samples the sum, for marks "any of them is set".
inline float mix(float a, float b, float weight) {
    return a * (1.0F - weight) + b * weight;
}
inline std::uint8_t mix(std::uint8_t a, std::uint8_t b, float) {
    return static_cast<std::uint8_t>(a | b);
}
/// 7.6.2.2: the eight-tap filter (-1, 3, -6, 20, 20, -6, 3, -1) / 32, symmetric pairs outwards.
inline float eight_taps(const std::array<float, 8>& s) {
    return ((s[3] + s[4]) * 20.0F - (s[2] + s[5]) * 6.0F + (s[1] + s[6]) * 3.0F - (s[0] + s[7])) *
           (1.0F / 32.0F);
}
inline std::uint8_t eight_taps(const std::array<std::uint8_t, 8>& s) {
    return static_cast<std::uint8_t>(s[0] | s[1] | s[2] | s[3] | s[4] | s[5] | s[6] | s[7]);
}

inline std::int16_t sum(std::int16_t a, std::int16_t b) {
    return static_cast<std::int16_t>(std::clamp(a + b, -32768, 32767));
}
inline float sum(float a, std::int16_t b) {
    return a + static_cast<float>(b);
}
/// Marks have no residual; it is never set for them.
inline std::uint8_t sum(std::uint8_t a, std::int16_t) {
    return a;
}

/// `to` = `values` + `residual`, for one row of a block; the three do not overlap.
template <int kSide, typename T>
void sum_row(T* __restrict to, const T* __restrict values,
             const std::int16_t* __restrict residual) {
#if defined(__SSE2__)
    // Compilers do not find the saturating addition behind std::clamp.
    if constexpr (std::is_same_v<T, std::int16_t> && kSide % 8 == 0) {
        for (int column = 0; column < kSide; column += 8) {
            const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(values + column));
            const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(residual + column));
            _mm_storeu_si128(reinterpret_cast<__m128i*>(to + column), _mm_adds_epi16(a, b));
        }
        return;
    }
#endif
    for (int column = 0; column < kSide; ++column)
        to[column] = sum(values[column], residual[column]);
}

/// The same in place, for a block that stays where it was.
template <int kSide, typename T>
void add_row(T* __restrict to, const std::int16_t* __restrict residual) {
#if defined(__SSE2__)
    if constexpr (std::is_same_v<T, std::int16_t> && kSide % 8 == 0) {
        for (int column = 0; column < kSide; column += 8) {
            auto* const at = reinterpret_cast<__m128i*>(to + column);
            const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(residual + column));
            _mm_storeu_si128(at, _mm_adds_epi16(_mm_loadu_si128(at), b));
        }
        return;
    }
#endif
    for (int column = 0; column < kSide; ++column)
        to[column] = sum(to[column], residual[column]);
}

/// Where a predicted block goes, and the residual that is added on the way, if there is one.
template <typename T>
struct Target {
    T* data;
    std::ptrdiff_t stride;
    const std::int16_t* residual = nullptr;
    std::ptrdiff_t residual_stride = 0;

    template <int kSide>
    void put_row(int y, const T* values) const {
        T* to = data + y * stride;
        if (residual == nullptr)
            std::memcpy(to, values, kSide * sizeof(T));
        else
            sum_row<kSide>(to, values, residual + y * residual_stride);
    }
};

/// The block of `kSide` at whole-sample displacement; fractions are ignored.
template <int kSide, typename T, int kBlock>
void predict_whole(const BlockPlane<T, kBlock>& from, int x, int y, const Target<T>& to) {
    const BlockWindow<T, kBlock, kSide> window(from, x, y);
    if constexpr (std::is_same_v<T, float> && kSide % 8 == 0)
        if (kBilinear<kSide> != nullptr)
            return kBilinear<kSide>({window.row(0), window.stride(), 0, 0, to.residual,
                                     to.residual_stride, to.data, to.stride});
    for (int row = 0; row < kSide; ++row)
        to.template put_row<kSide>(row, window.row(row));
}

/// Marks of a block at a fraction of a sample: those of any sample that it is made of.
template <int kSide, int kBlock>
void predict_marks(const BlockWindow<std::uint8_t, kBlock, kSide + 1>& window, bool across,
                   bool down, const Target<std::uint8_t>& to) {
    // Many at a time: it does not matter to `|` where one ends.
    using Word = std::conditional_t<(kSide >= 8), std::uint64_t,
                                    std::conditional_t<(kSide >= 2), std::uint16_t, std::uint8_t>>;
    constexpr int step = sizeof(Word);
    static_assert(kSide % step == 0);
    const auto load = [](const std::uint8_t* at) {
        Word word;
        std::memcpy(&word, at, sizeof word);
        return word;
    };
    const std::ptrdiff_t right = across ? 1 : 0, below = down ? window.stride() : 0;
    for (int row = 0; row < kSide; ++row) {
        const std::uint8_t* line = window.row(row);
        std::uint8_t* out = to.data + row * to.stride;
        for (int k = 0; k < kSide; k += step, line += step, out += step) {
            const auto any = static_cast<Word>(load(line) | load(line + right) |
                                               load(line + below) | load(line + below + right));
            std::memcpy(out, &any, sizeof any);
        }
    }
}

/// 7.6.2.1 without its rounding: bilinear, first along rows, then along columns.
template <int kSide, typename T, int kBlock>
void predict_bilinear(const BlockPlane<T, kBlock>& from, int x, int y, Displacement by,
                      const Target<T>& to) {
    const int mask = (1 << by.bits) - 1;
    x += by.x >> by.bits;
    y += by.y >> by.bits;
    if (((by.x | by.y) & mask) == 0)
        return predict_whole<kSide>(from, x, y, to);
    const bool between_x = (by.x & mask) != 0, between_y = (by.y & mask) != 0;
    const float unit = 1.0F / static_cast<float>(1 << by.bits);
    const float wx = unit * static_cast<float>(by.x & mask);
    const float wy = unit * static_cast<float>(by.y & mask);
    const int width = kSide + (between_x ? 1 : 0), height = kSide + (between_y ? 1 : 0);
    const BlockWindow<T, kBlock, kSide + 1> window(from, x, y, width, height);
    if constexpr (std::is_same_v<T, std::uint8_t>)
        return predict_marks<kSide>(window, between_x, between_y, to);
    if constexpr (std::is_same_v<T, float> && kSide % 8 == 0) {
        if (kBilinear<kSide> != nullptr)
            return kBilinear<kSide>({window.row(0), window.stride(), wx, wy, to.residual,
                                     to.residual_stride, to.data, to.stride});
    }
    std::array<T, static_cast<std::size_t>(kSide + 1) * kSide> across;
    for (int row = 0; row < height; ++row) {
        const T* line = window.row(row);
        T* out = across.data() + row * kSide;
        if (!between_x)
            std::memcpy(out, line, kSide * sizeof(T));
        else
            for (int column = 0; column < kSide; ++column)
                out[column] = mix(line[column], line[column + 1], wx);
    }
    for (int row = 0; row < kSide; ++row) {
        T* upper = across.data() + row * kSide;
        if (between_y)
            for (int column = 0; column < kSide; ++column)
                upper[column] = mix(upper[column], upper[column + kSide], wy);
        to.template put_row<kSide>(row, upper);
    }
}

/// 7.6.2.2 for a row of positions: line t of `taps` has the samples t - 3 away from them, `near`
/// those that are the nearest to quarter positions, which are mixed in; null for half positions.
template <int kSide, typename T>
void quarter_row(const std::array<const T*, 8>& taps, const T* near, T* __restrict out) {
    const auto [t0, t1, t2, t3, t4, t5, t6, t7] = taps;
    for (int k = 0; k < kSide; ++k)
        out[k] =
            eight_taps(std::array<T, 8>{t0[k], t1[k], t2[k], t3[k], t4[k], t5[k], t6[k], t7[k]});
    if (near != nullptr)
        for (int k = 0; k < kSide; ++k)
            out[k] = mix(out[k], near[k], 0.5F);
}

/// 7.6.2.2 without its rounding, for a block of 8x8 or 16x16 and a vector in quarter samples.
template <int kSide, typename T, int kBlock>
void predict_quarter(const BlockPlane<T, kBlock>& from, int x, int y, Displacement by,
                     const Target<T>& to) {
    const int fx = by.x & 3, fy = by.y & 3;
    const BlockWindow<T, kBlock, kSide + 1> window(from, x + (by.x >> 2), y + (by.y >> 2));
    // The reference block, kSide + 1 samples wide and high, is mirrored at its own border.
    constexpr int reach = 3;
    std::array<T, static_cast<std::size_t>(kSide + 1) * kSide> across;
    std::array<const T*, kSide + 1 + 2 * reach> lines;
    for (int row = 0; row <= kSide; ++row) {
        const T* in = window.row(row);
        T* out = across.data() + row * kSide;
        lines[static_cast<std::size_t>(row + reach)] = fx == 0 ? in : out;
        if (fx == 0)
            continue;
        std::array<T, kSide + 1 + 2 * reach> mirrored;
        std::copy_n(in, kSide + 1, mirrored.begin() + reach);
        for (int k = 0; k < reach; ++k) {
            mirrored[static_cast<std::size_t>(reach - 1 - k)] = in[k];
            mirrored[static_cast<std::size_t>(reach + kSide + 1 + k)] = in[kSide - k];
        }
        std::array<const T*, 8> taps;
        for (std::size_t tap = 0; tap < 8; ++tap)
            taps[tap] = mirrored.data() + tap;
        quarter_row<kSide>(taps, fx == 2 ? nullptr : in + fx / 2, out);
    }
    for (std::size_t k = 0; k < reach; ++k) {
        lines[reach - 1 - k] = lines[reach + k];
        lines[reach + kSide + 1 + k] = lines[reach + kSide - k];
    }
    std::array<T, kSide> down;
    for (int row = 0; row < kSide; ++row) {
        const auto at = static_cast<std::size_t>(row);
        const T* values = lines[at + reach];
        if (fy != 0) {
            std::array<const T*, 8> taps;
            std::copy_n(lines.begin() + row, 8, taps.begin());
            const auto near = at + reach + static_cast<std::size_t>(fy / 2);
            quarter_row<kSide>(taps, fy == 2 ? nullptr : lines[near], down.data());
            values = down.data();
        }
        to.template put_row<kSide>(row, values);
    }
}

}  // namespace mic::mpeg4
