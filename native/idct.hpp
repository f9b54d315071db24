#pragma once
/// Clause 7.4.5 (Annex A): the inverse DCT, in the exact integer arithmetic of libavcodec's
/// "simple" transform, which MPEG-4 streams written by FFmpeg are coded against.
///
/// The standard asks for the accuracy of IEEE 1180 only. libavcodec takes Xvid's transform for
/// streams whose user data names Xvid; ours is the same for all, as libavcodec's with idct=simple.

#include <cstddef>
#include <cstdint>

namespace mic::mpeg4 {

/// Transforms two neighbouring blocks, `pair` as in block.hpp, to `left` and `right`.
///
/// @param last_position largest scan position that may be non-zero; smaller is faster.
using InversePair = void (*)(const std::int16_t* pair, int last_position, std::int16_t* left,
                             std::int16_t* right, std::ptrdiff_t stride);

/// The portable code; every other one gives the same bytes.
void inverse_pair_portable(const std::int16_t* pair, int last_position, std::int16_t* left,
                           std::int16_t* right, std::ptrdiff_t stride);

#if defined(__x86_64__)
/// Two blocks at a time; for processors with AVX2 only.
void inverse_pair_avx2(const std::int16_t* pair, int last_position, std::int16_t* left,
                       std::int16_t* right, std::ptrdiff_t stride);
#endif

/// The fastest code that this processor runs.
InversePair select_inverse_pair();

/// Transforms two neighbouring blocks to 4x4 samples each, from their 4x4 lowest coefficients: see
/// idct.cpp for the definition.
using InverseHalf = void (*)(const std::int16_t* pair, std::int16_t* left, std::int16_t* right,
                             std::ptrdiff_t stride);

/// The portable code; the other one gives the same bytes.
void inverse_half_portable(const std::int16_t* pair, std::int16_t* left, std::int16_t* right,
                           std::ptrdiff_t stride);

#if defined(__x86_64__)
/// Both blocks at once; for processors with AVX2 only.
void inverse_half_avx2(const std::int16_t* pair, std::int16_t* left, std::int16_t* right,
                       std::ptrdiff_t stride);
#endif

/// The fastest code that this processor runs.
InverseHalf select_inverse_half();

/// One block to 2x2 samples: (F00 +- F01 +- F10 +- F11 + 4) >> 3, the exact 2x2 transform.
inline void inverse_quarter(const std::int16_t* block, std::int16_t* out, std::ptrdiff_t stride) {
    const int upper = block[0] + block[1], lower = block[0] - block[1];
    const int upper_u = block[16] + block[17], lower_u = block[16] - block[17];
    out[0] = static_cast<std::int16_t>((upper + upper_u + 4) >> 3);
    out[1] = static_cast<std::int16_t>((upper - upper_u + 4) >> 3);
    out[stride] = static_cast<std::int16_t>((lower + lower_u + 4) >> 3);
    out[stride + 1] = static_cast<std::int16_t>((lower - lower_u + 4) >> 3);
}

/// One block to its mean: (F00 + 4) >> 3.
inline void inverse_eighth(const std::int16_t* block, std::int16_t* out) {
    out[0] = static_cast<std::int16_t>((block[0] + 4) >> 3);
}

}  // namespace mic::mpeg4
