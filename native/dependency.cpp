/// The dependency of blocks on the VOP before, through vectors and interpolation.

#include "dependency.hpp"

namespace mic::mpeg4 {
namespace {

/// Blocks of 8 samples that hold [start, start + count), clamped into 0 .. blocks - 1.
struct BlockRange {
    int first, last;

    BlockRange(int start, int count, int blocks)
        : first(std::clamp(start >> 3, 0, blocks - 1)),
          last(std::clamp((start + count - 1) >> 3, 0, blocks - 1)) {}
};

}  // namespace

void Needs::mark_luma(int x, int y, int width, int height) {
    const BlockRange across(x, width, 2 * columns_), down(y, height, 2 * rows_);
    for (int row = down.first; row <= down.last; ++row)
        for (int column = across.first; column <= across.last; ++column)
            mark(row / 2 * columns_ + column / 2,
                 static_cast<BlockMask>(1U << (row % 2 * 2 + column % 2)));
}

void Needs::mark_chroma(int x, int y, int width, int height) {
    const BlockRange across(x, width, columns_), down(y, height, rows_);
    for (int row = down.first; row <= down.last; ++row)
        for (int column = across.first; column <= across.last; ++column)
            mark(row * columns_ + column, kChroma);
}

void Needs::mark_references(const VideoObjectLayer& layer, int mb_x, int mb_y, BlockMask wanted,
                            const Vectors& vectors, bool four) {
    if (!four && (vectors[0].x | vectors[0].y) == 0)
        return mark(mb_y * columns_ + mb_x, wanted);
    visit_references(
        layer, mb_x, mb_y, wanted, vectors, four,
        [this](int x, int y, int width, int height) { mark_luma(x, y, width, height); },
        [this](int x, int y, int width, int height) { mark_chroma(x, y, width, height); });
}

}  // namespace mic::mpeg4
