#pragma once
/// Planes that are kept macroblock by macroblock, and windows of them.
///
/// Row after row of a picture, the block of one macroblock lies in as many pages of memory as it
/// has rows. Kept block by block it is one stretch, and the next macroblock's is the next stretch,
/// which is what processors fetch ahead.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include "aligned.hpp"

namespace mic::mpeg4 {

/// A plane cut into blocks of `kBlock` x `kBlock` samples, one a macroblock, each row after row;
/// samples outside repeat the border (7.6.4).
template <typename T, int kBlock>
struct BlockPlane {
    const T* first;       ///< the block of the first macroblock
    std::ptrdiff_t step;  ///< samples from a block to that of the next macroblock
    int columns, rows;    ///< macroblocks

    [[nodiscard]] int width() const { return columns * kBlock; }
    [[nodiscard]] int height() const { return rows * kBlock; }
    [[nodiscard]] const T* block(int column, int row) const {
        return first + (std::ptrdiff_t{row} * columns + column) * step;
    }
};

/// A window of at most `kSide` x `kSide` samples, copied where it is not a part of one block.
template <typename T, int kBlock, int kSide>
class BlockWindow {
  public:
    /// @param width, height how much of it is wanted: what lies beyond is not set.
    BlockWindow(const BlockPlane<T, kBlock>& from, int x, int y, int width = kSide,
                int height = kSide) {
        static_assert(kSide <= kBlock + 1, "a window lies in two blocks at most, either way");
        if (x < 0 || y < 0 || x + width > from.width() || y + height > from.height())
            [[unlikely]] {
            clamp(from, x, y, width, height);
            return;
        }
        const int column = x / kBlock, row = y / kBlock;
        const int left = x % kBlock, top = y % kBlock;
        if (left + width <= kBlock && top + height <= kBlock) {
            data_ = from.block(column, row) + top * kBlock + left;
            stride_ = kBlock;
            return;
        }
        const int above = std::min(height, kBlock - top), below = height - above;
        const T* upper = from.block(column, row) + top * kBlock;
        const T* lower = below == 0 ? upper : from.block(column, row + 1);
        data_ = copy_.data() + left;
        stride_ = kPair;
        if (left + width <= kBlock) {
            copy<0, kBlock>(upper, upper, above, 0);
            copy<0, kBlock>(lower, lower, below, above);
        } else if (left < kHalf) {
            copy<0, kBlock + kHalf>(upper, upper + from.step, above, 0);
            copy<0, kBlock + kHalf>(lower, lower + from.step, below, above);
        } else {
            copy<kHalf, kPair>(upper, upper + from.step, above, 0);
            copy<kHalf, kPair>(lower, lower + from.step, below, above);
        }
    }
    BlockWindow(const BlockWindow&) = delete;
    BlockWindow& operator=(const BlockWindow&) = delete;

    [[nodiscard]] const T* row(int y) const { return data_ + y * stride_; }
    [[nodiscard]] std::ptrdiff_t stride() const { return stride_; }

  private:
    static constexpr int kPair = 2 * kBlock, kHalf = kBlock / 2;

    // Whole halves of rows, though less is wanted: copies of a known length are a few moves.
    template <int kFirst, int kEnd>
    void copy(const T* left, const T* right, int rows, int first) {
        T* to = copy_.data() + first * kPair;
        for (int row = 0; row < rows; ++row, left += kBlock, right += kBlock, to += kPair) {
            std::memcpy(to + kFirst, left + kFirst, (kBlock - kFirst) * sizeof(T));
            if constexpr (kEnd > kBlock)
                std::memcpy(to + kBlock, right, (kEnd - kBlock) * sizeof(T));
        }
    }
    void clamp(const BlockPlane<T, kBlock>& from, int x, int y, int width, int height) {
        data_ = copy_.data();
        stride_ = kPair;
        std::array<std::ptrdiff_t, kSide> columns;  // where in the row's first block, and beyond
        for (int column = 0; column < width; ++column) {
            const int inside = std::clamp(x + column, 0, from.width() - 1);
            columns[static_cast<std::size_t>(column)] =
                inside / kBlock * from.step + inside % kBlock;
        }
        T* to = copy_.data();
        for (int row = 0; row < height; ++row, to += kPair) {
            const int inside = std::clamp(y + row, 0, from.height() - 1);
            const T* line = from.block(0, inside / kBlock) + inside % kBlock * kBlock;
            for (std::size_t column = 0; column < static_cast<std::size_t>(width); ++column)
                to[column] = line[columns[column]];
        }
    }

    alignas(kCacheLine) std::array<T, static_cast<std::size_t>(kSide) * kPair> copy_;
    const T* data_;
    std::ptrdiff_t stride_;
};

}  // namespace mic::mpeg4
