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

/// The residual that belongs to a block, or none.
template <typename T>
Target<T> target(T* to, std::ptrdiff_t stride, const Plane* residual, int x, int y) {
    if (residual == nullptr)
        return {to, stride, nullptr, 0};
    return {to, stride, residual->data + y * residual->stride + x, residual->stride};
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

/// Adds the residual above a block to it.
template <int kSide, typename U>
void add(Surface<U>& to, int x, int y, const Plane& residual) {
    if constexpr (std::is_same_v<U, float> && kSide % 8 == 0)
        if (kBilinear<kSide> != nullptr)
            return kBilinear<kSide>({to.at(x, y), to.width, 0, 0,
                                     residual.data + y * residual.stride + x, residual.stride,
                                     to.at(x, y), to.width});
    for (int row = 0; row < kSide; ++row)
        add_row<kSide>(to.at(x, y + row), residual.data + (y + row) * residual.stride + x);
}

/// Sets a block of `side` x `side`.
template <typename U>
void fill(Surface<U>& to, int x, int y, int side, U value) {
    for (int row = 0; row < side; ++row)
        std::fill_n(to.at(x, y + row), side, value);
}

}  // namespace mic::mpeg4
