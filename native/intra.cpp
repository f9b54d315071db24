/// Clauses 7.4.1 to 7.4.5 for I-VOPs: DC and AC prediction, both inverse quantisations, samples.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "block.hpp"
#include "errors.hpp"
#include "idct.hpp"
#include "macroblock.hpp"
#include "mpeg4.hpp"
#include "vop.hpp"

namespace mic::mpeg4 {
namespace {

using Block = std::array<std::int16_t, 64>;  ///< raster order, 8 v + u

/// 4.1: "//", division to the nearest integer, halves away from zero.
constexpr int divide_rounded(int a, int b) {
    return (a < 0 ? a - b / 2 : a + b / 2) / b;
}

/// A macroblock on its way: quantised coefficients, which neighbours predict from, and more.
struct IntraMacroblock {
    std::array<Block, 6> levels{};   ///< QF
    std::array<std::int16_t, 6> dc;  ///< F[0][0]
    int quantiser = 0;
    bool valid = false;  ///< decoded, and in the current video packet
};

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

/// An I-VOP being parsed.
class IntraVop {
  public:
    IntraVop(const VideoObjectLayer& layer, const VopHeader& header)
        : layer_(layer),
          header_(header),
          macroblocks_(static_cast<std::size_t>(layer.mb_count())) {}

    /// 6.2.5.3: all macroblocks; `packet_start` follows the video packets.
    void parse(BitReader& reader, int& packet_start);

    /// F of one macroblock, (6, 8, 8), mismatch control included.
    void dequantise(int index, std::int16_t* coefficients) const;

  private:
    void read_block(BitReader& reader, const MacroblockHeader& header, std::size_t block,
                    bool intra_dc_code, int mb_x, int mb_y);
    [[nodiscard]] const IntraMacroblock* find(int mb_x, int mb_y) const {
        if (mb_x < 0 || mb_y < 0)
            return nullptr;
        const auto& found =
            macroblocks_[static_cast<std::size_t>(mb_y * layer_.mb_width() + mb_x)];
        return found.valid ? &found : nullptr;
    }

    const VideoObjectLayer& layer_;
    const VopHeader& header_;
    std::vector<IntraMacroblock> macroblocks_;
};

void IntraVop::parse(BitReader& reader, int& packet_start) {
    const int threshold = kIntraDcThreshold[static_cast<std::size_t>(header_.intra_dc_vlc_thr)];
    const int columns = layer_.mb_width(), count = layer_.mb_count();
    int running = header_.vop_quant;
    for (int index = 0; index < count; ++index) {
        const bool intra_dc_code = running < threshold;
        const MacroblockHeader header = read_macroblock_header<false>(reader, running);
        IntraMacroblock& macroblock = macroblocks_[static_cast<std::size_t>(index)];
        macroblock.quantiser = running;
        macroblock.valid = true;  // its own blocks predict each other
        for (std::size_t block = 0; block < 6; ++block)
            read_block(reader, header, block, intra_dc_code, index % columns, index / columns);
        if (reader.exhausted())
            damaged(reader, "6.2.6 macroblock()", "the VOP is cut short");
        if (!layer_.resync_marker_disable && index + 1 < count &&
            next_is_resync_marker(reader, header_)) {
            for (int old = packet_start; old <= index; ++old)
                macroblocks_[static_cast<std::size_t>(old)].valid = false;
            packet_start = index + 1;
            running = read_video_packet_header(reader, layer_, header_, packet_start);
        }
    }
}

/// 6.2.7 block(), 7.4.1 to 7.4.3: QF of one block, predictions added.
void IntraVop::read_block(BitReader& reader, const MacroblockHeader& header, std::size_t block,
                          bool intra_dc_code, int mb_x, int mb_y) {
    auto& current = macroblocks_[static_cast<std::size_t>(mb_y * layer_.mb_width() + mb_x)];
    const bool luminance = block < 4;
    const int scaler = dc_scaler(current.quantiser, luminance);
    const auto dc_of = [&](const Neighbour& at) {
        constexpr int no_neighbour = 1024;  // 2^(bits_per_pixel + 2)
        const IntraMacroblock* found = find(mb_x + at.mb_dx, mb_y + at.mb_dy);
        return found == nullptr ? no_neighbour : found->dc[at.block];
    };
    const Neighbours& around = kNeighbours[block];
    // 7.4.3.1: the smaller gradient decides where both predictions come from.
    const int a = dc_of(around.left), b = dc_of(around.above_left), c = dc_of(around.above);
    const bool from_above = std::abs(a - b) < std::abs(b - c);

    Block& levels = current.levels[block];
    levels.fill(0);
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
                          });
    }
    levels[0] = static_cast<std::int16_t>(levels[0] + divide_rounded(from_above ? c : a, scaler));
    current.dc[block] = static_cast<std::int16_t>(saturate(levels[0] * scaler));
    if (!header.ac_pred_flag)
        return;
    // 7.4.3.3: the first row from above, or the first column from the left, rescaled.
    const Neighbour& at = from_above ? around.above : around.left;
    const IntraMacroblock* source = find(mb_x + at.mb_dx, mb_y + at.mb_dy);
    if (source == nullptr)
        return;
    const std::size_t step = from_above ? 1 : 8;
    for (std::size_t k = step; k < 8 * step; k += step) {
        const int predicted =
            divide_rounded(source->levels[at.block][k] * source->quantiser, current.quantiser);
        levels[k] = static_cast<std::int16_t>(saturate(levels[k] + predicted));
    }
}

/// 7.4.4: inverse quantisation of intra blocks by either method.
void IntraVop::dequantise(int index, std::int16_t* coefficients) const {
    const IntraMacroblock& macroblock = macroblocks_[static_cast<std::size_t>(index)];
    for (std::size_t block = 0; block < 6; ++block, coefficients += 64) {
        const Block& levels = macroblock.levels[block];
        int parity = 0;
        for (std::size_t k = 0; k < 64; ++k) {
            int value = macroblock.dc[block];
            if (k != 0 && layer_.mpeg_quantisation) {
                const int magnitude =
                    (2 * std::abs(levels[k]) * layer_.intra_matrix[k] * macroblock.quantiser) >> 4;
                value = saturate(levels[k] < 0 ? -magnitude : magnitude);
            } else if (k != 0) {
                value = dequantise_h263(levels[k], macroblock.quantiser);
            }
            parity ^= value;
            coefficients[k] = static_cast<std::int16_t>(value);
        }
        if (layer_.mpeg_quantisation)  // 7.4.4.5 mismatch control
            coefficients[63] = static_cast<std::int16_t>(coefficients[63] ^ (~parity & 1));
    }
}

/// 7.4.5: samples of one block, clipped to 8 bits, cut at the border of the picture.
void write_samples(const std::int16_t* coefficients, InversePair inverse, std::uint8_t* plane,
                   int width, int height, int x, int y) {
    alignas(32) std::array<std::int16_t, kPairSize> pair{};
    std::array<std::int16_t, 128> samples;
    for (std::size_t v = 0; v < 8; ++v)
        for (std::size_t u = 0; u < 8; ++u)
            pair[16 * u + v] = coefficients[8 * v + u];
    inverse(pair.data(), 63, samples.data(), samples.data() + 8, 16);
    for (int row = 0; row < std::min(8, height - y); ++row)
        for (int column = 0; column < std::min(8, width - x); ++column)
            plane[static_cast<std::ptrdiff_t>(y + row) * width + x + column] =
                static_cast<std::uint8_t>(
                    std::clamp<int>(samples[static_cast<std::size_t>(16 * row + column)], 0, 255));
}

}  // namespace

VopResult decode_intra_vop(const Packet& packet, const VideoObjectLayer& layer,
                           const IntraOutput& output) {
    VopResult result;
    const Headers headers = read_headers(packet, &layer);
    if (!headers.vop)
        throw SyntaxError(Fault::damaged, "6.2.5 VideoObjectPlane()", 0,
                          "the packet holds no VOP");
    result.header = *headers.vop;
    if (!result.header.vop_coded || result.header.coding_type != VopCodingType::intra)
        throw SyntaxError(Fault::unsupported, "6.2.5 VideoObjectPlane()",
                          result.header.data_position, "intra decoding of a VOP of another type");
    BitReader reader(packet, result.header.data_position);
    IntraVop vop(layer, result.header);
    vop.parse(reader, result.first_missing);
    expect_end(reader, packet.bytes());
    result.first_missing = layer.mb_count();

    const InversePair inverse = select_inverse_pair();
    std::array<std::int16_t, 6 * 64> scratch;
    for (int index = 0; index < layer.mb_count(); ++index) {
        std::int16_t* blocks = output.coefficients == nullptr
                                   ? scratch.data()
                                   : output.coefficients + std::ptrdiff_t{index} * 6 * 64;
        vop.dequantise(index, blocks);
        if (output.samples[0] == nullptr)
            continue;
        const int x = index % layer.mb_width(), y = index / layer.mb_width();
        for (int block = 0; block < 4; ++block)
            write_samples(blocks + 64 * block, inverse, output.samples[0], layer.width,
                          layer.height, 16 * x + block % 2 * 8, 16 * y + block / 2 * 8);
        for (std::size_t chroma = 1; chroma < 3; ++chroma)
            write_samples(blocks + 64 * (chroma + 3), inverse, output.samples[chroma],
                          (layer.width + 1) / 2, (layer.height + 1) / 2, 8 * x, 8 * y);
    }
    return result;
}

}  // namespace mic::mpeg4
