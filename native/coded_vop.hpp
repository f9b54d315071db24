#pragma once
/// A VOP parsed for the blocks that are wanted of it: modes, vectors and coefficients, no samples.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "block.hpp"
#include "dependency.hpp"
#include "intra_texture.hpp"
#include "mpeg4.hpp"
#include "reference.hpp"

namespace mic::mpeg4 {

/// One dequantised coefficient and where `MacroblockCoefficients::values` has its place.
struct Token {
    std::uint16_t place;
    std::int16_t coefficient;
};

/// What reconstruction needs to know of a macroblock; its tokens follow those of the one before.
struct CodedMacroblock {
    std::int16_t mb_x, mb_y;
    MacroblockType type;
    BlockMask wanted;
    std::array<std::int8_t, 3> last_position;  ///< by pair of blocks; -1: no coefficient
    std::uint16_t tokens;                      ///< how many
    Vectors vectors;                           ///< in quarter samples
};

/// The wanted macroblocks of a VOP in the order of the bitstream.
struct CodedVop {
    bool intra = false;          ///< an I-VOP: nothing is predicted from another one
    bool rounding_type = false;  ///< vop_rounding_type
    std::vector<CodedMacroblock> macroblocks;
    std::vector<Token> tokens;

    [[nodiscard]] std::size_t bytes() const {
        return macroblocks.size() * sizeof(CodedMacroblock) + tokens.size() * sizeof(Token);
    }
};

/// Parses VOPs; owns scratch memory and tables, so keep one a thread and reuse it.
class VopReader {
  public:
    explicit VopReader(const VideoObjectLayer& layer)
        : motion_(static_cast<std::size_t>(layer.mb_count()) * 8), intra_(layer) {}

    /// 6.2.5: parses a whole VOP and keeps the blocks that `wanted` names.
    ///
    /// After damage, the wanted macroblocks from the start of the damaged video packet on are
    /// `missing`, with zero vectors, and the result says why.
    VopResult read(const Packet& packet, const VideoObjectLayer& layer, const Needs& wanted,
                   CodedVop& out);

  private:
    struct Pass;
    template <bool kPredictive>
    void parse(BitReader& reader, Pass& pass);
    template <bool kMpeg>
    void read_inter_texture(BitReader& reader, unsigned coded_blocks, int quantiser,
                            BlockMask wanted, CodedMacroblock& macroblock);
    void keep_intra_texture(const VideoObjectLayer& layer, CodedMacroblock& macroblock);
    void make_room();

    InterQuantisers quantisers_;
    std::vector<std::int16_t> motion_;
    IntraTexture intra_;
    IntraMacroblock intra_macroblock_;
    std::vector<CodedMacroblock> macroblocks_;
    std::vector<Token> tokens_;  ///< room for them, not how many there are
    std::size_t token_count_ = 0;
};

/// 7.6: marks what the macroblocks of a VOP are predicted from in the one before.
void mark_references(const VideoObjectLayer& layer, const CodedVop& vop, Needs& reference);

}  // namespace mic::mpeg4
