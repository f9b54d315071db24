#pragma once
/// Clauses 6.2.5.3 and 6.2.6: the macroblock header and the video packet header.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>

#include "bitreader.hpp"
#include "errors.hpp"
#include "mpeg4.hpp"
#include "tables.hpp"

namespace mic::mpeg4 {

/// What stands before the vectors and blocks of a macroblock.
struct MacroblockHeader {
    MacroblockType type = MacroblockType::not_coded;
    unsigned coded_blocks = 0;  ///< bit 5: Y0 ... bit 2: Y3, bit 1: Cb, bit 0: Cr
    bool ac_pred_flag = false;
    bool ends_at_modb = false;  ///< B-VOPs: direct mode without a vector difference
};

/// 6.2.6 macroblock() up to dquant, stuffing dropped; `quantiser` runs on.
template <bool kPredictive>
inline MacroblockHeader read_macroblock_header(BitReader& reader, int& quantiser) {
    constexpr const char* clause = "6.2.6 macroblock()";
    MacroblockHeader header;
    Code mcbpc;
    for (;;) {
        reader.refill();
        if constexpr (kPredictive)
            if (reader.take_flag())
                return {};  // not header: stuffing may have gone before
        mcbpc = (kPredictive ? kMcbpcPLookup : kMcbpcILookup)[reader.peek(9)];
        if (mcbpc.length == 0) [[unlikely]]
            damaged(reader, clause, "an illegal mcbpc code");
        reader.skip(mcbpc.length);
        header.type = static_cast<MacroblockType>(mcbpc.value / 4);
        if (header.type != MacroblockType::stuffing) [[likely]]
            break;
    }
    if (is_intra(header.type))
        header.ac_pred_flag = reader.take_flag();
    const Code cbpy = kCbpyLookup[reader.peek(6)];
    if (cbpy.length == 0) [[unlikely]]
        damaged(reader, clause, "an illegal cbpy code");
    reader.skip(cbpy.length);
    const unsigned luminance = is_intra(header.type) ? cbpy.value : 15U ^ cbpy.value;
    header.coded_blocks = luminance << 2 | (mcbpc.value & 3U);
    if (changes_quantiser(header.type))
        quantiser = std::clamp(quantiser + kDquant[reader.take(2)], 1, 31);
    return header;
}

/// 6.2.5.2: width of macroblock_number.
inline std::size_t macroblock_number_bits(const VideoObjectLayer& layer) {
    const auto last = static_cast<unsigned>(layer.mb_count() - 1);
    return std::max<std::size_t>(1, static_cast<std::size_t>(std::bit_width(last)));
}

/// 6.3.5.2: zeros of the resync marker, more than any run of zeros in the VOP's codes.
inline std::size_t resync_marker_zeros(const VopHeader& header) {
    switch (header.coding_type) {
        case VopCodingType::intra:
            return 16;
        case VopCodingType::predictive:
            return 15 + static_cast<std::size_t>(header.fcode_forward);
        default:
            return 15 + static_cast<std::size_t>(
                            std::max({header.fcode_forward, header.fcode_backward, 2}));
    }
}

/// 6.2.5.2, 6.3.5.2: whether byte-alignment stuffing and a resync marker come next.
///
/// Nothing is consumed unless stuffing, the whole run of zeros and its closing one are there.
inline bool next_is_resync_marker(BitReader& reader, const VopHeader& header) {
    const std::size_t zeros = resync_marker_zeros(header);
    reader.refill();
    const std::size_t stuffing = reader.stuffing_bits();
    const std::uint32_t expected = ((1U << (stuffing - 1)) - 1) << (zeros + 1) | 1U;
    if (reader.peek(stuffing + zeros + 1) != expected)
        return false;
    reader.skip(stuffing + zeros + 1);
    return true;
}

/// 6.2.5.2 video_packet_header() after its marker: checks where it resumes, returns quant_scale.
inline int read_video_packet_header(BitReader& reader, const VideoObjectLayer& layer,
                                    const VopHeader& header, int next_macroblock) {
    constexpr const char* clause = "6.2.5.2 video_packet_header()";
    reader.refill();
    const auto number = static_cast<int>(reader.take(macroblock_number_bits(layer)));
    if (number != next_macroblock)
        damaged(reader, clause,
                "the packet starts at macroblock " + std::to_string(number) + ", expected " +
                    std::to_string(next_macroblock));
    const auto quant_scale = static_cast<int>(reader.take(5));
    if (quant_scale == 0)
        damaged(reader, clause, "quant_scale is 0");
    if (reader.take_flag()) {  // header_extension_code repeats the VOP header
        do {
            reader.refill();
            if (reader.exhausted())
                damaged(reader, clause, "the header is cut short");
        } while (reader.take_flag());  // modulo_time_base
        expect_marker(reader, clause);
        reader.skip(static_cast<std::size_t>(layer.vop_time_increment_bits));
        expect_marker(reader, clause);
        const auto repeats = [&](std::size_t bits, int value) {
            if (reader.take(bits) != static_cast<std::uint32_t>(value))
                damaged(reader, clause, "the header extension contradicts the VOP header");
        };
        repeats(2, static_cast<int>(header.coding_type));
        repeats(3, header.intra_dc_vlc_thr);
        if (header.coding_type != VopCodingType::intra)
            repeats(3, header.fcode_forward);
        if (header.coding_type == VopCodingType::bidirectional)
            repeats(3, header.fcode_backward);
    }
    return quant_scale;
}

}  // namespace mic::mpeg4
