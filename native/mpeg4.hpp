#pragma once
/// MPEG-4 Part 2 (ISO/IEC 14496-2) residuals, vectors and modes, without reconstructing a pixel.
///
///     using namespace mic::mpeg4;
///     Packet packet(bytes);                              // one coded VOP, headers included
///     const Headers headers = read_headers(packet, nullptr);
///     const VideoObjectLayer layer = *headers.layer;     // from this packet or from extradata
///     std::vector<std::int16_t> y(layer.width * layer.height), ...;
///     VopOutput output;
///     output.residual[0] = {y.data(), layer.width, layer.width, layer.height};
///     VopDecoder decoder;                                // one a thread; keeps its scratch
///     const VopResult result = decoder.decode(packet, layer, output);
///
/// Errors are `SyntaxError`: clause, bit offset, message, and whether the stream is damaged or
/// merely uses a feature outside the supported profile. No global state, no I/O, no Python.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>

#include "bitreader.hpp"
#include "tables.hpp"

namespace mic::mpeg4 {

/// Why a stream was refused.
enum class Fault : std::uint8_t {
    damaged,      ///< it breaks the syntax
    unsupported,  ///< it is (or may be) sound, but uses a feature this parser refuses by name
};

/// A refusal that says where and by which clause of the standard.
class SyntaxError : public std::runtime_error {
  public:
    SyntaxError(Fault fault, const char* clause, std::size_t bit_offset,
                const std::string& message)
        : std::runtime_error(message), fault(fault), clause(clause), bit_offset(bit_offset) {}

    Fault fault;
    const char* clause;      ///< static string, "7.4.1.3 escape code"
    std::size_t bit_offset;  ///< from the start of the packet
};

enum class VopCodingType : std::uint8_t {
    intra = 0,
    predictive = 1,
    bidirectional = 2,
    sprite = 3
};

/// 6.2.3 VideoObjectLayer(): the syntax elements that the layers below depend on.
struct VideoObjectLayer {
    int width = 0;                          ///< video_object_layer_width, samples
    int height = 0;                         ///< video_object_layer_height, samples
    int vop_time_increment_resolution = 1;  ///< ticks a second
    int vop_time_increment_bits = 1;
    int fixed_vop_time_increment = 0;  ///< ticks a VOP; 0 when fixed_vop_rate is 0
    bool mpeg_quantisation = false;    ///< quant_type == 1, the first method of 7.4.4.1
    bool quarter_sample = false;
    /// obmc_disable == 0: changes predictions (7.6.6), and so neither residuals nor vectors.
    bool overlapped_compensation = false;
    bool resync_marker_disable = true;
    std::array<std::uint8_t, 64> intra_matrix = kDefaultIntraMatrix;  ///< raster order
    std::array<std::uint8_t, 64> nonintra_matrix = kDefaultNonintraMatrix;

    [[nodiscard]] int mb_width() const { return (width + 15) / 16; }
    [[nodiscard]] int mb_height() const { return (height + 15) / 16; }
    [[nodiscard]] int mb_count() const { return mb_width() * mb_height(); }
    bool operator==(const VideoObjectLayer&) const = default;
};

/// 6.2.5 VideoObjectPlane(): the VOP header.
struct VopHeader {
    VopCodingType coding_type = VopCodingType::intra;
    int modulo_time_base = 0;  ///< whole seconds since the last
    int vop_time_increment = 0;
    bool vop_coded = false;  ///< false: nothing follows; the previous VOP is shown again
    bool rounding_type = false;
    int intra_dc_vlc_thr = 0;
    int vop_quant = 0;  ///< 1 to 31
    int fcode_forward = 1;
    int fcode_backward = 1;
    std::size_t data_position = 0;  ///< bit offset of the first macroblock
};

/// What stands before the macroblocks of a packet.
struct Headers {
    std::optional<VideoObjectLayer> layer;
    std::optional<int> time_code;  ///< 6.2.4, of a group of VOPs: seconds
    std::optional<VopHeader> vop;
};

/// 6.2.2 to 6.2.5: all headers up to and including the first VOP header.
///
/// @param layer the layer in force before this packet, null at the start of a stream.
/// @throws SyntaxError for damage, and for every feature outside the supported profile.
Headers read_headers(const Packet& packet, const VideoObjectLayer* layer);

/// Largest supported side; the syntax itself ends at 8191 (13 bits).
inline constexpr int kMaxSide = 8191;

/// A caller-owned plane of samples; `data` null means "not wanted".
template <typename T>
struct PlaneOf {
    T* data = nullptr;
    std::ptrdiff_t stride = 0;  ///< samples from row to row
    int width = 0;
    int height = 0;
};
using Plane = PlaneOf<std::int16_t>;

/// Sides of a plane at 1/scale size; chroma planes of a 4:2:0 picture have half the sides first.
constexpr int scaled_side(int side, int scale, bool chroma) {
    const int full = chroma ? (side + 1) / 2 : side;
    return (full + scale - 1) / scale;
}

/// Samples of a macroblock at 1/scale size: Y, Cb and Cr.
constexpr std::size_t samples_of_macroblock(int scale) {
    return 384 / static_cast<std::size_t>(scale * scale);
}

/// Everything `VopDecoder::decode` can write; null pointers are skipped.
struct VopOutput {
    int scale = 1;                      ///< residual planes are 1/scale: 1, 2, 4 or 8
    std::array<Plane, 3> residual{};    ///< Y, Cb, Cr; all three or none, or `by_macroblock`
    std::int16_t* motion = nullptr;     ///< (2 mb_height, 2 mb_width, 2): x, y in quarter samples
    std::int16_t* backward = nullptr;   ///< as motion, into the reference that is shown after
    std::uint8_t* type = nullptr;       ///< (mb_height, mb_width): MacroblockType
    std::uint8_t* quantiser = nullptr;  ///< (mb_height, mb_width): 1 to 31; 0 where not coded
    std::uint32_t* bits = nullptr;      ///< (mb_height, mb_width): bits of each macroblock
    /// The residual in another order: (mb_count, 384 / scale^2), the samples of Y, Cb and Cr
    /// of one macroblock after the other. Only of those that have one; the others stay as they
    /// are.
    std::int16_t* by_macroblock = nullptr;
    std::uint8_t* coded = nullptr;  ///< (mb_height, mb_width): 1 where a macroblock has a residual
    /// Whether rows of the residual planes are put together elsewhere and then written past the
    /// processor's caches; for planes of which the caller has more than caches hold.
    bool streams_past_cache = false;
};

/// 7.6.9.5: what a B-VOP takes from its references.
///
/// The future reference is the I- or P-VOP coded last before it: where that skipped a macroblock,
/// the B-VOP has no bits for it, so without these types not even its syntax can be followed.
struct CoLocated {
    const std::uint8_t* type = nullptr;    ///< of the future reference
    const std::int16_t* motion = nullptr;  ///< its vectors, quarter samples
    int trd = 0;                           ///< ticks from the past to the future reference
    int trb = 0;                           ///< ticks from the past reference to the B-VOP
};

/// How a VOP ended.
struct VopResult {
    VopHeader header;
    int first_missing = 0;             ///< macroblocks before it are whole; mb_count if all are
    std::optional<SyntaxError> error;  ///< what stopped the parse, if anything did
};

/// Parses VOPs; owns scratch memory and tables, so keep one a thread and reuse it.
class VopDecoder {
  public:
    VopDecoder();
    ~VopDecoder();
    VopDecoder(VopDecoder&&) noexcept;
    VopDecoder& operator=(VopDecoder&&) noexcept;

    /// Parses one VOP and fills `output` completely.
    ///
    /// Intra macroblocks, I-VOPs and VOPs that are not coded have no residual: zeros. After
    /// damage, macroblocks from the start of the damaged video packet on are zero, `missing`,
    /// and `error` says why; an error in the VOP header leaves all of them missing.
    ///
    /// @param references needed by B-VOPs only, which are damaged without.
    VopResult decode(const Packet& packet, const VideoObjectLayer& layer, const VopOutput& output,
                     const CoLocated* references = nullptr);

  private:
    class Implementation;
    std::unique_ptr<Implementation> implementation_;
};

/// What `decode_intra_vop` can write; null pointers are skipped.
struct IntraOutput {
    std::int16_t* coefficients =
        nullptr;  ///< (mb_height, mb_width, 6, 8, 8): F[v][u], dequantised
    std::array<std::uint8_t*, 3> samples{};  ///< Y (height, width), Cb and Cr (half of it, up)
};

/// Parses an I-VOP with DC and AC prediction, and reconstructs its samples.
///
/// @throws SyntaxError for damage, and for a VOP of another type.
VopResult decode_intra_vop(const Packet& packet, const VideoObjectLayer& layer,
                           const IntraOutput& output);

}  // namespace mic::mpeg4
