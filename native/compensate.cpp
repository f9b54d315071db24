/// Clause 7.6.2 in portable arithmetic.

#include "compensate.hpp"

#include <algorithm>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace mic::mpeg4 {
namespace {

/// 7.6.2.1: bilinear interpolation at half samples.
template <int kSide>
void predict_half(const PredictedBlock& block) {
    const int down = block.rounding_type ? 1 : 0;
    const auto each = [&](auto sample) {
        const std::uint8_t* from = block.from;
        std::uint8_t* to = block.to;
        for (int row = 0; row < kSide; ++row, from += block.stride, to += block.to_stride)
            for (int column = 0; column < kSide; ++column)
                to[column] = static_cast<std::uint8_t>(sample(from + column));
    };
    if (block.fraction_x == 0 && block.fraction_y == 0)
        return each([](const std::uint8_t* at) { return int{*at}; });
    if (block.fraction_x != 0 && block.fraction_y != 0)
        return each([&](const std::uint8_t* at) {
            return (at[0] + at[1] + at[block.stride] + at[block.stride + 1] + 2 - down) >> 2;
        });
    const std::ptrdiff_t step = block.fraction_x != 0 ? 1 : block.stride;
    each([&](const std::uint8_t* at) { return (at[0] + at[step] + 1 - down) >> 1; });
}

/// 7.6.2.2: one line of kSide samples at k + fraction / 4, from kSide + 1 that stand `step` apart.
template <int kSide>
void quarter_line(const std::uint8_t* from, std::ptrdiff_t step, int fraction, int down,
                  std::uint8_t* to, std::ptrdiff_t to_step) {
    std::array<int, kSide + 7> line;  // with three samples mirrored at either end
    for (int k = 0; k < kSide + 7; ++k) {
        const int at = k < 3 ? 2 - k : k > kSide + 3 ? 2 * kSide + 4 - k : k - 3;
        line[static_cast<std::size_t>(k)] = from[at * step];
    }
    for (std::size_t k = 0; k < kSide; ++k) {
        const int* s = line.data() + k;
        const int sum = 20 * (s[3] + s[4]) - 6 * (s[2] + s[5]) + 3 * (s[1] + s[6]) - (s[0] + s[7]);
        int value = std::clamp((sum + 16 - down) >> 5, 0, 255);
        if (fraction != 2)
            value = (value + s[fraction == 1 ? 3 : 4] + 1 - down) >> 1;
        to[static_cast<std::ptrdiff_t>(k) * to_step] = static_cast<std::uint8_t>(value);
    }
}

/// 7.6.2.2: first along rows, then along columns, each step rounded and clipped to 8 bits.
template <int kSide>
void predict_quarter(const PredictedBlock& block) {
    const int down = block.rounding_type ? 1 : 0;
    std::array<std::uint8_t, (kSide + 1) * kSide> across;
    for (int row = 0; row < kSide + (block.fraction_y != 0 ? 1 : 0); ++row) {
        const std::uint8_t* from = block.from + row * block.stride;
        std::uint8_t* to = across.data() + row * kSide;
        if (block.fraction_x == 0)
            std::memcpy(to, from, kSide);
        else
            quarter_line<kSide>(from, 1, block.fraction_x, down, to, 1);
    }
    if (block.fraction_y == 0) {
        for (int row = 0; row < kSide; ++row)
            std::memcpy(block.to + row * block.to_stride, across.data() + row * kSide, kSide);
        return;
    }
    for (int column = 0; column < kSide; ++column)
        quarter_line<kSide>(across.data() + column, kSide, block.fraction_y, down,
                            block.to + column, block.to_stride);
}

#if defined(__SSE2__)

/// Eight or sixteen samples of a row.
template <int kSide>
__m128i load(const std::uint8_t* from) {
    if constexpr (kSide == 16)
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    else
        return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
}
template <int kSide>
void store(std::uint8_t* to, __m128i samples) {
    if constexpr (kSide == 16)
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to), samples);
    else
        _mm_storel_epi64(reinterpret_cast<__m128i*>(to), samples);
}

/// Means of two, halves up, or with `down` (all ones in the lowest bits) down.
__m128i mean(__m128i a, __m128i b, __m128i down) {
    return _mm_sub_epi8(_mm_avg_epu8(a, b), _mm_and_si128(_mm_xor_si128(a, b), down));
}

/// Sums of each sample and its right neighbour, in 16 bits.
struct RowSum {
    __m128i low, high;

    template <int kSide>
    static RowSum of(const std::uint8_t* from) {
        const __m128i zero = _mm_setzero_si128();
        const __m128i here = load<kSide>(from), right = load<kSide>(from + 1);
        RowSum sum{_mm_add_epi16(_mm_unpacklo_epi8(here, zero), _mm_unpacklo_epi8(right, zero)),
                   zero};
        if constexpr (kSide == 16)
            sum.high =
                _mm_add_epi16(_mm_unpackhi_epi8(here, zero), _mm_unpackhi_epi8(right, zero));
        return sum;
    }
};

/// 7.6.2.1 with SSE2, which every x86-64 processor has.
template <int kSide>
void predict_half_sse2(const PredictedBlock& block) {
    const std::uint8_t* from = block.from;
    std::uint8_t* to = block.to;
    if (block.fraction_x == 0 || block.fraction_y == 0) {
        const bool whole = block.fraction_x == 0 && block.fraction_y == 0;
        const std::ptrdiff_t step = whole ? 0 : block.fraction_x != 0 ? 1 : block.stride;
        const __m128i down = _mm_set1_epi8(block.rounding_type ? 1 : 0);
        for (int row = 0; row < kSide; ++row, from += block.stride, to += block.to_stride)
            store<kSide>(to, mean(load<kSide>(from), load<kSide>(from + step), down));
        return;
    }
    const __m128i rounding = _mm_set1_epi16(block.rounding_type ? 1 : 2);
    RowSum above = RowSum::of<kSide>(from);
    for (int row = 0; row < kSide; ++row, to += block.to_stride) {
        from += block.stride;
        const RowSum below = RowSum::of<kSide>(from);
        const auto quarter = [&](__m128i a, __m128i b) {
            return _mm_srli_epi16(_mm_add_epi16(_mm_add_epi16(a, b), rounding), 2);
        };
        store<kSide>(
            to, _mm_packus_epi16(quarter(above.low, below.low), quarter(above.high, below.high)));
        above = below;
    }
}

#endif

}  // namespace

Predictors portable_predictors() {
    return {predict_half<16>, predict_half<8>, predict_quarter<16>, predict_quarter<8>};
}

Predictors select_predictors() {
    Predictors predictors = portable_predictors();
#if defined(__SSE2__)
    predictors.half_16 = predict_half_sse2<16>;
    predictors.half_8 = predict_half_sse2<8>;
#endif
    return predictors;
}

}  // namespace mic::mpeg4
