#pragma once
/// Bilinear interpolation of float blocks for processors that have wider registers.

#include <cstddef>
#include <cstdint>

namespace mic::mpeg4 {

/// One block: rows of `from`, the weights of the right and of the lower sample, where it goes.
struct BilinearBlock {
    const float* from;  ///< one row and one column more than the block
    std::ptrdiff_t stride;
    float weight_x, weight_y;
    const std::int16_t* residual;  ///< added on the way; may be null
    std::ptrdiff_t residual_stride;
    float* to;
    std::ptrdiff_t to_stride;
};

using Bilinear = void (*)(const BilinearBlock&);

#if defined(__x86_64__)
/// Blocks of 16x16 or 8x8, the bytes of the portable code; for processors with AVX2 only.
template <int kSide>
void bilinear_avx2(const BilinearBlock& block);
extern template void bilinear_avx2<8>(const BilinearBlock&);
extern template void bilinear_avx2<16>(const BilinearBlock&);
#endif

/// The fastest code that this processor runs; null where that is the portable one.
template <int kSide>
Bilinear select_bilinear() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        return bilinear_avx2<kSide>;
#endif
    return nullptr;
}

template <int kSide>
inline const Bilinear kBilinear = select_bilinear<kSide>();

}  // namespace mic::mpeg4
