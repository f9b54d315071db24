#pragma once
/// Clauses 6.2.7 and 7.4: the coefficients of one 8x8 block, decoded, unscanned, dequantised.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "bitreader.hpp"
#include "coefficients.hpp"
#include "errors.hpp"
#include "tables.hpp"

namespace mic::mpeg4 {

/// Two blocks side by side, as the inverse transform wants them: coefficient (u, v) of the left
/// block stands at 16 u + v, of the right block at 16 u + 8 + v (u counts horizontally).
inline constexpr std::size_t kPairSize = 128;

/// Scan position to offset in a pair, for the zigzag scan of inter blocks (7.4.2).
inline constexpr std::array<std::uint8_t, 64> kPairScan = [] {
    std::array<std::uint8_t, 64> scan{};
    for (std::size_t position = 0; position < 64; ++position) {
        const unsigned raster = kZigzagScan[position];
        scan[position] = static_cast<std::uint8_t>(16 * (raster % 8) + raster / 8);
    }
    return scan;
}();

/// Which coefficients the caller wants stored; all of them are parsed in any case.
enum class Detail : std::uint8_t { none, dc, all };

/// 7.4.4.4: F'' lies in [-2048, 2047].
constexpr int saturate(int coefficient) {
    return coefficient < -2048 ? -2048 : coefficient > 2047 ? 2047 : coefficient;
}

/// 7.4.4.2: the second ("H.263") inverse quantisation method for all but the intra DC.
constexpr int dequantise_h263(int level, int quantiser) {
    if (level == 0)
        return 0;
    const int magnitude = quantiser * (2 * std::abs(level) + 1) - (quantiser % 2 == 0 ? 1 : 0);
    return saturate(level < 0 ? -magnitude : magnitude);
}

/// Everything that inverse quantisation of inter blocks with one quantiser needs.
struct InterQuantiser {
    int quantiser = 0;
    CoefficientLookup lookup;              ///< H.263 method: levels are dequantised already
    std::array<std::int32_t, 64> weights;  ///< MPEG method: W * quantiser by scan position

    InterQuantiser(int quantiser, bool mpeg, const std::array<std::uint8_t, 64>& matrix)
        : quantiser(quantiser), lookup(kInterLookup), weights{} {
        for (std::size_t position = 0; position < 64; ++position)
            weights[position] = matrix[kZigzagScan[position]] * quantiser;
        if (!mpeg)
            for (Coefficient& symbol : lookup)
                symbol.level = static_cast<std::int16_t>(dequantise_h263(symbol.level, quantiser));
    }
    /// 7.4.4.1.2: the first ("MPEG") method, before mismatch control.
    [[nodiscard]] int dequantise_mpeg(int level, std::size_t position) const {
        const int magnitude = ((2 * std::abs(level) + 1) * weights[position]) >> 4;
        return saturate(level < 0 ? -magnitude : magnitude);
    }
};

/// What an escape code stands for: `run` counts as in `Coefficient`, without the flag.
struct Escape {
    int level;
    int run;
    bool last;
};

/// 7.4.1.3: the three escape modes; the escape code itself has been consumed.
[[gnu::noinline]] inline Escape read_escape(BitReader& reader, const CoefficientLookup& lookup,
                                            const EscapeLimits& limits) {
    constexpr const char* clause = "7.4.1.3 escape code";
    constexpr int no_level = -2048;
    reader.refill();
    const bool second_or_third = reader.take_flag();
    if (second_or_third && reader.take_flag()) {
        Escape escape{};
        escape.last = reader.take_flag();
        escape.run = static_cast<int>(reader.take(6)) + 1;
        expect_marker(reader, clause);
        escape.level = static_cast<int>(reader.take(12));
        escape.level -= escape.level >= 2048 ? 4096 : 0;
        if (escape.level == 0 || escape.level == no_level)
            damaged(reader, clause, "a forbidden level in a fixed-length escape");
        expect_marker(reader, clause);
        return escape;
    }
    const Coefficient symbol = lookup[reader.peek(kCoefficientBits)];
    if (symbol.level == 0)
        damaged(reader, clause, "an escape code followed by no coefficient code");
    reader.skip(symbol.length);
    const bool last = symbol.run > kLastFlag;
    Escape escape{symbol.level, symbol.run - (last ? kLastFlag : 0), last};
    const auto magnitude = static_cast<std::size_t>(std::abs(escape.level));
    if (second_or_third) {
        escape.run += limits.max_run[last ? 1 : 0][magnitude] + 1;
    } else {
        const int offset =
            limits.max_level[last ? 1 : 0][static_cast<std::size_t>(escape.run - 1)];
        escape.level += escape.level < 0 ? -offset : offset;
    }
    return escape;
}

/// 6.2.7 block(), 7.4.1.2: runs `store(position, level, escaped)` over the coefficients of a
/// block.
///
/// `position` starts below the first coefficient: -1, or 0 after an intra DC. Levels are those of
/// `lookup`, or raw ones where `escaped`. Returns the scan position of the last coefficient.
template <typename Store>
[[gnu::always_inline]] inline int read_coefficients(BitReader& reader, int position,
                                                    const CoefficientLookup& lookup,
                                                    const CoefficientLookup& raw_lookup,
                                                    const EscapeLimits& limits, Store store) {
    constexpr int symbols_per_refill = 56 / kCoefficientBits;
    BitReader bits = reader;  // a copy stays in registers; the caller's would go through memory
    const auto fail = [&](const char* message) {
        reader = bits;
        damaged(reader, "7.4.1.2 TCOEF", message);
    };
    constexpr const char* too_far = "a run leads past the 64th coefficient";
    for (;;) {
        bits.refill();
        for (int k = 0; k < symbols_per_refill; ++k) {
            const Coefficient symbol = lookup[bits.peek(kCoefficientBits)];
            bits.skip(symbol.length);
            position += symbol.run;
            if (position < 64) [[likely]] {
                store(static_cast<std::size_t>(position), symbol.level, false);
                continue;
            }
            if (position < kLastFlag) [[unlikely]]
                fail(too_far);
            position -= kLastFlag;
            if (symbol.level != 0) {
                if (position > 63) [[unlikely]]
                    fail(too_far);
                store(static_cast<std::size_t>(position), symbol.level, false);
                reader = bits;
                return position;
            }
            if (symbol.length == 0) [[unlikely]]
                fail("an illegal coefficient code");
            reader = bits;
            const Escape escape = read_escape(reader, raw_lookup, limits);
            bits = reader;
            position += escape.run - (kNoRun - kLastFlag);
            if (position > 63) [[unlikely]]
                fail(too_far);
            store(static_cast<std::size_t>(position), escape.level, true);
            if (escape.last)
                return position;
            break;
        }
    }
}

/// 7.4.1 to 7.4.4 for an inter block: coefficients F into one half of a zeroed pair.
///
/// Returns the scan position of the last coefficient, 63 when mismatch control may have set it.
template <bool kMpeg, Detail kDetail>
[[gnu::always_inline]] inline int read_inter_block(BitReader& reader, const InterQuantiser& with,
                                                   std::int16_t* block) {
    int parity = 0;
    const auto store = [&](std::size_t position, int level, bool escaped) {
        if constexpr (kDetail != Detail::none) {
            if (kDetail == Detail::dc && position != 0)
                return;
            if constexpr (kMpeg)
                level = with.dequantise_mpeg(level, position);
            else if (escaped)
                level = dequantise_h263(level, with.quantiser);
            parity ^= level;
            block[kPairScan[position]] = static_cast<std::int16_t>(level);
        }
    };
    const int last =
        read_coefficients(reader, -1, with.lookup, kInterLookup, kInterEscapes, store);
    if constexpr (kMpeg && kDetail == Detail::all) {
        // 7.4.4.5 mismatch control: an even sum toggles the least significant bit of F[7][7].
        block[kPairScan[63]] = static_cast<std::int16_t>(block[kPairScan[63]] ^ (~parity & 1));
        return 63;
    }
    return last;
}

/// 7.4.1.1: the DC difference of an intra block coded by its own table.
inline int read_intra_dc(BitReader& reader, bool luminance) {
    constexpr const char* clause = "7.4.1.1 intra DC";
    const Code size = luminance ? kDcSizeLuminanceLookup[reader.peek(11)]
                                : kDcSizeChrominanceLookup[reader.peek(12)];
    if (size.length == 0) [[unlikely]]
        damaged(reader, clause, "an illegal dct_dc_size code");
    reader.skip(size.length);
    if (size.value == 0)
        return 0;
    const int bits = static_cast<int>(reader.take(size.value));
    if (size.value > 8)
        expect_marker(reader, clause);
    const int half = 1 << (size.value - 1);
    return bits >= half ? bits : bits - 2 * half + 1;
}

}  // namespace mic::mpeg4
