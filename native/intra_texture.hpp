#pragma once
/// Clauses 6.2.7 and 7.4.1 to 7.4.4 for intra macroblocks, in I- and P-VOPs alike.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "bitreader.hpp"
#include "block.hpp"
#include "macroblock.hpp"
#include "mpeg4.hpp"

namespace mic::mpeg4 {

/// The coefficients of one intra macroblock: blocks Y0 to Y3, Cb, Cr.
struct IntraMacroblock {
    using Block = std::array<std::int16_t, 64>;  ///< raster order, 8 v + u

    std::array<Block, 6> levels;           ///< QF, predictions added
    std::array<std::uint64_t, 6> nonzero;  ///< bit k: AC level k may be other than 0
    std::array<int, 6> dc;                 ///< F[0][0]
    int quantiser;
};

/// Reads intra macroblocks one after the other, and predicts DC and AC coefficients from those
/// left of and above them in the same video packet.
class IntraTexture {
  public:
    explicit IntraTexture(const VideoObjectLayer& layer)
        : columns_(layer.mb_width()), borders_(2 * static_cast<std::size_t>(layer.mb_width())) {}

    /// A VOP or a video packet starts: nothing read before is predicted from.
    void start_packet() { ++packet_; }

    /// 6.2.6: the six blocks of a macroblock, behind its header.
    void read(BitReader& reader, const MacroblockHeader& header, int quantiser, bool intra_dc_code,
              int mb_x, int mb_y, IntraMacroblock& macroblock);

  private:
    /// What later macroblocks predict from: F[0][0] and the first row and column of QF.
    struct Border {
        std::array<std::int16_t, 6> dc;
        std::array<std::array<std::int16_t, 8>, 6> row, column;
        int quantiser;
        int mb_y;
        std::uint64_t packet = 0;  ///< the packet it was read in; none is 0
    };

    void read_block(BitReader& reader, const MacroblockHeader& header, std::size_t block,
                    bool intra_dc_code, int mb_x, int mb_y, IntraMacroblock& macroblock);
    [[nodiscard]] const Border* find(int mb_x, int mb_y) const {
        if (mb_x < 0 || mb_y < 0)
            return nullptr;
        const Border& found = borders_[slot(mb_x, mb_y)];
        return found.packet == packet_ && found.mb_y == mb_y ? &found : nullptr;
    }
    [[nodiscard]] std::size_t slot(int mb_x, int mb_y) const {
        return static_cast<std::size_t>(mb_y % 2 * columns_ + mb_x);
    }

    int columns_;
    std::vector<Border> borders_;  ///< of the row of macroblocks being read and the one above
    std::uint64_t packet_ = 0;
};

/// 7.4.4: F of one block by either method, mismatch control included.
///
/// `store(k, value)` gets the coefficients other than 0 in raster order, k = 8 v + u, and F[7][7]
/// again where mismatch control changes it.
template <typename Store>
void dequantise_intra(const VideoObjectLayer& layer, const IntraMacroblock& macroblock,
                      std::size_t block, Store store) {
    const IntraMacroblock::Block& levels = macroblock.levels[block];
    const int quantiser = macroblock.quantiser;
    int parity = macroblock.dc[block], highest = 0;
    if (macroblock.dc[block] != 0)
        store(0U, macroblock.dc[block]);
    for (std::uint64_t rest = macroblock.nonzero[block]; rest != 0; rest &= rest - 1) {
        const auto k = static_cast<unsigned>(std::countr_zero(rest));
        int value;
        if (layer.mpeg_quantisation) {
            const int magnitude =
                (2 * std::abs(levels[k]) * layer.intra_matrix[k] * quantiser) >> 4;
            value = saturate(levels[k] < 0 ? -magnitude : magnitude);
        } else {
            value = dequantise_h263(levels[k], quantiser);
        }
        parity ^= value;
        highest = k == 63 ? value : highest;
        if (value != 0)
            store(k, value);
    }
    if (layer.mpeg_quantisation && (parity & 1) == 0)  // 7.4.4.5 mismatch control
        store(63U, highest ^ 1);
}

}  // namespace mic::mpeg4
