#pragma once
/// Which blocks of a VOP are wanted, and which of the VOP before they are predicted from.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "mpeg4.hpp"
#include "reference.hpp"

namespace mic::mpeg4 {

/// Wanted blocks of one macroblock: bits 0 to 3 are Y0 to Y3, `kChroma` is Cb and Cr together.
using BlockMask = std::uint8_t;
inline constexpr BlockMask kLuma = 15, kChroma = 16, kAllBlocks = kLuma | kChroma;

/// The blocks of one VOP that somebody needs.
class Needs {
  public:
    explicit Needs(const VideoObjectLayer& layer)
        : columns_(layer.mb_width()),
          rows_(layer.mb_height()),
          masks_(static_cast<std::size_t>(layer.mb_count())) {}

    [[nodiscard]] BlockMask operator[](int index) const {
        return masks_[static_cast<std::size_t>(index)];
    }
    /// Macroblocks of which at least a block is needed.
    [[nodiscard]] int macroblocks() const {
        return static_cast<int>(masks_.size() - static_cast<std::size_t>(std::count(
                                                    masks_.begin(), masks_.end(), BlockMask{0})));
    }
    void clear() { std::fill(masks_.begin(), masks_.end(), BlockMask{0}); }
    void mark_all() { std::fill(masks_.begin(), masks_.end(), kAllBlocks); }
    void mark(int index, BlockMask blocks) { masks_[static_cast<std::size_t>(index)] |= blocks; }
    void merge(const Needs& other) {
        for (std::size_t k = 0; k < masks_.size(); ++k)
            masks_[k] |= other.masks_[k];
    }

    /// 7.6: what the wanted blocks of an inter macroblock of the next VOP are predicted from.
    void mark_references(const VideoObjectLayer& layer, int mb_x, int mb_y, BlockMask wanted,
                         const Vectors& vectors, bool four);

    /// The blocks that hold any of these samples; outside the picture its border counts.
    void mark_luma(int x, int y, int width, int height);
    void mark_chroma(int x, int y, int width, int height);

  private:
    int columns_;
    int rows_;
    std::vector<BlockMask> masks_;
};

/// The smallest rectangle around the luma blocks of a mask, in blocks.
struct BlockBounds {
    int x, y, width, height;

    explicit BlockBounds(BlockMask luma) {
        const bool left = (luma & 5) != 0, right = (luma & 10) != 0;
        const bool upper = (luma & 3) != 0, lower = (luma & 12) != 0;
        x = left ? 0 : 1;
        y = upper ? 0 : 1;
        width = left && right ? 2 : 1;
        height = upper && lower ? 2 : 1;
    }
};

/// 7.6: the samples that the wanted blocks of an inter macroblock are predicted from.
///
/// Calls `luma(x, y, width, height)` and `chroma(...)` with rectangles of the reference, which may
/// reach outside it.
/// @param four whether it has four vectors.
template <typename Luma, typename Chroma>
void visit_references(const VideoObjectLayer& layer, int mb_x, int mb_y, BlockMask wanted,
                      const Vectors& vectors, bool four, Luma luma, Chroma chroma) {
    const Sources sources(layer);
    const auto blocks = static_cast<BlockMask>(wanted & kLuma);
    if (four) {
        for (unsigned rest = blocks; rest != 0; rest &= rest - 1) {
            const int block = std::countr_zero(rest);
            const Source from =
                sources.luma_block(mb_x, mb_y, block, vectors[static_cast<std::size_t>(block)]);
            luma(from.x, from.y, from.columns(8), from.rows(8));
        }
    } else if (blocks != 0) {
        const Source from = Sources::luma(mb_x, mb_y, vectors[0]);
        // The eight taps are mirrored at the border of the 16x16 block, so it is one piece.
        const BlockBounds part(layer.quarter_sample && !from.whole() ? kLuma : blocks);
        luma(from.x + 8 * part.x, from.y + 8 * part.y, from.columns(8 * part.width),
             from.rows(8 * part.height));
    }
    if ((wanted & kChroma) != 0) {
        const Source from = sources.chroma(mb_x, mb_y, vectors, four);
        chroma(from.x, from.y, from.columns(8), from.rows(8));
    }
}

}  // namespace mic::mpeg4
