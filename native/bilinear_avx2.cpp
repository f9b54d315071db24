/// Bilinear interpolation with AVX2: rows stay in registers, the one above is kept for the next.

#include "bilinear.hpp"

#if defined(__x86_64__)

#include <immintrin.h>

#define MIC_AVX2 __attribute__((target("avx2"), always_inline)) inline

namespace mic::mpeg4 {
namespace {

constexpr int kLanes = 8;

/// Portable `mix`: two products and their sum, never fused.
MIC_AVX2 __m256 mixed(__m256 a, __m256 b, float weight) {
    return _mm256_add_ps(_mm256_mul_ps(a, _mm256_set1_ps(1.0F - weight)),
                         _mm256_mul_ps(b, _mm256_set1_ps(weight)));
}

template <bool kAcross>
MIC_AVX2 __m256 line(const float* at, float weight) {
    const __m256 here = _mm256_loadu_ps(at);
    return kAcross ? mixed(here, _mm256_loadu_ps(at + 1), weight) : here;
}

template <int kSide, bool kAcross, bool kDown, bool kAdd>
__attribute__((target("avx2"))) void interpolate(const BilinearBlock& block) {
    for (int column = 0; column < kSide; column += kLanes) {
        const float* from = block.from + column;
        float* to = block.to + column;
        const std::int16_t* residual = kAdd ? block.residual + column : nullptr;
        __m256 below = line<kAcross>(from, block.weight_x);
        for (int row = 0; row < kSide; ++row) {
            __m256 value = below;
            if (kDown || row + 1 < kSide) {
                from += block.stride;
                below = line<kAcross>(from, block.weight_x);
            }
            if constexpr (kDown)
                value = mixed(value, below, block.weight_y);
            if constexpr (kAdd) {
                const __m128i step = _mm_loadu_si128(reinterpret_cast<const __m128i*>(residual));
                value = _mm256_add_ps(value, _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(step)));
                residual += block.residual_stride;
            }
            _mm256_storeu_ps(to, value);
            to += block.to_stride;
        }
    }
}

template <int kSide, bool kAcross, bool kDown>
void with_residual(const BilinearBlock& block) {
    if (block.residual != nullptr)
        interpolate<kSide, kAcross, kDown, true>(block);
    else
        interpolate<kSide, kAcross, kDown, false>(block);
}

}  // namespace

template <int kSide>
void bilinear_avx2(const BilinearBlock& block) {
    const bool across = block.weight_x != 0, down = block.weight_y != 0;
    if (across && down)
        with_residual<kSide, true, true>(block);
    else if (across)
        with_residual<kSide, true, false>(block);
    else if (down)
        with_residual<kSide, false, true>(block);
    else
        with_residual<kSide, false, false>(block);
}

template void bilinear_avx2<8>(const BilinearBlock&);
template void bilinear_avx2<16>(const BilinearBlock&);

}  // namespace mic::mpeg4

#endif
