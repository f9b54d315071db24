#pragma once
/// The samples of one macroblock on their way from one step of an accumulation to the next.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "interpolate.hpp"
#include "mpeg4.hpp"

namespace mic::mpeg4 {

/// Where the blocks of one macroblock lie in a row of samples: Y, Cb, Cr, displacement x, y.
template <int kSide>
struct Slot {
    static constexpr std::size_t luma = std::size_t{kSide} * kSide;
    static constexpr std::array<std::size_t, 5> offset{0, luma, luma * 5 / 4, luma * 3 / 2,
                                                       luma * 5 / 2};
    static constexpr std::size_t samples(bool displacement) {
        return displacement ? luma * 7 / 2 : luma * 3 / 2;
    }
    static constexpr std::size_t marks = luma * 5 / 4;
};

/// A block of a macroblock: where its samples start in the slot, and in the residual, if any.
template <typename T>
Target<T> target(T* slot, const std::int16_t* residual, std::size_t offset,
                 std::ptrdiff_t stride) {
    return {slot + offset, stride, residual == nullptr ? nullptr : residual + offset, stride};
}

/// Copies a block, stored row after row, to its place.
template <int kSide, typename U>
void put(Surface<U>& to, int x, int y, const U* values) {
    if constexpr (std::is_same_v<U, float> && kSide % 8 == 0)
        if (kBilinear<kSide> != nullptr)
            return kBilinear<kSide>({values, kSide, 0, 0, nullptr, 0, to.at(x, y), to.width});
    for (int row = 0; row < kSide; ++row)
        std::memcpy(to.at(x, y + row), values + row * kSide, kSide * sizeof(U));
}

/// Adds a residual, stored row after row, to a block.
template <int kSide, typename U>
void add(Surface<U>& to, int x, int y, const std::int16_t* residual) {
    if constexpr (std::is_same_v<U, float> && kSide % 8 == 0)
        if (kBilinear<kSide> != nullptr)
            return kBilinear<kSide>(
                {to.at(x, y), to.width, 0, 0, residual, kSide, to.at(x, y), to.width});
    for (int row = 0; row < kSide; ++row)
        add_row<kSide>(to.at(x, y + row), residual + row * kSide);
}

/// Sets a block of `side` x `side`.
template <typename U>
void fill(Surface<U>& to, int x, int y, int side, U value) {
    for (int row = 0; row < side; ++row)
        std::fill_n(to.at(x, y + row), side, value);
}

}  // namespace mic::mpeg4
