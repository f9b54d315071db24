#pragma once
/// The samples of one macroblock in an accumulation, side by side in memory.

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
    static constexpr std::size_t sums = luma * 3 / 2;
    static constexpr std::size_t samples(bool displacement) {
        return displacement ? luma * 7 / 2 : sums;
    }
    static constexpr std::size_t marks = luma * 5 / 4;
};

/// A block of a macroblock: where its samples start in the slot, and in the residual, if any.
template <typename T>
Target<T> target(T* slot, const std::int16_t* residual, std::size_t offset,
                 std::ptrdiff_t stride) {
    return {slot + offset, stride, residual == nullptr ? nullptr : residual + offset, stride};
}

/// Adds the residual of a macroblock, laid out as its sums are.
template <int kSide, typename T>
void add(T* sums, const std::int16_t* residual) {
    constexpr int luma = static_cast<int>(Slot<kSide>::luma);
    if constexpr (std::is_same_v<T, float> && kSide % 8 == 0)
        if (kBilinear<kSide> != nullptr) {
            kBilinear<kSide>({sums, kSide, 0, 0, residual, kSide, sums, kSide});
            return add_row<luma / 2>(sums + luma, residual + luma);
        }
    add_row<luma * 3 / 2>(sums, residual);
}

/// Copies the blocks of a plane to rows, cut to the size of `to`.
template <int kBlock, typename T>
void write_rows(const BlockPlane<T, kBlock>& from, const PlaneOf<T>& to) {
    for (int y = 0; y < to.height; y += kBlock)
        for (int x = 0; x < to.width; x += kBlock) {
            const int columns = std::min(kBlock, to.width - x);
            const int rows = std::min(kBlock, to.height - y);
            const T* line = from.block(x / kBlock, y / kBlock);
            T* out = to.data + y * to.stride + x;
            for (int row = 0; row < rows; ++row, line += kBlock, out += to.stride) {
                if (columns == kBlock) [[likely]]
                    std::memcpy(out, line, kBlock * sizeof(T));
                else
                    std::copy_n(line, columns, out);
            }
        }
}

}  // namespace mic::mpeg4
