/// Fuzzes `VopDecoder::decode`: a layer made of the first bytes, then one VOP, whole and cut.

#include "../coded_vop.hpp"
#include "../compensate.hpp"
#include "../idct.hpp"
#include "../interpolate.hpp"
#include "common.hpp"

using namespace mic::mpeg4;

namespace {

/// What a B-VOP finds in a reference that was never coded: any modes and vectors.
class MadeUpReference {
  public:
    MadeUpReference(const VideoObjectLayer& layer, unsigned seed) : given_(seed != 0) {
        const auto count = static_cast<std::size_t>(layer.mb_count());
        std::uint32_t state = seed - 1;
        const auto next = [&state](std::uint32_t below) {
            state = state * 1664525U + 1013904223U;
            return (state >> 16) % below;
        };
        constexpr std::array<MacroblockType, 8> types{
            MacroblockType::inter,   MacroblockType::inter_q,   MacroblockType::inter4v,
            MacroblockType::inter4v, MacroblockType::intra,     MacroblockType::not_coded,
            MacroblockType::inter,   MacroblockType::not_coded,
        };
        for (std::size_t k = 0; k < count; ++k)
            type_.push_back(static_cast<std::uint8_t>(types[seed == 1 ? 0 : next(8)]));
        if (seed % 8 == 7)
            type_.back() = static_cast<std::uint8_t>(MacroblockType::missing);
        const int reach = 1 << (seed % 13);
        for (std::size_t k = 0; k < 8 * count; ++k)
            motion_.push_back(static_cast<std::int16_t>(
                static_cast<int>(next(2 * static_cast<unsigned>(reach))) - reach));
        const int trd = 2 + static_cast<int>(next(5));
        references_ = {type_.data(), motion_.data(), trd,
                       1 + static_cast<int>(next(static_cast<unsigned>(trd - 1)))};
    }
    [[nodiscard]] const CoLocated* get() const { return given_ ? &references_ : nullptr; }

  private:
    bool given_;
    std::vector<std::uint8_t> type_;
    std::vector<std::int16_t> motion_;
    CoLocated references_;
};

VideoObjectLayer read_layer(unsigned flags, fuzz::Input& input) {
    VideoObjectLayer layer;
    layer.quarter_sample = flags & 1;
    layer.mpeg_quantisation = flags & 2;
    layer.resync_marker_disable = flags & 4;
    layer.width = 1 + input.byte() % 64;
    layer.height = 1 + input.byte() % 64;
    layer.vop_time_increment_bits = 1 + input.byte() % 16;
    return layer;
}

/// An I-VOP with coefficients and samples; it must agree with the residual parser about damage.
void check_intra_vop(const Packet& packet, const VideoObjectLayer& layer, const VopResult& other) {
    std::vector<std::int16_t> coefficients(static_cast<std::size_t>(layer.mb_count()) * 6 * 64);
    std::vector<std::uint8_t> samples[3];
    IntraOutput output;
    output.coefficients = coefficients.data();
    for (std::size_t k = 0; k < 3; ++k) {
        samples[k].resize(static_cast<std::size_t>(scaled_side(layer.width, 1, k > 0)) *
                          static_cast<std::size_t>(scaled_side(layer.height, 1, k > 0)));
        output.samples[k] = samples[k].data();
    }
    bool whole = true;
    try {
        whole = !decode_intra_vop(packet, layer, output).error;
    } catch (const SyntaxError& error) {
        fuzz::require(error.clause != nullptr && *error.clause != 0, "an error has a clause");
        whole = false;
    }
    fuzz::require(!whole || !other.error, "a VOP that decodes has no damage for the parser");
}

/// The inverse DCT chosen for this processor gives the bytes of the portable one.
void check_transform(std::span<const std::uint8_t> bytes) {
    alignas(32) std::array<std::int16_t, 128> pair{};
    for (std::size_t k = 0; k + 1 < bytes.size() && k < 256; k += 2)
        pair[k / 2] = static_cast<std::int16_t>((bytes[k] * 256 + bytes[k + 1]) % 4096 - 2048);
    std::array<std::int16_t, 128> chosen{}, portable{};
    select_inverse_pair()(pair.data(), 63, chosen.data(), chosen.data() + 8, 16);
    inverse_pair_portable(pair.data(), 63, portable.data(), portable.data() + 8, 16);
    fuzz::require(chosen == portable, "every inverse DCT gives the same bytes");
}

/// Bilinear blocks of this processor: the weighted sums of the definition, to the last bit.
template <int kSide>
void check_bilinear(std::span<const std::uint8_t> bytes) {
    if (kBilinear<kSide> == nullptr || bytes.size() < 2)
        return;
    constexpr int stride = kSide + 1;
    std::array<float, stride * stride> from{};
    std::array<std::int16_t, kSide * kSide> residual{};
    for (std::size_t k = 0; k < from.size(); ++k)
        from[k] = static_cast<float>(bytes[k % bytes.size()]) / 3.0F - 40.0F;
    for (std::size_t k = 0; k < residual.size(); ++k)
        residual[k] = static_cast<std::int16_t>(bytes[(k * 7) % bytes.size()] - 128);
    const float x = static_cast<float>(bytes[0] % 8) / 8.0F;
    const float y = static_cast<float>(bytes[1] % 8) / 8.0F;
    const bool add = bytes[0] & 8;
    std::array<float, kSide * kSide> found{};
    kBilinear<kSide>(
        {from.data(), stride, x, y, add ? residual.data() : nullptr, kSide, found.data(), kSide});
    for (std::size_t row = 0; row < kSide; ++row)
        for (std::size_t column = 0; column < kSide; ++column) {
            const auto across = [&](std::size_t line) {
                const float* at = from.data() + line * stride + column;
                return x == 0 ? at[0] : mix(at[0], at[1], x);
            };
            float value = y == 0 ? across(row) : mix(across(row), across(row + 1), y);
            if (add)
                value = sum(value, residual[row * kSide + column]);
            fuzz::require(value == found[row * kSide + column],
                          "every interpolation gives the same bytes");
        }
}

/// The predictors chosen for this processor give the bytes of the portable ones.
void check_predictors(std::span<const std::uint8_t> bytes) {
    if (bytes.size() < 2)
        return;
    constexpr int side = 17;
    std::array<std::uint8_t, side * side> from{};
    for (std::size_t k = 0; k < from.size(); ++k)
        from[k] = bytes[k % bytes.size()];
    const auto run = [&](Predictor predictor, int unit) {
        std::array<std::uint8_t, 16 * 16> to{};
        predictor({from.data(), side, bytes[0] % unit, bytes[1] % unit, (bytes[0] & 8) != 0,
                   to.data(), 16});
        return to;
    };
    const Predictors chosen = select_predictors(), portable = portable_predictors();
    fuzz::require(run(chosen.half_16, 2) == run(portable.half_16, 2) &&
                      run(chosen.half_8, 2) == run(portable.half_8, 2) &&
                      run(chosen.quarter_16, 4) == run(portable.quarter_16, 4) &&
                      run(chosen.quarter_8, 4) == run(portable.quarter_8, 4),
                  "every prediction gives the same bytes");
}

/// The reader of wanted blocks finds the damage that the residual parser finds, wanted or not.
void check_reader(const Packet& packet, const VideoObjectLayer& layer, const VopResult& other) {
    VopReader reader(layer);
    Needs needs(layer);
    for (const bool all : {false, true}) {
        if (all)
            needs.mark_all();
        CodedVop vop;
        const VopResult result = reader.read(packet, layer, needs, vop);
        if (result.header.coding_type == VopCodingType::bidirectional) {
            fuzz::require(result.first_missing == 0, "B-VOPs are not reconstructed");
            continue;
        }
        const bool not_coded = !other.error && !other.header.vop_coded;
        fuzz::require(not_coded || result.error.has_value() == other.error.has_value(),
                      "both readers find damage");
        fuzz::require(not_coded || result.first_missing == other.first_missing,
                      "both readers keep the same macroblocks");
        fuzz::require(
            vop.macroblocks.size() == (all ? static_cast<std::size_t>(layer.mb_count()) : 0),
            "what is wanted is kept");
        std::size_t tokens = 0;
        for (const CodedMacroblock& macroblock : vop.macroblocks)
            tokens += macroblock.tokens;
        fuzz::require(tokens == vop.tokens.size(), "tokens belong to macroblocks");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static VopDecoder decoder;  // reused, as in production: nothing may leak from VOP to VOP
    fuzz::Input input(data, size);
    const unsigned flags = input.byte();
    const VideoObjectLayer layer = read_layer(flags, input);
    const MadeUpReference reference(layer, flags >> 3);
    const int scale = 1 << input.byte() % 4;
    const std::size_t cut = input.word();
    const auto bytes = input.take(input.size());

    check_transform(bytes);
    check_bilinear<8>(bytes);
    check_bilinear<16>(bytes);
    check_predictors(bytes);

    const Packet packet(bytes);
    fuzz::Outputs whole(layer, scale);
    const VopResult result = decoder.decode(packet, layer, whole.output, reference.get());
    fuzz::check(whole, result, layer);

    if (result.header.vop_coded && result.header.coding_type == VopCodingType::intra)
        check_intra_vop(packet, layer, result);

    check_reader(packet, layer, result);

    // The same VOP cut short: every macroblock not marked as missing must be the right one.
    const Packet shorter(bytes.first(bytes.empty() ? 0 : cut % bytes.size()));
    fuzz::Outputs part(layer, scale);
    const VopResult rest = decoder.decode(shorter, layer, part.output, reference.get());
    fuzz::check(part, rest, layer);
    for (int k = 0; k < rest.first_missing && k < result.first_missing; ++k)
        fuzz::require(fuzz::is_equal(whole, part, layer, k), "a cut leaves no wrong sample");

    // Rows that are written past the caches are the same rows, damaged or not.
    fuzz::Outputs past(layer, scale);
    past.output.streams_past_cache = true;
    const VopResult streamed = decoder.decode(packet, layer, past.output, reference.get());
    fuzz::require(streamed.first_missing == result.first_missing, "the way does not matter");
    for (std::size_t k = 0; k < 3; ++k)
        fuzz::require(past.planes[k] == whole.planes[k], "the same samples by any way");

    // Only the vectors and modes, without residual: the same ones.
    fuzz::Outputs again(layer, scale);
    VopOutput motion_only = again.output;
    motion_only.residual = {};
    const VopResult same = decoder.decode(packet, layer, motion_only, reference.get());
    fuzz::require(same.first_missing == result.first_missing, "outputs do not steer the parse");
    fuzz::require(again.motion == whole.motion && again.backward == whole.backward &&
                      again.type == whole.type && again.bits == whole.bits &&
                      again.quantiser == whole.quantiser,
                  "vectors and modes do not depend on the residual");
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t room, unsigned seed) {
    return fuzz::mutate_bits(data, size, room, seed);
}
