#pragma once
/// Clauses 6.2.6.2, 7.6.3 and 7.6.5: motion vector differences and their prediction.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "bitreader.hpp"
#include "errors.hpp"
#include "tables.hpp"

namespace mic::mpeg4 {

struct Vector {
    std::int16_t x = 0;
    std::int16_t y = 0;
};

/// 7.6.3: one component of a motion vector difference; at most 19 bits.
inline int read_mv_difference(BitReader& reader, int fcode) {
    const SignedCode code = kMvDataLookup[reader.peek(kMvDataBits)];
    if (code.length == 0) [[unlikely]]
        damaged(reader, "7.6.3 motion vector", "an illegal mv_data code");
    reader.skip(code.length);
    if (fcode == 1 || code.value == 0)
        return code.value;
    const auto residual_bits = static_cast<std::size_t>(fcode - 1);
    const int residual = static_cast<int>(reader.take(residual_bits));
    const int magnitude = ((std::abs(code.value) - 1) << residual_bits) + residual + 1;
    return code.value < 0 ? -magnitude : magnitude;
}

/// 7.6.3: prediction plus difference, wrapped into [-32 f, 32 f - 1], f = 2^(fcode - 1).
constexpr std::int16_t wrap_vector(int component, int fcode) {
    const int low = -(32 << (fcode - 1));
    const int range = 64 << (fcode - 1);
    if (component < low)
        component += range;
    else if (component >= low + range)
        component -= range;
    return static_cast<std::int16_t>(component);
}

/// The vectors of one VOP by 8x8 block, in the units of the bitstream, with their prediction.
class MotionField {
  public:
    /// `data` holds (2 mb_height, 2 mb_width, 2) components.
    MotionField(std::int16_t* data, int mb_width) : data_(data), stride_(2 * mb_width) {}

    [[nodiscard]] bool wanted() const { return data_ != nullptr; }

    /// 7.6.5: macroblocks of earlier video packets are not candidates.
    void start_packet(int first_macroblock) { first_ = first_macroblock; }

    /// Sets all four blocks of a macroblock.
    void fill(int mb_x, int mb_y, Vector vector) {
        for (int block = 0; block < 4; ++block)
            set(2 * mb_x + block % 2, 2 * mb_y + block / 2, vector);
    }
    void set_block(int mb_x, int mb_y, int block, Vector vector) {
        set(2 * mb_x + block % 2, 2 * mb_y + block / 2, vector);
    }

    /// The vectors of a macroblock's four blocks, each component times `factor`.
    [[nodiscard]] std::array<Vector, 4> of(int mb_x, int mb_y, int factor) const {
        std::array<Vector, 4> vectors;
        for (int block = 0; block < 4; ++block) {
            const std::int16_t* components =
                data_ +
                2 * (std::ptrdiff_t{2 * mb_y + block / 2} * stride_ + 2 * mb_x + block % 2);
            vectors[static_cast<std::size_t>(block)] = {
                static_cast<std::int16_t>(factor * components[0]),
                static_cast<std::int16_t>(factor * components[1])};
        }
        return vectors;
    }

    /// 7.6.5, Figure 7-34: the median of three neighbours of 8x8 block `block`.
    ///
    /// One missing candidate counts as zero, two as the third one, three as zero.
    [[nodiscard]] Vector predict(int mb_x, int mb_y, int block) const {
        const int x = 2 * mb_x + block % 2;
        const int y = 2 * mb_y + block / 2;
        // Above right: for block 2 it is block 1; for block 3 the figure takes block 0 instead.
        constexpr std::array<int, 4> above_right{2, 1, 1, -1};
        const std::array<Candidate, 3> candidates{
            at(x - 1, y), at(x, y - 1),
            at(x + above_right[static_cast<std::size_t>(block)], y - 1)};
        int missing = 0;
        Vector only{};
        for (const Candidate& candidate : candidates) {
            if (candidate.valid)
                only = candidate.vector;
            else
                ++missing;
        }
        // Not in spec: where a picture is one macroblock wide, libavcodec, which writes nearly all
        // such streams, takes the candidates beyond both sides as zeros, so that the median is 0.
        if (missing >= 2 && stride_ == 2 && block == 0)
            return {};
        if (missing >= 2)
            return only;
        const auto& [a, b, c] = candidates;
        return {median(a.vector.x, b.vector.x, c.vector.x),
                median(a.vector.y, b.vector.y, c.vector.y)};
    }

  private:
    struct Candidate {
        Vector vector;
        bool valid;
    };

    static std::int16_t median(std::int16_t a, std::int16_t b, std::int16_t c) {
        return std::max(std::min(a, b), std::min(std::max(a, b), c));
    }
    [[nodiscard]] Candidate at(int x, int y) const {
        if (x < 0 || x >= stride_ || y < 0 || (y / 2) * (stride_ / 2) + x / 2 < first_)
            return {{}, false};
        const std::int16_t* components =
            data_ + 2 * (static_cast<std::ptrdiff_t>(y) * stride_ + x);
        return {{components[0], components[1]}, true};
    }
    void set(int x, int y, Vector vector) {
        std::int16_t* components = data_ + 2 * (static_cast<std::ptrdiff_t>(y) * stride_ + x);
        components[0] = vector.x;
        components[1] = vector.y;
    }

    std::int16_t* data_;
    int stride_;  ///< blocks in a row
    int first_ = 0;
};

/// 6.2.5.3, 7.3: the vectors of an inter macroblock, predicted only if somebody wants them.
inline void read_vectors(BitReader& reader, MacroblockType type, int fcode, int mb_x, int mb_y,
                         MotionField& motion) {
    const int count = type == MacroblockType::inter4v ? 4 : 1;
    for (int block = 0; block < count; ++block) {
        reader.refill();
        const int dx = read_mv_difference(reader, fcode);
        const int dy = read_mv_difference(reader, fcode);
        if (!motion.wanted())
            continue;
        const Vector predicted = motion.predict(mb_x, mb_y, block);
        const Vector vector{wrap_vector(predicted.x + dx, fcode),
                            wrap_vector(predicted.y + dy, fcode)};
        if (count == 1)
            motion.fill(mb_x, mb_y, vector);
        else
            motion.set_block(mb_x, mb_y, block, vector);
    }
}

}  // namespace mic::mpeg4
