/// Planes of 16-bit samples to (height, width, 3) with AVX2, eight samples of a row at a time.

#include "colour.hpp"

#if defined(__x86_64__)

#include <immintrin.h>

#define MIC_AVX2 __attribute__((target("avx2"), always_inline)) inline

namespace mic::mpeg4 {
namespace {

struct Channels {
    __m128i first, second, third;  ///< eight 16-bit samples each
};

/// Fixed point to 16 bits, rounded and saturated, as colour.cpp does it.
MIC_AVX2 __m128i rounded(__m256i fixed) {
    const __m256i half = _mm256_set1_epi32(1 << (BlueRedToRgb::fraction_bits - 1));
    const __m256i whole =
        _mm256_srai_epi32(_mm256_add_epi32(fixed, half), BlueRedToRgb::fraction_bits);
    return _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
}

MIC_AVX2 __m256i times(__m256i samples, int weight) {
    return _mm256_mullo_epi32(samples, _mm256_set1_epi32(weight));
}

MIC_AVX2 Channels to_rgb(__m128i y, __m128i cb, __m128i cr, const BlueRedToRgb& by) {
    const __m256i grey = times(_mm256_cvtepi16_epi32(y), by.y);
    const __m256i b = _mm256_cvtepi16_epi32(cb), r = _mm256_cvtepi16_epi32(cr);
    const __m256i green = _mm256_add_epi32(times(b, by.green_cb), times(r, by.green_cr));
    return {rounded(_mm256_add_epi32(grey, times(r, by.red_cr))),
            rounded(_mm256_add_epi32(grey, green)),
            rounded(_mm256_add_epi32(grey, times(b, by.blue_cb)))};
}

/// Eight of the twenty-four samples, picked byte by byte from each channel.
MIC_AVX2 __m128i merge(const Channels& from, __m128i first, __m128i second, __m128i third) {
    return _mm_or_si128(
        _mm_shuffle_epi8(from.first, first),
        _mm_or_si128(_mm_shuffle_epi8(from.second, second), _mm_shuffle_epi8(from.third, third)));
}

/// Twenty-four samples in the order of the output.
MIC_AVX2 void store_interleaved(const Channels& from, std::int16_t* out) {
    constexpr char _ = -1;  // a byte that another channel provides
    auto* to = reinterpret_cast<__m128i*>(out);
    _mm_storeu_si128(to, merge(from, _mm_setr_epi8(0, 1, _, _, _, _, 2, 3, _, _, _, _, 4, 5, _, _),
                               _mm_setr_epi8(_, _, 0, 1, _, _, _, _, 2, 3, _, _, _, _, 4, 5),
                               _mm_setr_epi8(_, _, _, _, 0, 1, _, _, _, _, 2, 3, _, _, _, _)));
    _mm_storeu_si128(to + 1,
                     merge(from, _mm_setr_epi8(_, _, 6, 7, _, _, _, _, 8, 9, _, _, _, _, 10, 11),
                           _mm_setr_epi8(_, _, _, _, 6, 7, _, _, _, _, 8, 9, _, _, _, _),
                           _mm_setr_epi8(4, 5, _, _, _, _, 6, 7, _, _, _, _, 8, 9, _, _)));
    _mm_storeu_si128(to + 2,
                     merge(from, _mm_setr_epi8(_, _, _, _, 12, 13, _, _, _, _, 14, 15, _, _, _, _),
                           _mm_setr_epi8(10, 11, _, _, _, _, 12, 13, _, _, _, _, 14, 15, _, _),
                           _mm_setr_epi8(_, _, 10, 11, _, _, _, _, 12, 13, _, _, _, _, 14, 15)));
}

/// Four chroma samples, each twice.
MIC_AVX2 __m128i doubled(const std::int16_t* chroma) {
    const __m128i four = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(chroma));
    return _mm_unpacklo_epi16(four, four);
}

}  // namespace

__attribute__((target("avx2"))) int interleave_row_avx2(const std::int16_t* y,
                                                        const std::int16_t* cb,
                                                        const std::int16_t* cr, int width,
                                                        const BlueRedToRgb* by,
                                                        std::int16_t* out) {
    int column = 0;
    for (; column + 8 <= width; column += 8, out += 24) {
        const __m128i luma = _mm_loadu_si128(reinterpret_cast<const __m128i*>(y + column));
        const __m128i blue = doubled(cb + column / 2), red = doubled(cr + column / 2);
        if (by == nullptr)
            store_interleaved({luma, blue, red}, out);
        else
            store_interleaved(to_rgb(luma, blue, red, *by), out);
    }
    return column;
}

}  // namespace mic::mpeg4

#endif
