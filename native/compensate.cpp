/// Clause 7.6.2 in portable arithmetic.

#include "compensate.hpp"

#include <algorithm>
#include <cstring>

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

}  // namespace

Predictors portable_predictors() {
    return {predict_half<16>, predict_half<8>, predict_quarter<16>, predict_quarter<8>};
}

Predictors select_predictors() {
    return portable_predictors();
}

}  // namespace mic::mpeg4
