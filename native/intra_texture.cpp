/// Clauses 7.4.1 to 7.4.4 for intra macroblocks: DC and AC prediction, both inverse quantisations.

#include "intra_texture.hpp"

#include <cstdlib>

namespace mic::mpeg4 {
namespace {

/// 4.1: "//", division to the nearest integer, halves away from zero.
constexpr int divide_rounded(int a, int b) {
    return (a < 0 ? a - b / 2 : a + b / 2) / b;
}

/// Which block of which macroblock stands left of, above and above left of a block.
struct Neighbour {
    int mb_dx, mb_dy;
    std::size_t block;
};
struct Neighbours {
    Neighbour left, above_left, above;
};
constexpr std::array<Neighbours, 6> kNeighbours{{
    {{-1, 0, 1}, {-1, -1, 3}, {0, -1, 2}},  // Y0
    {{0, 0, 0}, {0, -1, 2}, {0, -1, 3}},    // Y1
    {{-1, 0, 3}, {-1, 0, 1}, {0, 0, 0}},    // Y2
    {{0, 0, 2}, {0, 0, 0}, {0, 0, 1}},      // Y3
    {{-1, 0, 4}, {-1, -1, 4}, {0, -1, 4}},  // Cb
    {{-1, 0, 5}, {-1, -1, 5}, {0, -1, 5}},  // Cr
}};

}  // namespace

void IntraTexture::read(BitReader& reader, const MacroblockHeader& header, int quantiser,
                        bool intra_dc_code, int mb_x, int mb_y, IntraMacroblock& macroblock) {
    macroblock.quantiser = quantiser;
    Border& border = borders_[slot(mb_x, mb_y)];
    border.quantiser = quantiser;
    border.mb_y = mb_y;
    border.packet = packet_;  // its own blocks predict each other
    for (std::size_t block = 0; block < 6; ++block)
        read_block(reader, header, block, intra_dc_code, mb_x, mb_y, macroblock);
}

/// 6.2.7 block(), 7.4.1 to 7.4.3: QF of one block, predictions added.
void IntraTexture::read_block(BitReader& reader, const MacroblockHeader& header, std::size_t block,
                              bool intra_dc_code, int mb_x, int mb_y,
                              IntraMacroblock& macroblock) {
    const bool luminance = block < 4;
    const int scaler = dc_scaler(macroblock.quantiser, luminance);
    const auto dc_of = [&](const Neighbour& at) {
        constexpr int no_neighbour = 1024;  // 2^(bits_per_pixel + 2)
        const Border* found = find(mb_x + at.mb_dx, mb_y + at.mb_dy);
        return found == nullptr ? no_neighbour : int{found->dc[at.block]};
    };
    const Neighbours& around = kNeighbours[block];
    // 7.4.3.1: the smaller gradient decides where both predictions come from.
    const int a = dc_of(around.left), b = dc_of(around.above_left), c = dc_of(around.above);
    const bool from_above = std::abs(a - b) < std::abs(b - c);

    IntraMacroblock::Block& levels = macroblock.levels[block];
    levels.fill(0);
    std::uint64_t nonzero = 0;
    int position = -1;
    reader.refill();
    if (intra_dc_code) {
        levels[0] = static_cast<std::int16_t>(read_intra_dc(reader, luminance));
        position = 0;
    }
    if ((header.coded_blocks & (32U >> block)) != 0) {
        // 7.4.2: AC prediction chooses the scan.
        const auto& scan = !header.ac_pred_flag ? kZigzagScan
                           : from_above         ? kAlternateHorizontalScan
                                                : kAlternateVerticalScan;
        read_coefficients(reader, position, kIntraLookup, kIntraEscapes,
                          [&](std::size_t at, int level) {
                              levels[scan[at]] = static_cast<std::int16_t>(level);
                              nonzero |= std::uint64_t{1} << scan[at];
                          });
    }
    levels[0] = static_cast<std::int16_t>(levels[0] + divide_rounded(from_above ? c : a, scaler));
    macroblock.dc[block] = saturate(levels[0] * scaler);

    if (header.ac_pred_flag) {
        // 7.4.3.3: the first row from above, or the first column from the left, rescaled.
        const Neighbour& at = from_above ? around.above : around.left;
        if (const Border* source = find(mb_x + at.mb_dx, mb_y + at.mb_dy)) {
            const auto& line = (from_above ? source->row : source->column)[at.block];
            constexpr std::uint64_t first_row = 0xFE, first_column = 0x0101010101010100;
            nonzero |= from_above ? first_row : first_column;
            const bool same = source->quantiser == macroblock.quantiser;
            for (std::size_t k = 1; k < 8; ++k) {
                const int predicted =
                    same ? line[k]
                         : divide_rounded(line[k] * source->quantiser, macroblock.quantiser);
                std::int16_t& level = levels[from_above ? k : 8 * k];
                level = static_cast<std::int16_t>(saturate(level + predicted));
            }
        }
    }
    macroblock.nonzero[block] = nonzero & ~std::uint64_t{1};
    Border& border = borders_[slot(mb_x, mb_y)];
    border.dc[block] = static_cast<std::int16_t>(macroblock.dc[block]);
    for (std::size_t k = 1; k < 8; ++k) {
        border.row[block][k] = levels[k];
        border.column[block][k] = levels[8 * k];
    }
}

}  // namespace mic::mpeg4
