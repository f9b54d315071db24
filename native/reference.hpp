#pragma once
/// Clauses 7.6.2 to 7.6.5: from which samples of the reference VOP a block is predicted.

#include <algorithm>
#include <array>
#include <cstddef>

#include "motion.hpp"
#include "mpeg4.hpp"

namespace mic::mpeg4 {

/// 7.6.5, Table 7-9: sixteenths of a sample to halves, for chroma of four vectors.
inline constexpr std::array<int, 16> kSixteenthsToHalves{0, 0, 0, 1, 1, 1, 1, 1,
                                                         1, 1, 1, 1, 1, 1, 2, 2};

/// 7.6.5: one component of the chroma vector in half samples, from luma in quarter samples.
inline int chroma_halves(const std::array<int, 4>& luma, bool four, bool quarter_sample) {
    if (four) {
        int total = 0;  // in half samples of luma; quarter samples are halved one by one
        for (const int component : luma)
            total += component / 2;
        return kSixteenthsToHalves[static_cast<std::size_t>(total & 15)] + ((total >> 3) & ~1);
    }
    const int halves = luma[0] / 2;
    // Any fraction of a chroma sample, 1/4 to 3/4, becomes one half.
    return quarter_sample ? (halves >> 1) | (halves & 1)
                          : 2 * (halves >> 2) + ((halves & 3) != 0 ? 1 : 0);
}

/// The vectors of a macroblock's four luma blocks, in quarter samples.
using Vectors = std::array<Vector, 4>;

/// Where a prediction comes from: a whole sample of the reference plane and a fraction beyond it.
struct Source {
    int x, y;
    int fraction_x, fraction_y;  ///< quarter samples for luma, half samples for chroma

    [[nodiscard]] bool whole() const { return (fraction_x | fraction_y) == 0; }
    /// Samples and rows that a block of `side` is made of: interpolation reads one more.
    [[nodiscard]] int columns(int side) const { return side + (fraction_x != 0 ? 1 : 0); }
    [[nodiscard]] int rows(int side) const { return side + (fraction_y != 0 ? 1 : 0); }
};

/// The sources of one layer's macroblocks. Vectors may lead outside: 7.6.4 repeats the border of
/// the coded picture, which is made of whole macroblocks.
class Sources {
  public:
    explicit Sources(const VideoObjectLayer& layer)
        : width_(layer.width), height_(layer.height), quarter_sample_(layer.quarter_sample) {}

    /// 7.6.2: the 16x16 luma samples of a macroblock with one vector.
    [[nodiscard]] static Source luma(int mb_x, int mb_y, Vector v) {
        return {16 * mb_x + (v.x >> 2), 16 * mb_y + (v.y >> 2), v.x & 3, v.y & 3};
    }
    /// 7.6.2: one 8x8 luma block of a macroblock with four vectors.
    [[nodiscard]] Source luma_block(int mb_x, int mb_y, int block, Vector v) const {
        return stopped({16 * mb_x + block % 2 * 8 + (v.x >> 2),
                        16 * mb_y + block / 2 * 8 + (v.y >> 2), v.x & 3, v.y & 3},
                       16, width_, height_);
    }
    /// 7.6.5: the 8x8 samples of either chroma plane.
    [[nodiscard]] Source chroma(int mb_x, int mb_y, const Vectors& v, bool four) const {
        const int x = chroma_halves({v[0].x, v[1].x, v[2].x, v[3].x}, four, quarter_sample_);
        const int y = chroma_halves({v[0].y, v[1].y, v[2].y, v[3].y}, four, quarter_sample_);
        const Source source{8 * mb_x + (x >> 1), 8 * mb_y + (y >> 1), x & 1, y & 1};
        return four ? stopped(source, 8, width_ / 2, height_ / 2) : source;
    }

  private:
    /// Not in spec: where there are four vectors libavcodec, as encoder and decoder, lets none of
    /// them lead further than the picture's size, though up to 15 more columns and rows are coded
    /// when that is no multiple of 16.
    [[nodiscard]] static Source stopped(Source source, int before, int width, int height) {
        source.x = std::clamp(source.x, -before, width);
        source.y = std::clamp(source.y, -before, height);
        if (source.x == width)
            source.fraction_x = 0;
        if (source.y == height)
            source.fraction_y = 0;
        return source;
    }

    int width_;
    int height_;
    bool quarter_sample_;
};

}  // namespace mic::mpeg4
