/// Clauses 6.2.2 to 6.2.5: visual object sequence, visual object, VOL, GOV and VOP headers.

#include "headers.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "errors.hpp"

namespace mic::mpeg4 {
namespace {

/// Table 6.3: start code values that matter here.
enum StartCode : std::uint8_t {
    video_object_last = 0x1F,
    video_object_layer_first = 0x20,
    video_object_layer_last = 0x2F,
    fgs_first = 0x40,
    fgs_last = 0x5F,
    visual_object_sequence = 0xB0,
    visual_object_sequence_end = 0xB1,
    user_data = 0xB2,
    group_of_vop = 0xB3,
    video_session_error = 0xB4,
    visual_object = 0xB5,
    vop = 0xB6,
    stuffing = 0xC3,
};

/// What 6.2.2.1 says about the VOLs that follow.
struct VisualObject {
    int verid = 1;
};

std::uint32_t read(BitReader& reader, std::size_t count, const char* clause) {
    reader.refill();
    const std::uint32_t value = reader.take(count);
    if (reader.exhausted())
        damaged(reader, clause, "the header is cut short");
    return value;
}

void read_marker(BitReader& reader, const char* clause) {
    if (read(reader, 1, clause) == 0)
        damaged(reader, clause, "marker_bit is 0");
}

/// 6.2.2.1 VisualObject(): only its version and its type matter.
VisualObject read_visual_object(BitReader& reader) {
    constexpr const char* clause = "6.2.2.1 VisualObject()";
    VisualObject object;
    if (read(reader, 1, clause) != 0) {  // is_visual_object_identifier
        object.verid = static_cast<int>(read(reader, 4, clause));
        read(reader, 3, clause);  // visual_object_priority
    }
    constexpr std::uint32_t video_id = 1;
    if (read(reader, 4, clause) != video_id)
        unsupported(reader, clause, "a visual object that is not natural video");
    return object;
}

/// 6.2.3 vbv_parameters of vol_control_parameters: read and dropped.
void skip_vbv_parameters(BitReader& reader) {
    constexpr const char* clause = "6.2.3 vbv_parameters";
    constexpr std::array<std::size_t, 6> widths{15, 15, 15, 3, 11, 15};
    for (std::size_t k = 0; k < widths.size(); ++k) {
        read(reader, widths[k], clause);
        if (k != 3)  // first_half_vbv_occupancy follows the buffer size without a marker
            read_marker(reader, clause);
    }
}

/// 6.3.3 intra_quant_mat, nonintra_quant_mat: zigzag order; a zero repeats the last value on.
void read_matrix(BitReader& reader, std::array<std::uint8_t, 64>& matrix) {
    constexpr const char* clause = "6.3.3 quant_mat";
    std::uint8_t last = 0;
    bool ended = false;
    for (const std::uint8_t raster : kZigzagScan) {
        if (!ended) {
            const auto value = static_cast<std::uint8_t>(read(reader, 8, clause));
            ended = value == 0;
            if (ended && last == 0)
                damaged(reader, clause, "the first matrix value is 0");
            last = ended ? last : value;
        }
        matrix[raster] = last;
    }
}

/// 6.2.3: what stands between the shape and the width.
void read_vop_time(BitReader& reader, VideoObjectLayer& layer) {
    constexpr const char* clause = "6.2.3 vop_time_increment_resolution";
    read_marker(reader, clause);
    layer.vop_time_increment_resolution = static_cast<int>(read(reader, 16, clause));
    if (layer.vop_time_increment_resolution == 0)
        damaged(reader, clause, "vop_time_increment_resolution is 0");
    const auto largest = static_cast<unsigned>(layer.vop_time_increment_resolution - 1);
    layer.vop_time_increment_bits = std::max(1, static_cast<int>(std::bit_width(largest)));
    read_marker(reader, clause);
    if (read(reader, 1, clause) != 0)  // fixed_vop_rate
        layer.fixed_vop_time_increment = static_cast<int>(
            read(reader, static_cast<std::size_t>(layer.vop_time_increment_bits), clause));
}

/// 6.2.3: the flags after the size, every unsupported one refused by its name.
void read_coding_tools(BitReader& reader, int verid, VideoObjectLayer& layer) {
    constexpr const char* clause = "6.2.3 VideoObjectLayer()";
    const auto flag = [&] { return read(reader, 1, clause) != 0; };
    const auto refuse = [&](const char* feature) { unsupported(reader, clause, feature); };
    if (flag())
        refuse("interlaced video (interlaced)");
    layer.overlapped_compensation = !flag();  // obmc_disable
    const std::uint32_t sprite_enable = read(reader, verid == 1 ? 1 : 2, clause);
    if (sprite_enable == 1)
        refuse("static sprites (sprite_enable)");
    if (sprite_enable == 2)
        refuse("global motion compensation (sprite_enable = GMC)");
    if (sprite_enable == 3)
        damaged(reader, clause, "sprite_enable has its reserved value");
    if (flag())
        refuse("samples of other than 8 bits (not_8_bit)");
    layer.mpeg_quantisation = flag();
    if (layer.mpeg_quantisation) {
        if (flag())  // load_intra_quant_mat
            read_matrix(reader, layer.intra_matrix);
        if (flag())  // load_nonintra_quant_mat
            read_matrix(reader, layer.nonintra_matrix);
    }
    if (verid != 1)
        layer.quarter_sample = flag();
    if (!flag())
        refuse("complexity estimation headers (complexity_estimation_disable = 0)");
    layer.resync_marker_disable = flag();
    if (flag())
        refuse("data partitioning (data_partitioned), with or without reversible codes (RVLC)");
    if (verid != 1) {
        if (flag())
            refuse("NEWPRED (newpred_enable)");
        if (flag())
            refuse("reduced resolution VOPs (reduced_resolution_vop_enable)");
    }
    if (flag())
        refuse("scalable coding (scalability)");
}

/// 6.2.3 VideoObjectLayer().
VideoObjectLayer read_video_object_layer(BitReader& reader, const VisualObject& object) {
    constexpr const char* clause = "6.2.3 VideoObjectLayer()";
    VideoObjectLayer layer;
    int verid = object.verid;
    read(reader, 1, clause);  // random_accessible_vol
    constexpr std::uint32_t fine_granularity_scalable = 18;
    if (read(reader, 8, clause) == fine_granularity_scalable)
        unsupported(reader, clause, "fine granularity scalability");
    if (read(reader, 1, clause) != 0) {  // is_object_layer_identifier
        verid = static_cast<int>(read(reader, 4, clause));
        read(reader, 3, clause);  // video_object_layer_priority
    }
    constexpr std::uint32_t extended_par = 15;
    if (read(reader, 4, clause) == extended_par)
        read(reader, 16, clause);        // par_width, par_height
    if (read(reader, 1, clause) != 0) {  // vol_control_parameters
        constexpr std::uint32_t yuv420 = 1;
        if (read(reader, 2, clause) != yuv420)
            unsupported(reader, clause, "a chroma_format other than 4:2:0");
        read(reader, 1, clause);  // low_delay: the types of the VOPs tell the same
        if (read(reader, 1, clause) != 0)
            skip_vbv_parameters(reader);
    }
    if (read(reader, 2, clause) != 0)
        unsupported(reader, clause, "arbitrary shape (video_object_layer_shape)");
    read_vop_time(reader, layer);
    read_marker(reader, clause);
    layer.width = static_cast<int>(read(reader, 13, clause));
    read_marker(reader, clause);
    layer.height = static_cast<int>(read(reader, 13, clause));
    read_marker(reader, clause);
    if (layer.width == 0 || layer.height == 0)
        damaged(reader, clause, "a side of the picture is 0");
    read_coding_tools(reader, verid, layer);
    return layer;
}

/// 6.2.4 Group_of_VideoObjectPlane(): its time_code in seconds, if it is one.
std::optional<int> read_time_code(BitReader& reader) {
    const auto hours = static_cast<int>(reader.take(5));
    const auto minutes = static_cast<int>(reader.take(6));
    const bool marker = reader.take_flag();
    const auto seconds = static_cast<int>(reader.take(6));
    if (!marker || reader.exhausted())
        return std::nullopt;  // nothing but the clock needs it
    return 3600 * hours + 60 * minutes + seconds;
}

/// 6.2.5 VideoObjectPlane(): up to the first macroblock.
VopHeader read_vop(BitReader& reader, const VideoObjectLayer& layer) {
    constexpr const char* clause = "6.2.5 VideoObjectPlane()";
    VopHeader header;
    header.coding_type = static_cast<VopCodingType>(read(reader, 2, clause));
    if (header.coding_type == VopCodingType::sprite)
        unsupported(reader, clause, "sprite VOPs (S-VOP)");
    while (read(reader, 1, clause) != 0)
        ++header.modulo_time_base;
    read_marker(reader, clause);
    header.vop_time_increment = static_cast<int>(
        read(reader, static_cast<std::size_t>(layer.vop_time_increment_bits), clause));
    read_marker(reader, clause);
    header.vop_coded = read(reader, 1, clause) != 0;
    if (header.vop_coded) {
        const auto fcode = [&](const char* problem) {
            const auto value = static_cast<int>(read(reader, 3, clause));
            if (value == 0)
                damaged(reader, clause, problem);
            return value;
        };
        if (header.coding_type == VopCodingType::predictive)
            header.rounding_type = read(reader, 1, clause) != 0;
        header.intra_dc_vlc_thr = static_cast<int>(read(reader, 3, clause));
        header.vop_quant = static_cast<int>(read(reader, 5, clause));
        if (header.vop_quant == 0)
            damaged(reader, clause, "vop_quant is 0");
        if (header.coding_type != VopCodingType::intra)
            header.fcode_forward = fcode("vop_fcode_forward is 0");
        if (header.coding_type == VopCodingType::bidirectional)
            header.fcode_backward = fcode("vop_fcode_backward is 0");
    }
    header.data_position = reader.position();
    return header;
}

/// Annex F.2: an H.263-style picture start code instead of an MPEG-4 one.
bool is_short_header(std::span<const std::uint8_t> bytes) {
    return bytes.size() >= 3 && bytes[0] == 0 && bytes[1] == 0 && (bytes[2] & 0xFC) == 0x80;
}

}  // namespace

std::size_t find_start_code(std::span<const std::uint8_t> bytes, std::size_t from) {
    // A start code is 00 00 01 xx; 01 is rare in coded data, so it is what to look for.
    for (std::size_t at = from + 2; at + 1 < bytes.size(); ++at) {
        const void* one = std::memchr(bytes.data() + at, 1, bytes.size() - 1 - at);
        if (one == nullptr)
            break;
        at = static_cast<std::size_t>(static_cast<const std::uint8_t*>(one) - bytes.data());
        if (bytes[at - 1] == 0 && bytes[at - 2] == 0)
            return at - 2;
    }
    return bytes.size();
}

bool is_vop_start_code(std::uint8_t code) {
    return code == StartCode::vop;
}

bool is_layer_start_code(std::uint8_t code) {
    return code >= StartCode::video_object_layer_first &&
           code <= StartCode::video_object_layer_last;
}

Headers read_headers(const Packet& packet, const VideoObjectLayer* layer) {
    constexpr const char* clause = "6.2.2 start codes";
    const auto bytes = packet.bytes();
    Headers headers;
    VisualObject object;
    std::size_t at = find_start_code(bytes, 0);
    if (at == bytes.size()) {
        const BitReader reader(packet);
        if (is_short_header(bytes))
            unsupported(reader, "Annex F.2", "short video headers (H.263 pictures)");
        if (!bytes.empty() && layer != nullptr)
            damaged(reader, clause, "the packet holds no start code");
    }
    for (; at < bytes.size() && !headers.vop; at = find_start_code(bytes, at + 3)) {
        const std::uint8_t code = bytes[at + 3];
        BitReader reader(packet, (at + 4) * 8);
        if (code == StartCode::visual_object) {
            object = read_visual_object(reader);
        } else if (is_layer_start_code(code)) {
            headers.layer = read_video_object_layer(reader, object);
            layer = &*headers.layer;
        } else if (code == StartCode::vop) {
            if (layer == nullptr)
                damaged(reader, clause, "a VOP stands before any video object layer");
            headers.vop = read_vop(reader, *layer);
        } else if (code == StartCode::group_of_vop) {
            headers.time_code = read_time_code(reader);
        } else if (code >= StartCode::fgs_first && code <= StartCode::fgs_last) {
            unsupported(reader, clause, "fine granularity scalability");
        }
        // Sequence, user data and the rest carry nothing that the layers below need.
    }
    return headers;
}

}  // namespace mic::mpeg4
