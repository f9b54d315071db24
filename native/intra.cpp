/// Clause 6.2.5 for I-VOPs: all coefficients and samples, in the shape the caller asked for.

#include <algorithm>
#include <array>

#include "block.hpp"
#include "errors.hpp"
#include "idct.hpp"
#include "intra_texture.hpp"
#include "macroblock.hpp"
#include "mpeg4.hpp"
#include "vop.hpp"

namespace mic::mpeg4 {
namespace {

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

/// An I-VOP being parsed.
class IntraVop {
  public:
    IntraVop(const VideoObjectLayer& layer, const VopHeader& header, const IntraOutput& output)
        : layer_(layer), header_(header), output_(output), texture_(layer) {}

    /// 6.2.5.3: all macroblocks; `packet_start` follows the video packets.
    void parse(BitReader& reader, int& packet_start);

  private:
    void write(int index) const;

    const VideoObjectLayer& layer_;
    const VopHeader& header_;
    const IntraOutput& output_;
    IntraTexture texture_;
    IntraMacroblock macroblock_;
    InversePair inverse_ = select_inverse_pair();
};

void IntraVop::parse(BitReader& reader, int& packet_start) {
    const int threshold = kIntraDcThreshold[static_cast<std::size_t>(header_.intra_dc_vlc_thr)];
    const int columns = layer_.mb_width(), count = layer_.mb_count();
    int running = header_.vop_quant;
    texture_.start_packet();
    for (int index = 0; index < count; ++index) {
        const bool intra_dc_code = running < threshold;
        const MacroblockHeader header = read_macroblock_header<false>(reader, running);
        texture_.read(reader, header, running, intra_dc_code, index % columns, index / columns,
                      macroblock_);
        if (reader.exhausted())
            damaged(reader, "6.2.6 macroblock()", "the VOP is cut short");
        write(index);
        if (!layer_.resync_marker_disable && index + 1 < count &&
            next_is_resync_marker(reader, header_)) {
            packet_start = index + 1;
            running = read_video_packet_header(reader, layer_, header_, packet_start);
            texture_.start_packet();
        }
    }
}

/// 7.4.4, 7.4.5: the macroblock that was read last.
void IntraVop::write(int index) const {
    std::array<std::int16_t, 6 * 64> scratch;
    std::int16_t* const blocks = output_.coefficients == nullptr
                                     ? scratch.data()
                                     : output_.coefficients + std::ptrdiff_t{index} * 6 * 64;
    std::fill_n(blocks, scratch.size(), std::int16_t{0});
    for (std::size_t block = 0; block < 6; ++block)
        dequantise_intra(layer_, macroblock_, block, [&](unsigned k, int value) {
            blocks[64 * block + k] = static_cast<std::int16_t>(value);
        });
    if (output_.samples[0] == nullptr)
        return;
    const int x = index % layer_.mb_width(), y = index / layer_.mb_width();
    for (int block = 0; block < 4; ++block)
        write_samples(blocks + 64 * block, inverse_, output_.samples[0], layer_.width,
                      layer_.height, 16 * x + block % 2 * 8, 16 * y + block / 2 * 8);
    for (std::size_t chroma = 1; chroma < 3; ++chroma)
        write_samples(blocks + 64 * (chroma + 3), inverse_, output_.samples[chroma],
                      (layer_.width + 1) / 2, (layer_.height + 1) / 2, 8 * x, 8 * y);
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
    IntraVop(layer, result.header, output).parse(reader, result.first_missing);
    expect_end(reader, packet.bytes());
    result.first_missing = layer.mb_count();
    return result;
}

}  // namespace mic::mpeg4
