#pragma once
/// Where the samples of a macroblock go: straight into the caller's planes, or, at the picture's
/// right and lower edge, through a small buffer that is then cropped.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "block.hpp"
#include "idct.hpp"
#include "mpeg4.hpp"

namespace mic::mpeg4 {

/// Coefficients of one macroblock: pairs Y0 Y1, Y2 Y3, Cb Cr; all zero between macroblocks.
struct MacroblockCoefficients {
    alignas(32) std::array<std::int16_t, 3 * kPairSize> values{};
    std::array<int, 3> last_position{};  ///< by pair; -1: no coefficient

    std::int16_t* block(unsigned index) {
        return values.data() + (index / 2) * kPairSize + (index % 2) * 8;
    }
};

/// The inverse transforms, as this processor runs them.
struct Inverses {
    InversePair pair = select_inverse_pair();
    InverseHalf half = select_inverse_half();
};

/// Writes macroblocks of `kSide`-sample blocks (8, 4, 2 or 1) into three planes.
template <int kSide>
class ResidualWriter {
  public:
    /// @param clears_rows whether `start_row` makes a row of macroblocks zero before the first of
    /// them is written: memory likes long stretches, and what is written over them is near then.
    ResidualWriter(const std::array<Plane, 3>& planes, const Inverses& inverses, bool clears_rows)
        : planes_(planes),
          inverses_(inverses),
          clears_rows_(clears_rows),
          whole_columns_(std::min(planes[0].width / (2 * kSide), planes[1].width / kSide)),
          whole_rows_(std::min(planes[0].height / (2 * kSide), planes[1].height / kSide)) {}

    void start_row(int mb_y) const {
        if (!clears_rows_)
            return;
        for (std::size_t k = 0; k < 3; ++k) {
            const int side = k == 0 ? 2 * kSide : kSide;
            const Plane& plane = planes_[k];
            const int rows = std::min(side, plane.height - mb_y * side);
            std::int16_t* to = plane.data + plane.stride * mb_y * side;
            if (plane.stride == plane.width) {
                std::fill_n(to, plane.stride * std::max(rows, 0), std::int16_t{0});
                continue;
            }
            for (int row = 0; row < rows; ++row, to += plane.stride)
                std::fill_n(to, plane.width, std::int16_t{0});
        }
    }
    /// Transforms what is coded and zeroes it again; blocks without coefficients become zeros.
    void write(int mb_x, int mb_y, MacroblockCoefficients& coefficients) const {
        place(mb_x, mb_y, [&](const std::array<Plane, 3>& to) {
            std::int16_t* luma = to[0].data;
            pair(coefficients, 0, luma, luma + kSide, to[0].stride);
            luma += kSide * to[0].stride;
            pair(coefficients, 1, luma, luma + kSide, to[0].stride);
            pair(coefficients, 2, to[1].data, to[2].data, to[1].stride);
        });
    }
    /// A macroblock without residual.
    void write_zeros(int mb_x, int mb_y) const {
        if (clears_rows_)
            return;
        place(mb_x, mb_y, [](const std::array<Plane, 3>& to) {
            zero<2 * kSide, 2 * kSide>(to[0].data, to[0].stride);
            zero<kSide, kSide>(to[1].data, to[1].stride);
            zero<kSide, kSide>(to[2].data, to[2].stride);
        });
    }

  private:
    template <typename Fill>
    void place(int mb_x, int mb_y, Fill fill) const {
        std::array<Plane, 3> to = planes_;
        for (std::size_t k = 0; k < 3; ++k) {
            const int side = k == 0 ? 2 * kSide : kSide;
            to[k].data += (to[k].stride * mb_y + mb_x) * side;
        }
        if (mb_x < whole_columns_ && mb_y < whole_rows_) [[likely]]
            return fill(to);
        std::array<std::int16_t, 6 * kSide * kSide> buffer{};
        std::array<Plane, 3> from;
        from[0] = {buffer.data(), 2 * kSide, 0, 0};
        from[1] = {buffer.data() + 4 * kSide * kSide, kSide, 0, 0};
        from[2] = {buffer.data() + 5 * kSide * kSide, kSide, 0, 0};
        fill(from);
        for (std::size_t k = 0; k < 3; ++k) {
            const int side = k == 0 ? 2 * kSide : kSide;
            const int columns = std::min(side, planes_[k].width - mb_x * side);
            const int rows = std::min(side, planes_[k].height - mb_y * side);
            for (int row = 0; row < rows; ++row)
                std::copy_n(from[k].data + row * from[k].stride, std::max(columns, 0),
                            to[k].data + row * to[k].stride);
        }
    }
    void pair(MacroblockCoefficients& coefficients, std::size_t index, std::int16_t* left,
              std::int16_t* right, std::ptrdiff_t stride) const {
        int& last_position = coefficients.last_position[index];
        if (last_position < 0) {
            if (!clears_rows_) {
                zero<kSide, kSide>(left, stride);
                zero<kSide, kSide>(right, stride);
            }
            return;
        }
        std::int16_t* blocks = coefficients.values.data() + index * kPairSize;
        if constexpr (kSide == 8) {
            inverses_.pair(blocks, last_position, left, right, stride);
        } else if constexpr (kSide == 4) {
            inverses_.half(blocks, left, right, stride);
        } else if constexpr (kSide == 2) {
            inverse_quarter(blocks, left, stride);
            inverse_quarter(blocks + 8, right, stride);
        } else {
            inverse_eighth(blocks, left);
            inverse_eighth(blocks + 8, right);
        }
        if constexpr (kSide == 1)
            blocks[0] = blocks[8] = 0;  // nothing else was stored
        else
            std::memset(blocks, 0, kPairSize * sizeof(std::int16_t));
        last_position = -1;
    }
    template <int kColumns, int kRows>
    static void zero(std::int16_t* to, std::ptrdiff_t stride) {
        for (int row = 0; row < kRows; ++row, to += stride)
            std::memset(to, 0, kColumns * sizeof(std::int16_t));
    }

    std::array<Plane, 3> planes_;
    Inverses inverses_;
    bool clears_rows_;
    int whole_columns_;  ///< macroblocks that lie inside the planes
    int whole_rows_;
};

}  // namespace mic::mpeg4
