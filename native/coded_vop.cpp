/// Clauses 6.2.5.3 and 7.3: the macroblock loop of a VOP whose samples are wanted in part.

#include "coded_vop.hpp"

#include <algorithm>
#include <bit>

#include "errors.hpp"
#include "macroblock.hpp"
#include "motion.hpp"
#include "residual.hpp"
#include "vop.hpp"

namespace mic::mpeg4 {
namespace {

/// More than the tokens of any macroblock.
constexpr std::size_t kTokensPerMacroblock = 6 * 64 + 6;

constexpr BlockMask block_bit(unsigned block) {
    return block < 4 ? static_cast<BlockMask>(1U << block) : kChroma;
}

/// Where coefficient 0 of a block stands in `MacroblockCoefficients::values`.
constexpr unsigned base_of(unsigned block) {
    return block / 2 * static_cast<unsigned>(kPairSize) + block % 2 * 8;
}

/// 7.4.1 to 7.4.4 for an inter block: F as tokens from `to` on, and where they end.
///
/// `last` gets the scan position of the last coefficient, 63 when mismatch control may set it.
template <bool kMpeg>
Token* keep_inter_block(BitReader& reader, const InterQuantiser& with, unsigned base, Token* to,
                        int& last) {
    const auto put = [&](std::size_t position, int level) {
        *to++ = {static_cast<std::uint16_t>(base + kPairScan[position]),
                 static_cast<std::int16_t>(level)};
    };
    if constexpr (!kMpeg) {
        // A symbol that stands alone comes twice: the second overwrites the first.
        int before = -1;
        last = read_coefficient_pairs<Detail::all>(
            reader, with, [&](std::size_t position, int level) {
                to -= before == static_cast<int>(position) ? 1 : 0;
                before = static_cast<int>(position);
                put(position, level);
            });
    } else {
        int parity = 0, highest = 0;
        read_coefficients(reader, -1, kInterLookup, kInterEscapes,
                          [&](std::size_t position, int level) {
                              level = with.dequantise_mpeg(level, position);
                              parity ^= level;
                              highest = position == 63 ? level : highest;
                              put(position, level);
                          });
        // 7.4.4.5 mismatch control: an even sum toggles the least significant bit of F[7][7].
        if ((parity & 1) == 0)
            put(63, highest ^ 1);
        last = 63;
    }
    return to;
}

}  // namespace

/// One VOP being parsed.
struct VopReader::Pass {
    const VideoObjectLayer& layer;
    const VopHeader& header;
    const Needs& wanted;
    int& packet_start;       ///< first macroblock of the current video packet
    std::size_t kept = 0;    ///< wanted macroblocks before it
    std::size_t tokens = 0;  ///< and their tokens
};

void VopReader::make_room() {
    if (tokens_.size() < token_count_ + kTokensPerMacroblock)
        tokens_.resize(2 * token_count_ + kTokensPerMacroblock);
}

/// 6.2.7, for the six blocks of an inter macroblock.
template <bool kMpeg>
void VopReader::read_inter_texture(BitReader& reader, unsigned coded_blocks, int quantiser,
                                   BlockMask wanted, CodedMacroblock& macroblock) {
    const InterQuantiser& with = quantisers_[quantiser];
    make_room();
    Token* const first = tokens_.data() + token_count_;
    Token* to = first;
    while (coded_blocks != 0) {
        const auto block = static_cast<unsigned>(std::countl_zero(coded_blocks << 26));
        coded_blocks &= ~(32U >> block);
        if ((wanted & block_bit(block)) == 0) {
            skip_coefficients(reader, -1, kInterRuns, kInterLookup, kInterEscapes);
            continue;
        }
        int last = -1;
        to = keep_inter_block<kMpeg>(reader, with, base_of(block), to, last);
        std::int8_t& pair_last = macroblock.last_position[block / 2];
        pair_last = std::max(pair_last, static_cast<std::int8_t>(last));
    }
    macroblock.tokens = static_cast<std::uint16_t>(to - first);
    token_count_ += macroblock.tokens;
}

/// 7.4.4: the coefficients of the intra macroblock that was read last, as tokens.
void VopReader::keep_intra_texture(const VideoObjectLayer& layer, CodedMacroblock& macroblock) {
    make_room();
    Token* const first = tokens_.data() + token_count_;
    Token* to = first;
    for (unsigned block = 0; block < 6; ++block) {
        if ((macroblock.wanted & block_bit(block)) == 0)
            continue;
        // The inverse transform asks for the zigzag position of the last coefficient, or more.
        constexpr std::uint64_t low_4x4 = 0x0F0F0F0F;
        std::uint64_t seen = 0;
        dequantise_intra(layer, intra_macroblock_, block, [&](unsigned k, int value) {
            *to++ = {static_cast<std::uint16_t>(base_of(block) + 16 * (k % 8) + k / 8),
                     static_cast<std::int16_t>(value)};
            seen |= std::uint64_t{1} << k;
        });
        const int last = (seen & ~low_4x4) != 0 ? 63 : seen > 1 ? 9 : 0;
        std::int8_t& pair_last = macroblock.last_position[block / 2];
        pair_last = std::max(pair_last, static_cast<std::int8_t>(last));
    }
    macroblock.tokens = static_cast<std::uint16_t>(to - first);
    token_count_ += macroblock.tokens;
}

/// 6.2.5.3 motion_shape_texture(), 7.3: all macroblocks of a VOP, packet by packet.
template <bool kPredictive>
void VopReader::parse(BitReader& reader, Pass& pass) {
    const VideoObjectLayer& layer = pass.layer;
    const VopHeader& header = pass.header;
    MotionField motion(motion_.data(), layer.mb_width());
    const int dc_threshold = kIntraDcThreshold[static_cast<std::size_t>(header.intra_dc_vlc_thr)];
    const int columns = layer.mb_width();
    const int count = layer.mb_count();
    int running = header.vop_quant;
    int mb_x = 0, mb_y = 0;
    intra_.start_packet();
    for (int index = 0; index < count; ++index) {
        // 6.3.5 intra_dc_vlc_thr: the quantiser before this macroblock's own dquant decides.
        const bool intra_dc_code = running < dc_threshold;
        const MacroblockHeader macroblock = read_macroblock_header<kPredictive>(reader, running);
        const BlockMask wanted = pass.wanted[index];
        CodedMacroblock kept{static_cast<std::int16_t>(mb_x),
                             static_cast<std::int16_t>(mb_y),
                             macroblock.type,
                             wanted,
                             {-1, -1, -1},
                             0,
                             {}};
        if (is_intra(macroblock.type)) {
            intra_.read(reader, macroblock, running, intra_dc_code, mb_x, mb_y, intra_macroblock_);
            if (wanted != 0)
                keep_intra_texture(layer, kept);
        } else if constexpr (kPredictive) {
            if (macroblock.type != MacroblockType::not_coded)
                read_vectors(reader, macroblock.type, header.fcode_forward, mb_x, mb_y, motion);
            if (macroblock.coded_blocks != 0) {
                if (layer.mpeg_quantisation)
                    read_inter_texture<true>(reader, macroblock.coded_blocks, running, wanted,
                                             kept);
                else
                    read_inter_texture<false>(reader, macroblock.coded_blocks, running, wanted,
                                              kept);
            }
        }
        if (reader.exhausted()) [[unlikely]]
            damaged(reader, "6.2.6 macroblock()", "the VOP is cut short");
        if constexpr (kPredictive) {
            if (is_intra(macroblock.type) || macroblock.type == MacroblockType::not_coded)
                motion.fill(mb_x, mb_y, {});
            else if (wanted != 0)
                kept.vectors = motion.of(mb_x, mb_y, layer.quarter_sample ? 1 : 2);
        }
        if (wanted != 0)
            macroblocks_.push_back(kept);
        if (++mb_x == columns) {
            mb_x = 0;
            ++mb_y;
        }
        if (!layer.resync_marker_disable && index + 1 < count &&
            next_is_resync_marker(reader, header)) {
            running = read_video_packet_header(reader, layer, header, index + 1);
            pass.packet_start = index + 1;
            pass.kept = macroblocks_.size();
            pass.tokens = token_count_;
            motion.start_packet(pass.packet_start);
            intra_.start_packet();
        }
    }
}

VopResult VopReader::read(const Packet& packet, const VideoObjectLayer& layer, const Needs& wanted,
                          CodedVop& out) {
    quantisers_.use(layer.mpeg_quantisation, layer.nonintra_matrix);
    macroblocks_.clear();
    token_count_ = 0;
    out.intra = false;
    out.rounding_type = false;
    VopResult result;
    Pass pass{layer, result.header, wanted, result.first_missing};
    try {
        const Headers headers = read_headers(packet, &layer);
        if (!headers.vop)
            throw SyntaxError(Fault::damaged, "6.2.5 VideoObjectPlane()", 0,
                              "the packet holds no VOP");
        result.header = *headers.vop;
        if (!result.header.vop_coded)
            throw SyntaxError(Fault::damaged, "6.2.5 VideoObjectPlane()",
                              result.header.data_position, "the VOP is not coded");
        if (result.header.coding_type == VopCodingType::bidirectional)
            throw SyntaxError(Fault::unsupported, "7.6.9 B-VOPs", result.header.data_position,
                              "reconstruction of B-VOPs");
        out.intra = result.header.coding_type == VopCodingType::intra;
        if (!out.intra)
            expect_plain_compensation(layer);
        out.rounding_type = result.header.rounding_type;
        BitReader reader(packet, result.header.data_position);
        if (out.intra)
            parse<false>(reader, pass);
        else
            parse<true>(reader, pass);
        expect_end(reader, packet.bytes());
        result.first_missing = layer.mb_count();
    } catch (const SyntaxError& error) {
        result.error = error;
        macroblocks_.resize(pass.kept);
        token_count_ = pass.tokens;
        for (int index = result.first_missing; index < layer.mb_count(); ++index)
            if (wanted[index] != 0)
                macroblocks_.push_back({static_cast<std::int16_t>(index % layer.mb_width()),
                                        static_cast<std::int16_t>(index / layer.mb_width()),
                                        MacroblockType::missing,
                                        wanted[index],
                                        {-1, -1, -1},
                                        0,
                                        {}});
    }
    out.macroblocks.assign(macroblocks_.begin(), macroblocks_.end());
    out.tokens.assign(tokens_.begin(),
                      tokens_.begin() + static_cast<std::ptrdiff_t>(token_count_));
    return result;
}

void mark_references(const VideoObjectLayer& layer, const CodedVop& vop, Needs& reference) {
    if (vop.intra)
        return;
    for (const CodedMacroblock& macroblock : vop.macroblocks)
        if (!is_intra(macroblock.type))
            reference.mark_references(layer, macroblock.mb_x, macroblock.mb_y, macroblock.wanted,
                                      macroblock.vectors,
                                      macroblock.type == MacroblockType::inter4v);
}

}  // namespace mic::mpeg4
