#pragma once
/// Clauses 6.2.6, 7.6.8 and 7.6.9: the macroblocks of B-VOPs.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "bitreader.hpp"
#include "errors.hpp"
#include "macroblock.hpp"
#include "motion.hpp"
#include "mpeg4.hpp"
#include "tables.hpp"

namespace mic::mpeg4 {

/// 6.2.6 macroblock() of a B-VOP up to dbquant; `quantiser` runs on.
inline MacroblockHeader read_bidirectional_header(BitReader& reader, int& quantiser) {
    constexpr const char* clause = "6.2.6 macroblock()";
    MacroblockHeader header;
    reader.refill();
    header.type = MacroblockType::direct;
    // Table B.3, modb: 1, nothing follows; 01, mb_type; 00, mb_type and cbpb.
    header.ends_at_modb = reader.take_flag();
    if (header.ends_at_modb)
        return header;
    const bool has_cbpb = !reader.take_flag();
    const auto zeros = static_cast<std::size_t>(std::countl_zero(reader.peek(4) << 28));
    if (zeros >= kMbTypeB.size()) [[unlikely]]
        damaged(reader, clause, "an illegal mb_type code");
    reader.skip(zeros + 1);
    header.type = kMbTypeB[zeros];
    if (has_cbpb)
        header.coded_blocks = reader.take(6);
    // Table 6.33, dbquant: 0, no change; 10, -2; 11, +2.
    if (header.type != MacroblockType::direct && header.coded_blocks != 0 && reader.take_flag())
        quantiser = std::clamp(quantiser + (reader.take_flag() ? 2 : -2), 1, 31);
    return header;
}

/// What the macroblocks of a B-VOP take from each other and from the next reference VOP.
class BidirectionalVectors {
  public:
    /// @param references null for other VOPs, which then must not use this.
    /// @param forward the VOP's vectors into the past reference.
    /// @param backward room for those into the future reference, or null.
    BidirectionalVectors(const VideoObjectLayer& layer, const VopHeader& header,
                         const CoLocated* references, const MotionField& forward,
                         std::int16_t* backward)
        : layer_(layer),
          header_(header),
          references_(references),
          forward_(forward),
          backward_(backward, layer.mb_width()) {}

    /// 7.6.9.6: whether the next reference VOP skips the macroblock; then no bit stands for it.
    [[nodiscard]] bool is_passed_over(const BitReader& reader, int index) const {
        const auto type = static_cast<MacroblockType>(references_->type[index]);
        if (type == MacroblockType::missing) [[unlikely]]
            damaged(reader, "7.6.9.6 skipped macroblocks",
                    "the next reference VOP is damaged, so nothing tells which macroblocks "
                    "this B-VOP holds");
        return type == MacroblockType::not_coded;
    }

    /// 6.2.5.2: `next_is_resync_marker`, where macroblocks without bits may stand before it.
    [[nodiscard]] bool packet_starts(BitReader& reader, int next) const {
        BitReader ahead = reader;
        if (!next_is_resync_marker(ahead, header_))
            return false;
        ahead.refill();
        const auto number = static_cast<int>(ahead.peek(macroblock_number_bits(layer_)));
        if (number != next && is_passed_over(ahead, next))
            return false;
        reader = ahead;
        return true;
    }

    /// 7.6.8: predictions start from zero at the left border and in each video packet.
    void reset() { previous_forward_ = previous_backward_ = {}; }

    /// 6.2.6.2, 7.6.8: the vectors of one macroblock.
    void read(BitReader& reader, const MacroblockHeader& macroblock, int mb_x, int mb_y) {
        if (mb_x == 0)
            reset();
        Vector forward{}, backward{};
        switch (macroblock.type) {
            case MacroblockType::direct: {
                constexpr int fcode = 1;
                const Vector difference =
                    macroblock.ends_at_modb ? Vector{} : read_vector(reader, {}, fcode);
                return set_direct(difference, mb_x, mb_y);
            }
            case MacroblockType::interpolated:
            case MacroblockType::forward:
                forward = read_vector(reader, previous_forward_, header_.fcode_forward);
                previous_forward_ = forward;
                if (macroblock.type == MacroblockType::forward)
                    break;
                [[fallthrough]];
            case MacroblockType::backward:
                backward = read_vector(reader, previous_backward_, header_.fcode_backward);
                previous_backward_ = backward;
                break;
            default:  // passed over: predicted from the same place of the past reference
                break;
        }
        if (forward_.wanted())
            forward_.fill(mb_x, mb_y, forward);
        if (backward_.wanted())
            backward_.fill(mb_x, mb_y, backward);
    }

  private:
    static Vector read_vector(BitReader& reader, Vector predicted, int fcode) {
        reader.refill();
        const int dx = read_mv_difference(reader, fcode);
        const int dy = read_mv_difference(reader, fcode);
        return {wrap_vector(predicted.x + dx, fcode), wrap_vector(predicted.y + dy, fcode)};
    }

    struct Pair {
        std::int16_t forward;
        std::int16_t backward;
    };
    /// 7.6.9.5.2: one component of both vectors of a block; division truncates towards zero.
    [[nodiscard]] Pair scale(int co_located, int difference) const {
        const auto times = [&](std::int64_t ticks) {
            return static_cast<int>(co_located * ticks / references_->trd);
        };
        const int trb = references_->trb;
        const int forward = times(trb) + difference;
        const int backward =
            difference == 0 ? times(trb - references_->trd) : forward - co_located;
        return {static_cast<std::int16_t>(forward), static_cast<std::int16_t>(backward)};
    }

    /// 7.6.9.5.1: both vectors of each block from the one at its place in the next reference.
    void set_direct(Vector difference, int mb_x, int mb_y) {
        const int unit = layer_.quarter_sample ? 1 : 2;
        for (int block = 0; block < 4; ++block) {
            const int row = 2 * mb_y + block / 2, column = 2 * mb_x + block % 2;
            const std::int16_t* co_located =
                references_->motion + 2 * (std::ptrdiff_t{row} * 2 * layer_.mb_width() + column);
            const Pair x = scale(co_located[0] / unit, difference.x);
            const Pair y = scale(co_located[1] / unit, difference.y);
            if (forward_.wanted())
                forward_.set_block(mb_x, mb_y, block, {x.forward, y.forward});
            if (backward_.wanted())
                backward_.set_block(mb_x, mb_y, block, {x.backward, y.backward});
        }
    }

    const VideoObjectLayer& layer_;
    const VopHeader& header_;
    const CoLocated* references_;
    MotionField forward_;
    MotionField backward_;
    Vector previous_forward_{};
    Vector previous_backward_{};
};

}  // namespace mic::mpeg4
