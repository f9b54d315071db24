#pragma once
/// Where the samples of a macroblock go: straight into the caller's planes, or, at the picture's
/// right and lower edge, through a small buffer that is then cropped.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "aligned.hpp"
#include "block.hpp"
#include "idct.hpp"
#include "mpeg4.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

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

/// Transforms a pair of blocks to `kSide` samples (8, 4, 2 or 1) each, and zeroes it again.
///
/// Returns false, and writes nothing, where no coefficient is coded.
template <int kSide>
bool transform_pair(const Inverses& inverses, MacroblockCoefficients& coefficients,
                    std::size_t index, std::int16_t* left, std::int16_t* right,
                    std::ptrdiff_t stride) {
    int& last_position = coefficients.last_position[index];
    if (last_position < 0)
        return false;
    std::int16_t* blocks = coefficients.values.data() + index * kPairSize;
    if constexpr (kSide == 8) {
        inverses.pair(blocks, last_position, left, right, stride);
    } else if constexpr (kSide == 4) {
        inverses.half(blocks, left, right, stride);
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
    return true;
}

template <int kColumns, int kRows>
void write_zeros(std::int16_t* to, std::ptrdiff_t stride) {
    for (int row = 0; row < kRows; ++row, to += stride)
        std::memset(to, 0, kColumns * sizeof(std::int16_t));
}

/// Copies samples past the caches: what is overwritten is not read first, nor kept near.
inline void copy_past_cache(const std::int16_t* from, std::ptrdiff_t count, std::int16_t* to) {
#if defined(__SSE2__)
    constexpr std::ptrdiff_t lanes = 8;
    for (; count > 0 && reinterpret_cast<std::uintptr_t>(to) % 16 != 0; --count)
        *to++ = *from++;
    for (; count >= lanes; count -= lanes, from += lanes, to += lanes)
        _mm_stream_si128(reinterpret_cast<__m128i*>(to),
                         _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    _mm_sfence();
#endif
    std::copy_n(from, count, to);
}

/// Writes macroblocks of `kSide`-sample blocks into three planes.
template <int kSide>
class ResidualWriter {
  public:
    /// @param row where each row of macroblocks is put together, to be copied past the caches into
    /// the planes, which must be dense (their stride is their width); null to write there at once.
    ResidualWriter(const std::array<Plane, 3>& planes, const Inverses& inverses,
                   AlignedVector<std::int16_t>* row = nullptr)
        : planes_(planes),
          inverses_(inverses),
          row_(row),
          whole_columns_(std::min(planes[0].width / (2 * kSide), planes[1].width / kSide)),
          whole_rows_(std::min(planes[0].height / (2 * kSide), planes[1].height / kSide)) {
        if (row_ == nullptr)
            return;
        std::size_t total = 0;
        for (std::size_t k = 0; k < 3; ++k)
            total += samples_of_row(k);
        row_->resize(total);
    }
    ~ResidualWriter() { end_row(); }
    ResidualWriter(const ResidualWriter&) = delete;
    ResidualWriter& operator=(const ResidualWriter&) = delete;

    /// Zeroes a row of macroblocks, before the first of them is written: memory likes long
    /// stretches, and what is written over them is near then.
    void start_row(int mb_y) {
        end_row();
        if (row_ != nullptr) {
            std::fill(row_->begin(), row_->end(), std::int16_t{0});
            held_ = mb_y;
            return;
        }
        for (std::size_t k = 0; k < 3; ++k) {
            const Plane& plane = planes_[k];
            const int rows = rows_of(k, mb_y);
            std::int16_t* to = plane.data + plane.stride * mb_y * side_of(k);
            if (plane.stride == plane.width) {
                std::fill_n(to, plane.stride * rows, std::int16_t{0});
                continue;
            }
            for (int row = 0; row < rows; ++row, to += plane.stride)
                std::fill_n(to, plane.width, std::int16_t{0});
        }
    }
    /// Transforms what is coded and zeroes it again; what is not is zero since `start_row`.
    void write(int mb_x, int mb_y, MacroblockCoefficients& coefficients) const {
        place(mb_x, mb_y, [&](const std::array<Plane, 3>& to) {
            const auto pair = [&](std::size_t index, std::int16_t* left, std::int16_t* right,
                                  std::ptrdiff_t stride) {
                transform_pair<kSide>(inverses_, coefficients, index, left, right, stride);
            };
            std::int16_t* luma = to[0].data;
            pair(0, luma, luma + kSide, to[0].stride);
            luma += kSide * to[0].stride;
            pair(1, luma, luma + kSide, to[0].stride);
            pair(2, to[1].data, to[2].data, to[1].stride);
        });
    }
    /// A macroblock without residual, in a row that was not zeroed.
    void clear(int mb_x, int mb_y) const {
        place(mb_x, mb_y, [](const std::array<Plane, 3>& to) {
            write_zeros<2 * kSide, 2 * kSide>(to[0].data, to[0].stride);
            write_zeros<kSide, kSide>(to[1].data, to[1].stride);
            write_zeros<kSide, kSide>(to[2].data, to[2].stride);
        });
    }

  private:
    static constexpr int side_of(std::size_t plane) { return plane == 0 ? 2 * kSide : kSide; }
    [[nodiscard]] int rows_of(std::size_t plane, int mb_y) const {
        return std::clamp(planes_[plane].height - mb_y * side_of(plane), 0, side_of(plane));
    }
    [[nodiscard]] std::size_t samples_of_row(std::size_t plane) const {
        return static_cast<std::size_t>(planes_[plane].stride * side_of(plane));
    }
    /// Copies the row that is held, if any, into the planes.
    void end_row() {
        if (held_ < 0)
            return;
        const std::int16_t* from = row_->data();
        for (std::size_t k = 0; k < 3; from += samples_of_row(k++))
            copy_past_cache(from, planes_[k].stride * rows_of(k, held_),
                            planes_[k].data + planes_[k].stride * held_ * side_of(k));
        held_ = -1;
    }
    template <typename Fill>
    void place(int mb_x, int mb_y, Fill fill) const {
        std::array<Plane, 3> to = planes_;
        std::int16_t* held = held_ < 0 ? nullptr : row_->data();
        for (std::size_t k = 0; k < 3; ++k) {
            if (held != nullptr) {
                to[k].data = held + mb_x * side_of(k);
                held += samples_of_row(k);
            } else {
                to[k].data += (to[k].stride * mb_y + mb_x) * side_of(k);
            }
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
    std::array<Plane, 3> planes_;
    Inverses inverses_;
    AlignedVector<std::int16_t>* row_;
    int held_ = -1;      ///< which row of macroblocks `row_` holds; -1: none
    int whole_columns_;  ///< macroblocks that lie inside the planes
    int whole_rows_;
};

/// 7.4.5: the samples of one macroblock behind each other, Y, Cb and Cr; none is left as it was.
template <int kSide>
void write_macroblock(const Inverses& inverses, MacroblockCoefficients& coefficients,
                      std::int16_t* to) {
    constexpr int luma = 4 * kSide * kSide, chroma = kSide * kSide;
    for (std::size_t index = 0; index < 2; ++index, to += luma / 2)
        if (!transform_pair<kSide>(inverses, coefficients, index, to, to + kSide, 2 * kSide))
            std::fill_n(to, luma / 2, std::int16_t{0});
    if (!transform_pair<kSide>(inverses, coefficients, 2, to, to + chroma, kSide))
        std::fill_n(to, 2 * chroma, std::int16_t{0});
}

}  // namespace mic::mpeg4
