/// Clauses 6.2.5.3 and 7.3: the macroblock loop of a VOP, in the shape each caller asked for.

#include "vop.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <string>

#include "bidirectional.hpp"
#include "block.hpp"
#include "errors.hpp"
#include "headers.hpp"
#include "idct.hpp"
#include "macroblock.hpp"
#include "motion.hpp"
#include "mpeg4.hpp"
#include "residual.hpp"

namespace mic::mpeg4 {

class VopDecoder::Implementation {
  public:
    VopResult decode(const Packet& packet, const VideoObjectLayer& layer, const VopOutput& output,
                     const CoLocated* references);

  private:
    /// One VOP being parsed.
    struct Pass {
        const VideoObjectLayer& layer;
        const VopHeader& header;
        const VopOutput& output;
        const CoLocated* references;  ///< of a B-VOP
        int& packet_start;            ///< first macroblock of the current video packet
    };

    template <VopCodingType kType, Detail kDetail, int kSide>
    void parse(BitReader& reader, const Pass& pass);
    template <Detail kDetail, int kSide>
    void parse_as(BitReader& reader, const Pass& pass);
    void dispatch(BitReader& reader, const Pass& pass);
    template <bool kMpeg, Detail kDetail>
    void read_inter_blocks(BitReader& reader, unsigned coded_blocks, const InterQuantiser& with);

    InterQuantisers quantisers_;
    MacroblockCoefficients coefficients_;
    Inverses inverses_;
    AlignedVector<std::int16_t> row_;  ///< of macroblocks, on its way past the caches
};

namespace {

/// 6.2.7 block() of an intra block, parsed for its length only.
void skip_intra_block(BitReader& reader, bool coded, bool intra_dc_code, bool luminance) {
    int position = -1;
    reader.refill();
    if (intra_dc_code) {
        read_intra_dc(reader, luminance);
        position = 0;
    }
    if (coded)
        skip_coefficients(reader, position, kIntraRuns, kIntraLookup, kIntraEscapes);
}

bool is_dense(const Plane& plane) {
    return plane.stride == plane.width;
}

void zero_planes(const std::array<Plane, 3>& planes) {
    for (const Plane& plane : planes)
        for (int row = 0; row < plane.height && plane.data != nullptr; ++row)
            std::fill_n(plane.data + row * plane.stride, plane.width, std::int16_t{0});
}

/// Fills everything from macroblock `first` on with "nothing is known" or "nothing is coded".
void fill_rest(const VideoObjectLayer& layer, const VopOutput& output, int first,
               MacroblockType type) {
    const auto count = layer.mb_count() - first;
    if (output.type != nullptr)
        std::fill_n(output.type + first, count, static_cast<std::uint8_t>(type));
    if (output.quantiser != nullptr)
        std::fill_n(output.quantiser + first, count, std::uint8_t{0});
    if (output.bits != nullptr)
        std::fill_n(output.bits + first, count, std::uint32_t{0});
    for (std::int16_t* vectors : {output.motion, output.backward}) {
        MotionField motion(vectors, layer.mb_width());
        for (int index = first; motion.wanted() && index < layer.mb_count(); ++index)
            motion.fill(index % layer.mb_width(), index / layer.mb_width(), {});
    }
    if (output.coded != nullptr)
        std::fill_n(output.coded + first, count, std::uint8_t{0});
    if (output.residual[0].data == nullptr)
        return;
    if (first == 0)
        return zero_planes(output.residual);
    const auto zero = [&](const auto& writer) {
        for (int index = first; index < layer.mb_count(); ++index)
            writer.clear(index % layer.mb_width(), index / layer.mb_width());
    };
    switch (output.scale) {
        case 1:
            return zero(ResidualWriter<8>(output.residual, {}));
        case 2:
            return zero(ResidualWriter<4>(output.residual, {}));
        case 4:
            return zero(ResidualWriter<2>(output.residual, {}));
        default:
            return zero(ResidualWriter<1>(output.residual, {}));
    }
}

}  // namespace

void expect_end(BitReader& reader, std::span<const std::uint8_t> bytes, bool strict) {
    constexpr const char* clause = "5.2.4 next_start_code()";
    constexpr std::uint8_t whole_byte_of_stuffing = 0x7F;
    constexpr std::size_t no_code_has_zero_bytes = 3;
    reader.refill();
    const std::size_t stuffing = reader.stuffing_bits();
    const std::uint32_t found = reader.peek(stuffing);
    // Not in spec: some encoders stuff with zeros, or not at all where a byte is full.
    if (found == 0 && !strict)
        reader.skip(stuffing % 8);
    else if (found == (1U << (stuffing - 1)) - 1)
        reader.skip(stuffing);
    else
        damaged(reader, clause, "the VOP does not end in stuffing");
    if (reader.exhausted())
        damaged(reader, clause, "the VOP is cut short");
    const std::size_t at = reader.position() / 8;
    const std::size_t next = find_start_code(bytes, at);
    if (next + 3 < bytes.size() && is_vop_start_code(bytes[next + 3]))
        unsupported(reader, clause, "packed bitstreams (several VOPs in one packet)");
    std::size_t zeros = at;
    while (zeros < next && bytes[zeros] == 0)
        ++zeros;
    // Not in spec: some writers hand on their whole buffer, in which old bytes lie behind zeros.
    // No code has so many zeros, so what comes behind them is no data of this VOP.
    if (zeros - at >= no_code_has_zero_bytes)
        return;
    for (std::size_t k = zeros; k < next; ++k)
        if (bytes[k] != 0 && bytes[k] != whole_byte_of_stuffing)
            damaged(reader, clause, "data follow the last macroblock");
}

/// 6.2.7, for the six blocks of an inter macroblock.
template <bool kMpeg, Detail kDetail>
void VopDecoder::Implementation::read_inter_blocks(BitReader& reader, unsigned coded_blocks,
                                                   const InterQuantiser& with) {
    while (coded_blocks != 0) {
        const auto block = static_cast<unsigned>(std::countl_zero(coded_blocks << 26));
        coded_blocks &= ~(32U >> block);
        const int last =
            read_inter_block<kMpeg, kDetail>(reader, with, coefficients_.block(block));
        int& pair_last = coefficients_.last_position[block / 2];
        pair_last = std::max(pair_last, last);
    }
}

/// 6.2.5.3 motion_shape_texture(), 7.3: all macroblocks of a VOP, packet by packet.
template <VopCodingType kType, Detail kDetail, int kSide>
void VopDecoder::Implementation::parse(BitReader& reader, const Pass& pass) {
    const auto& [layer, header, output, references, packet_start] = pass;
    constexpr bool inter_coded = kType != VopCodingType::intra;
    constexpr bool bidirectional = kType == VopCodingType::bidirectional;
    const bool streams =
        output.streams_past_cache && std::ranges::all_of(output.residual, is_dense);
    ResidualWriter<kSide> writer(output.residual, inverses_, streams ? &row_ : nullptr);
    MotionField motion(output.motion, layer.mb_width());
    BidirectionalVectors vectors(layer, header, references, motion, output.backward);
    if (!bidirectional && output.backward != nullptr)
        std::fill_n(output.backward, 8 * std::ptrdiff_t{layer.mb_count()}, std::int16_t{0});
    const int dc_threshold = kIntraDcThreshold[static_cast<std::size_t>(header.intra_dc_vlc_thr)];
    const int columns = layer.mb_width();
    const int count = layer.mb_count();
    int running = header.vop_quant;
    int mb_x = 0, mb_y = 0;
    for (int index = 0; index < count; ++index) {
        const std::size_t start = reader.position();
        // 6.3.5 intra_dc_vlc_thr: the quantiser before this macroblock's own dquant decides.
        const bool intra_dc_code = running < dc_threshold;
        MacroblockHeader macroblock;
        if constexpr (!bidirectional)
            macroblock = read_macroblock_header<inter_coded>(reader, running);
        else if (!vectors.is_passed_over(reader, index))
            macroblock = read_bidirectional_header(reader, running);
        if (is_intra(macroblock.type)) {
            for (unsigned block = 0; block < 6; ++block)
                skip_intra_block(reader, (macroblock.coded_blocks & (32U >> block)) != 0,
                                 intra_dc_code, block < 4);
        } else if constexpr (inter_coded) {
            if constexpr (bidirectional)
                vectors.read(reader, macroblock, mb_x, mb_y);
            else if (macroblock.type != MacroblockType::not_coded)
                read_vectors(reader, macroblock.type, header.fcode_forward, mb_x, mb_y, motion);
            if (macroblock.coded_blocks != 0) {
                const InterQuantiser& with = quantisers_[running];
                if (layer.mpeg_quantisation)
                    read_inter_blocks<true, kDetail>(reader, macroblock.coded_blocks, with);
                else
                    read_inter_blocks<false, kDetail>(reader, macroblock.coded_blocks, with);
            }
        }
        if (reader.exhausted()) [[unlikely]]
            damaged(reader, "6.2.6 macroblock()", "the VOP is cut short");
        if constexpr (kDetail != Detail::none) {
            const bool coded = macroblock.coded_blocks != 0 && !is_intra(macroblock.type);
            if (output.by_macroblock == nullptr) {
                if (mb_x == 0)
                    writer.start_row(mb_y);
                if (coded)
                    writer.write(mb_x, mb_y, coefficients_);
            } else {
                if (coded)
                    write_macroblock<kSide>(
                        inverses_, coefficients_,
                        output.by_macroblock + std::ptrdiff_t{index} * 6 * kSide * kSide);
                output.coded[index] = coded ? 1 : 0;
            }
        }
        if (motion.wanted() &&
            (is_intra(macroblock.type) || macroblock.type == MacroblockType::not_coded))
            motion.fill(mb_x, mb_y, {});
        if (output.type != nullptr)
            output.type[index] = static_cast<std::uint8_t>(macroblock.type);
        if (output.quantiser != nullptr)
            output.quantiser[index] = static_cast<std::uint8_t>(
                macroblock.type == MacroblockType::not_coded ? 0 : running);
        if (output.bits != nullptr)
            output.bits[index] = static_cast<std::uint32_t>(reader.position() - start);
        if (++mb_x == columns) {
            mb_x = 0;
            ++mb_y;
        }
        if (!layer.resync_marker_disable && index + 1 < count &&
            (bidirectional ? vectors.packet_starts(reader, index + 1)
                           : next_is_resync_marker(reader, header))) {
            running = read_video_packet_header(reader, layer, header, index + 1);
            // Not before: a header that contradicts the count means that the packet before it
            // went astray.
            packet_start = index + 1;
            motion.start_packet(packet_start);
            vectors.reset();
        }
    }
}

template <Detail kDetail, int kSide>
void VopDecoder::Implementation::parse_as(BitReader& reader, const Pass& pass) {
    switch (pass.header.coding_type) {
        case VopCodingType::predictive:
            return parse<VopCodingType::predictive, kDetail, kSide>(reader, pass);
        case VopCodingType::bidirectional:
            return parse<VopCodingType::bidirectional, kDetail, kSide>(reader, pass);
        default:
            return parse<VopCodingType::intra, Detail::none, 8>(reader, pass);
    }
}

void VopDecoder::Implementation::dispatch(BitReader& reader, const Pass& pass) {
    if (pass.output.residual[0].data == nullptr && pass.output.by_macroblock == nullptr)
        return parse_as<Detail::none, 8>(reader, pass);
    switch (pass.output.scale) {
        case 1:
            return parse_as<Detail::all, 8>(reader, pass);
        case 2:
            return parse_as<Detail::low_4x4, 4>(reader, pass);
        case 4:
            return parse_as<Detail::low_2x2, 2>(reader, pass);
        default:
            return parse_as<Detail::dc, 1>(reader, pass);
    }
}

VopResult VopDecoder::Implementation::decode(const Packet& packet, const VideoObjectLayer& layer,
                                             const VopOutput& output,
                                             const CoLocated* references) {
    quantisers_.use(layer.mpeg_quantisation, layer.nonintra_matrix);
    coefficients_.values.fill(0);
    coefficients_.last_position.fill(-1);
    VopResult result;
    try {
        const Headers headers = read_headers(packet, &layer);
        if (!headers.vop)
            throw SyntaxError(Fault::damaged, "6.2.5 VideoObjectPlane()", 0,
                              "the packet holds no VOP");
        result.header = *headers.vop;
        BitReader reader(packet, result.header.data_position);
        if (!result.header.vop_coded) {
            fill_rest(layer, output, 0, MacroblockType::not_coded);
        } else {
            // An I-VOP has no residual, but only parsing tells one from a P-VOP whose type is
            // hurt.
            if (result.header.coding_type == VopCodingType::intra) {
                zero_planes(output.residual);
                if (output.coded != nullptr)
                    std::fill_n(output.coded, layer.mb_count(), std::uint8_t{0});
            }
            if (result.header.coding_type != VopCodingType::bidirectional)
                references = nullptr;
            else if (references == nullptr)
                throw SyntaxError(Fault::damaged, "7.6.7 reference VOPs", 0,
                                  "a B-VOP without the two reference VOPs around it");
            dispatch(reader, {layer, result.header, output, references, result.first_missing});
        }
        expect_end(reader, packet.bytes(), references != nullptr);
        result.first_missing = layer.mb_count();
    } catch (const SyntaxError& error) {
        result.error = error;
        fill_rest(layer, output, result.first_missing, MacroblockType::missing);
    }
    for (std::int16_t* vectors : {output.motion, output.backward})
        if (vectors != nullptr && !layer.quarter_sample)  // half samples in the bitstream
            for (std::ptrdiff_t k = 0; k < 8 * std::ptrdiff_t{layer.mb_count()}; ++k)
                vectors[k] = static_cast<std::int16_t>(2 * vectors[k]);
    return result;
}

VopDecoder::VopDecoder() : implementation_(std::make_unique<Implementation>()) {}
VopDecoder::~VopDecoder() = default;
VopDecoder::VopDecoder(VopDecoder&&) noexcept = default;
VopDecoder& VopDecoder::operator=(VopDecoder&&) noexcept = default;

VopResult VopDecoder::decode(const Packet& packet, const VideoObjectLayer& layer,
                             const VopOutput& output, const CoLocated* references) {
    return implementation_->decode(packet, layer, output, references);
}

}  // namespace mic::mpeg4
