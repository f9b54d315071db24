/// Clause 7.4.5 with AVX2: two blocks at a time, one in each 128-bit lane.

#include "idct.hpp"

#if defined(__x86_64__)

#include <immintrin.h>

#include <array>

#define MIC_AVX2 __attribute__((target("avx2"), always_inline)) inline

namespace mic::mpeg4 {
namespace {

constexpr int kW1 = 22725, kW2 = 21407, kW3 = 19266, kW4 = 16383, kW5 = 12873, kW6 = 8867,
              kW7 = 4520;

/// A pair of 16-bit weights for the products of two interleaved inputs.
MIC_AVX2 __m256i weights(int first, int second) {
    return _mm256_set1_epi32(static_cast<int>((static_cast<unsigned>(second) << 16) |
                                              (static_cast<unsigned>(first) & 0xFFFFU)));
}

/// Eight registers of eight 16-bit values a lane. (Not std::array: vector types lose their
/// attributes as template arguments.)
struct Rows {
    __m256i row[8];

    MIC_AVX2 __m256i& operator[](std::size_t k) { return row[k]; }
};

/// Eight 32-bit sums a lane, as the halves that unpacklo and unpackhi give.
struct Wide {
    __m256i low, high;
};

MIC_AVX2 Wide operator+(Wide a, Wide b) {
    return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}
MIC_AVX2 Wide operator-(Wide a, Wide b) {
    return {_mm256_sub_epi32(a.low, b.low), _mm256_sub_epi32(a.high, b.high)};
}
MIC_AVX2 Wide multiply_add(Wide inputs, __m256i weights) {
    return {_mm256_madd_epi16(inputs.low, weights), _mm256_madd_epi16(inputs.high, weights)};
}
MIC_AVX2 Wide interleave(__m256i a, __m256i b) {
    return {_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b)};
}
template <int kShift>
MIC_AVX2 __m256i narrow(Wide a) {
    return _mm256_packs_epi32(_mm256_srai_epi32(a.low, kShift), _mm256_srai_epi32(a.high, kShift));
}

/// The 8-point transform across registers; with `kFew`, inputs 4 to 7 are zero.
template <int kShift, bool kFew>
MIC_AVX2 void transform(Rows& x, __m256i bias) {
    const Wide in02 = interleave(x[0], x[2]);
    const Wide in13 = interleave(x[1], x[3]);
    const Wide rounding{bias, bias};
    std::array<Wide, 4> even{multiply_add(in02, weights(kW4, kW2)) + rounding,
                             multiply_add(in02, weights(kW4, kW6)) + rounding,
                             multiply_add(in02, weights(kW4, -kW6)) + rounding,
                             multiply_add(in02, weights(kW4, -kW2)) + rounding};
    std::array<Wide, 4> odd{
        multiply_add(in13, weights(kW1, kW3)), multiply_add(in13, weights(kW3, -kW7)),
        multiply_add(in13, weights(kW5, -kW1)), multiply_add(in13, weights(kW7, -kW5))};
    if constexpr (!kFew) {
        const Wide in46 = interleave(x[4], x[6]);
        const Wide in57 = interleave(x[5], x[7]);
        even[0] = even[0] + multiply_add(in46, weights(kW4, kW6));
        even[1] = even[1] + multiply_add(in46, weights(-kW4, -kW2));
        even[2] = even[2] + multiply_add(in46, weights(-kW4, kW2));
        even[3] = even[3] + multiply_add(in46, weights(kW4, -kW6));
        odd[0] = odd[0] + multiply_add(in57, weights(kW5, kW7));
        odd[1] = odd[1] + multiply_add(in57, weights(-kW1, -kW5));
        odd[2] = odd[2] + multiply_add(in57, weights(kW7, kW3));
        odd[3] = odd[3] + multiply_add(in57, weights(kW3, -kW1));
    }
    for (std::size_t k = 0; k < 4; ++k) {
        x[k] = narrow<kShift>(even[k] + odd[k]);
        x[7 - k] = narrow<kShift>(even[k] - odd[k]);
    }
}

/// Transposes the 8x8 16-bit matrix in each lane.
MIC_AVX2 void transpose(Rows& x) {
    Rows a, b;
    for (std::size_t k = 0; k < 4; ++k) {
        a[2 * k] = _mm256_unpacklo_epi16(x[k], x[k + 4]);
        a[2 * k + 1] = _mm256_unpackhi_epi16(x[k], x[k + 4]);
    }
    for (std::size_t k = 0; k < 4; ++k) {
        b[2 * k] = _mm256_unpacklo_epi16(a[k], a[k + 4]);
        b[2 * k + 1] = _mm256_unpackhi_epi16(a[k], a[k + 4]);
    }
    for (std::size_t k = 0; k < 4; ++k) {
        x[2 * k] = _mm256_unpacklo_epi16(b[k], b[k + 4]);
        x[2 * k + 1] = _mm256_unpackhi_epi16(b[k], b[k + 4]);
    }
}

template <bool kFew>
MIC_AVX2 void inverse_pair(const std::int16_t* pair, std::int16_t* left, std::int16_t* right,
                           std::ptrdiff_t stride) {
    constexpr int row_shift = 11, column_shift = 20;
    Rows x;
    for (std::size_t u = 0; u < 8; ++u)
        x[u] = kFew && u >= 4 ? _mm256_setzero_si256()
                              : _mm256_load_si256(reinterpret_cast<const __m256i*>(pair) + u);
    // Rows with nothing but a DC coefficient take the shortcut of the transform being matched.
    __m256i others = _mm256_or_si256(x[1], _mm256_or_si256(x[2], x[3]));
    if constexpr (!kFew)
        others = _mm256_or_si256(_mm256_or_si256(others, x[4]),
                                 _mm256_or_si256(x[5], _mm256_or_si256(x[6], x[7])));
    const __m256i only_dc = _mm256_cmpeq_epi16(others, _mm256_setzero_si256());
    const __m256i shortcut = _mm256_slli_epi16(x[0], 3);
    transform<row_shift, kFew>(x, _mm256_set1_epi32(1 << (row_shift - 1)));
    for (__m256i& row : x.row)
        row = _mm256_blendv_epi8(row, shortcut, only_dc);
    transpose(x);
    transform<column_shift, kFew>(x, _mm256_set1_epi32(kW4 * ((1 << (column_shift - 1)) / kW4)));
    for (const __m256i& row : x.row) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(left), _mm256_castsi256_si128(row));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(right), _mm256_extracti128_si256(row, 1));
        left += stride;
        right += stride;
    }
}

/// Both blocks have at most a DC coefficient: every sample is the same.
MIC_AVX2 void fill_pair(const std::int16_t* pair, std::int16_t* left, std::int16_t* right,
                        std::ptrdiff_t stride) {
    constexpr int column_shift = 20, bias = (1 << (column_shift - 1)) / kW4;
    const __m128i left_value =
        _mm_set1_epi16(static_cast<short>((kW4 * (8 * pair[0] + bias)) >> column_shift));
    const __m128i right_value =
        _mm_set1_epi16(static_cast<short>((kW4 * (8 * pair[8] + bias)) >> column_shift));
    for (int y = 0; y < 8; ++y, left += stride, right += stride) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(left), left_value);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(right), right_value);
    }
}

/// Two registers of 32-bit sums to one of 16 bits, lane by lane, rounded.
template <int kShift>
MIC_AVX2 __m256i rounded(__m256i a, __m256i b) {
    const __m256i bias = _mm256_set1_epi32(1 << (kShift - 1));
    return _mm256_packs_epi32(_mm256_srai_epi32(_mm256_add_epi32(a, bias), kShift),
                              _mm256_srai_epi32(_mm256_add_epi32(b, bias), kShift));
}

/// Four rows of four samples, two rows in each register.
MIC_AVX2 void put_4x4(std::int16_t* to, std::ptrdiff_t stride, __m128i upper, __m128i lower) {
    for (const __m128i two : {upper, lower}) {
        _mm_storel_epi64(reinterpret_cast<__m128i*>(to), two);
        _mm_storel_epi64(reinterpret_cast<__m128i*>(to + stride), _mm_unpackhi_epi64(two, two));
        to += 2 * stride;
    }
}

}  // namespace

__attribute__((target("avx2"))) void inverse_pair_avx2(const std::int16_t* pair, int last_position,
                                                       std::int16_t* left, std::int16_t* right,
                                                       std::ptrdiff_t stride) {
    if (last_position == 0)
        return fill_pair(pair, left, right, stride);
    // Up to scan position 9 all coefficients lie in the lowest 4x4.
    constexpr int last_low_position = 9;
    if (last_position <= last_low_position)
        inverse_pair<true>(pair, left, right, stride);
    else
        inverse_pair<false>(pair, left, right, stride);
}

__attribute__((target("avx2"))) void inverse_half_avx2(const std::int16_t* pair,
                                                       std::int16_t* left, std::int16_t* right,
                                                       std::ptrdiff_t stride) {
    // As the portable code has them; sums of the row pass fit 16 bits, so that packing is exact.
    constexpr int row_shift = 11, column_shift = 18, one = 1 << 13, c1 = 10703, c3 = 4433;
    const auto* const at = reinterpret_cast<const __m256i*>(pair);
    __m256i in[4];
    for (std::size_t u = 0; u < 4; ++u)
        in[u] = _mm256_load_si256(at + u);
    // Rows: four v in each lane, one x after the other.
    const __m256i in02 = _mm256_unpacklo_epi16(in[0], in[2]);
    const __m256i in13 = _mm256_unpacklo_epi16(in[1], in[3]);
    const __m256i upper = _mm256_madd_epi16(in02, weights(one, one));
    const __m256i lower = _mm256_madd_epi16(in02, weights(one, -one));
    const __m256i outer = _mm256_madd_epi16(in13, weights(c1, c3));
    const __m256i inner = _mm256_madd_epi16(in13, weights(c3, -c1));
    __m256i x01 =
        rounded<row_shift>(_mm256_add_epi32(upper, outer), _mm256_add_epi32(lower, inner));
    __m256i x23 =
        rounded<row_shift>(_mm256_sub_epi32(lower, inner), _mm256_sub_epi32(upper, outer));
    // Columns: v in the order 0, 2, 1, 3, so that products of neighbours are the even and odd
    // part.
    const __m256i order = _mm256_set_epi8(15, 14, 11, 10, 13, 12, 9, 8, 7, 6, 3, 2, 5, 4, 1, 0, 15,
                                          14, 11, 10, 13, 12, 9, 8, 7, 6, 3, 2, 5, 4, 1, 0);
    x01 = _mm256_shuffle_epi8(x01, order);
    x23 = _mm256_shuffle_epi8(x23, order);
    const __m256i ends = _mm256_unpacklo_epi32(weights(one, one), weights(c1, c3));
    const __m256i middle = _mm256_unpacklo_epi32(weights(one, -one), weights(c3, -c1));
    const __m256i ends01 = _mm256_madd_epi16(x01, ends), ends23 = _mm256_madd_epi16(x23, ends);
    const __m256i middle01 = _mm256_madd_epi16(x01, middle),
                  middle23 = _mm256_madd_epi16(x23, middle);
    const __m256i y01 = rounded<column_shift>(_mm256_hadd_epi32(ends01, ends23),
                                              _mm256_hadd_epi32(middle01, middle23));
    const __m256i y23 = rounded<column_shift>(_mm256_hsub_epi32(middle01, middle23),
                                              _mm256_hsub_epi32(ends01, ends23));
    put_4x4(left, stride, _mm256_castsi256_si128(y01), _mm256_castsi256_si128(y23));
    put_4x4(right, stride, _mm256_extracti128_si256(y01, 1), _mm256_extracti128_si256(y23, 1));
}

}  // namespace mic::mpeg4

#endif
