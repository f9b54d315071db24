/// Clause 7.4.5: the inverse DCT in portable arithmetic, and its scaled forms.

#include "idct.hpp"

#include <algorithm>
#include <array>

namespace mic::mpeg4 {
namespace {

/// cos(k pi / 16) sqrt(2) 2^14, rounded; W4 is one less, as the transform being matched has it.
constexpr std::int32_t kW1 = 22725, kW2 = 21407, kW3 = 19266, kW4 = 16383, kW5 = 12873, kW6 = 8867,
                       kW7 = 4520;
constexpr int kRowShift = 11;
constexpr int kColumnShift = 20;
/// The column pass rounds by adding this to its DC input, before the product with W4.
constexpr std::int32_t kColumnBias = (1 << (kColumnShift - 1)) / kW4;

/// Damaged streams may overflow; all code paths then wrap alike, and none has undefined behaviour.
std::int32_t product(std::int32_t a, std::int32_t b) {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) *
                                     static_cast<std::uint32_t>(b));
}
std::int32_t sum(std::int32_t a, std::int32_t b) {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) +
                                     static_cast<std::uint32_t>(b));
}
std::int32_t difference(std::int32_t a, std::int32_t b) {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) -
                                     static_cast<std::uint32_t>(b));
}
std::int16_t narrow(std::int32_t value) {
    return static_cast<std::int16_t>(std::clamp(value, -32768, 32767));
}

/// One 8-point transform; `in[k]` is coefficient k.
template <int kShift>
std::array<std::int16_t, 8> transform(const std::array<std::int32_t, 8>& in, std::int32_t bias) {
    const std::int32_t dc = sum(product(kW4, in[0]), bias);
    const std::int32_t c4 = product(kW4, in[4]);
    const std::int32_t upper = sum(product(kW2, in[2]), product(kW6, in[6]));
    const std::int32_t lower = difference(product(kW6, in[2]), product(kW2, in[6]));
    const std::array<std::int32_t, 4> even{sum(sum(dc, c4), upper), sum(difference(dc, c4), lower),
                                           difference(difference(dc, c4), lower),
                                           difference(sum(dc, c4), upper)};
    constexpr std::array<std::array<std::int32_t, 4>, 4> odd_weights{{{kW1, kW3, kW5, kW7},
                                                                      {kW3, -kW7, -kW1, -kW5},
                                                                      {kW5, -kW1, kW7, kW3},
                                                                      {kW7, -kW5, kW3, -kW1}}};
    std::array<std::int16_t, 8> out{};
    for (std::size_t k = 0; k < 4; ++k) {
        const auto& w = odd_weights[k];
        const std::int32_t odd = sum(sum(product(w[0], in[1]), product(w[1], in[3])),
                                     sum(product(w[2], in[5]), product(w[3], in[7])));
        out[k] = narrow(sum(even[k], odd) >> kShift);
        out[7 - k] = narrow(difference(even[k], odd) >> kShift);
    }
    return out;
}

/// 8x8 coefficients at 16 u + v to 8x8 samples.
void inverse(const std::int16_t* block, std::int16_t* out, std::ptrdiff_t stride) {
    std::array<std::array<std::int16_t, 8>, 8> rows;  // [v][x]
    for (std::size_t v = 0; v < 8; ++v) {
        std::array<std::int32_t, 8> in;
        bool only_dc = true;
        for (std::size_t u = 0; u < 8; ++u) {
            in[u] = block[16 * u + v];
            only_dc = only_dc && (u == 0 || in[u] == 0);
        }
        // The transform being matched takes this shortcut, which is exact only below 1024.
        if (only_dc)
            rows[v].fill(static_cast<std::int16_t>(in[0] * 8));
        else
            rows[v] = transform<kRowShift>(in, 1 << (kRowShift - 1));
    }
    for (std::size_t x = 0; x < 8; ++x) {
        std::array<std::int32_t, 8> in;
        for (std::size_t v = 0; v < 8; ++v)
            in[v] = rows[v][x];
        const auto column = transform<kColumnShift>(in, product(kW4, kColumnBias));
        for (std::size_t y = 0; y < 8; ++y)
            out[static_cast<std::ptrdiff_t>(y) * stride + static_cast<std::ptrdiff_t>(x)] =
                column[y];
    }
}

/// 4-point inverse DCT times sqrt(2) 2^13: cos(k pi / 8) sqrt(2) as 13-bit integers.
std::array<std::int32_t, 4> transform_half(const std::array<std::int32_t, 4>& in) {
    constexpr std::int32_t one = 1 << 13, c1 = 10703, c3 = 4433;
    const std::int32_t upper = (in[0] + in[2]) * one, lower = (in[0] - in[2]) * one;
    const std::int32_t outer = c1 * in[1] + c3 * in[3], inner = c3 * in[1] - c1 * in[3];
    return {upper + outer, lower + inner, lower - inner, upper - outer};
}

void inverse_half(const std::int16_t* block, std::int16_t* out, std::ptrdiff_t stride) {
    // Rows keep two fractional bits: 12-bit inputs then stay within 31 bits in the column pass.
    constexpr int row_shift = 11, column_shift = 18;
    std::array<std::array<std::int32_t, 4>, 4> rows;  // [v][x]
    for (std::size_t v = 0; v < 4; ++v) {
        rows[v] = transform_half({block[v], block[16 + v], block[32 + v], block[48 + v]});
        for (std::int32_t& value : rows[v])
            value = (value + (1 << (row_shift - 1))) >> row_shift;
    }
    for (std::size_t x = 0; x < 4; ++x) {
        const auto column = transform_half({rows[0][x], rows[1][x], rows[2][x], rows[3][x]});
        for (std::size_t y = 0; y < 4; ++y)
            out[static_cast<std::ptrdiff_t>(y) * stride + static_cast<std::ptrdiff_t>(x)] =
                narrow((column[y] + (1 << (column_shift - 1))) >> column_shift);
    }
}

}  // namespace

void inverse_pair_portable(const std::int16_t* pair, int /*last_position*/, std::int16_t* left,
                           std::int16_t* right, std::ptrdiff_t stride) {
    inverse(pair, left, stride);
    inverse(pair + 8, right, stride);
}

void inverse_half_portable(const std::int16_t* pair, std::int16_t* left, std::int16_t* right,
                           std::ptrdiff_t stride) {
    inverse_half(pair, left, stride);
    inverse_half(pair + 8, right, stride);
}

InversePair select_inverse_pair() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        return inverse_pair_avx2;
#endif
    return inverse_pair_portable;
}

InverseHalf select_inverse_half() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        return inverse_half_avx2;
#endif
    return inverse_half_portable;
}

}  // namespace mic::mpeg4
