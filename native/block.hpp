#pragma once
/// Clauses 6.2.7 and 7.4: the coefficients of one 8x8 block, decoded, unscanned, dequantised.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "bitreader.hpp"
#include "coefficients.hpp"
#include "errors.hpp"
#include "symbols.hpp"
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

/// How many coefficients, in the order of the scan, the caller wants stored; all of them are
/// parsed in any case.
enum class Detail : std::uint8_t {
    none = 0,
    dc = 1,
    low_2x2 = 5,   ///< as many as hold the lowest 2x2
    low_4x4 = 25,  ///< and the lowest 4x4
    all = 64
};

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

/// Up to two symbols of an H.263-quantised inter block, levels dequantised, by the next 12 bits.
///
/// Where only one symbol fits, the second repeats it at distance 0, so that the decoding loop
/// stores two in any case and needs no branch.
struct SymbolPair {
    enum class Kind : std::uint8_t {
        more,   ///< the block goes on
        last,   ///< the second (or only) symbol ends the block
        other,  ///< an escape, a code of 13 bits or an illegal one: not resolved here
    };
    std::uint8_t length;     ///< bits of both
    std::uint8_t first_run;  ///< zeros before the first, plus one
    std::uint8_t
        second_run;  ///< the same from the first to the second; kLeave added unless `more`
    Kind kind;
    std::int16_t first_level;
    std::int16_t second_level;

    static constexpr std::uint8_t kLeave = 128;
};

inline constexpr unsigned kPairBits = 12;
using PairLookup = std::array<SymbolPair, 1U << kPairBits>;

/// Tables B.17 and 7.4.4.2 for one quantiser, as pairs.
inline PairLookup make_pair_lookup(int quantiser) {
    PairLookup lookup{};
    constexpr unsigned spare = kCoefficientBits - kPairBits;
    const auto dequantised = [&](const Coefficient& symbol) {
        return static_cast<std::int16_t>(dequantise_h263(symbol.level, quantiser));
    };
    for (unsigned bits = 0; bits < lookup.size(); ++bits) {
        using Kind = SymbolPair::Kind;
        SymbolPair& pair = lookup[bits];
        const Coefficient first = kInterLookup[bits << spare];
        if (first.level == 0 || first.length > kPairBits) {
            pair = {0, 0, SymbolPair::kLeave, Kind::other, 0, 0};
            continue;
        }
        const bool ends = first.run > kLastFlag;
        const auto run = static_cast<std::uint8_t>(first.run - (ends ? kLastFlag : 0));
        const std::int16_t level = dequantised(first);
        pair = {first.length, run, 0, Kind::more, level, level};
        const unsigned rest = bits << first.length & (lookup.size() - 1);
        const Coefficient second = kInterLookup[rest << spare];
        bool second_ends = false;
        if (!ends && second.level != 0 && first.length + second.length <= kPairBits) {
            second_ends = second.run > kLastFlag;
            pair.length = static_cast<std::uint8_t>(first.length + second.length);
            pair.second_run =
                static_cast<std::uint8_t>(second.run - (second_ends ? kLastFlag : 0));
            pair.second_level = dequantised(second);
        }
        if (ends || second_ends) {
            pair.kind = Kind::last;
            pair.second_run = static_cast<std::uint8_t>(pair.second_run + SymbolPair::kLeave);
        }
    }
    return lookup;
}

/// The pairs of one quantiser, 1 to 31, made when it is first used and kept until the process
/// ends: they are the same for every stream, and a decoder of one short clip would be busier
/// making them than decoding.
///
/// Two threads that want one at the same moment may both make it, and the first stays. Without a
/// lock, none can be held by a thread that a fork leaves behind.
inline const PairLookup& pair_lookup(int quantiser) {
    static constinit std::array<std::atomic<const PairLookup*>, 32> kept{};
    std::atomic<const PairLookup*>& slot = kept[static_cast<std::size_t>(quantiser)];
    const PairLookup* found = slot.load(std::memory_order_acquire);
    if (found == nullptr) {
        auto made = std::make_unique<const PairLookup>(make_pair_lookup(quantiser));
        if (slot.compare_exchange_strong(found, made.get(), std::memory_order_acq_rel))
            found = made.release();
    }
    return *found;
}

/// Everything that inverse quantisation of inter blocks with one quantiser needs.
struct InterQuantiser {
    int quantiser;
    const PairLookup* pairs = nullptr;       ///< H.263 method
    std::array<std::int32_t, 64> weights{};  ///< MPEG method: W * quantiser by scan position

    InterQuantiser(int value, bool mpeg, const std::array<std::uint8_t, 64>& matrix)
        : quantiser(value) {
        if (!mpeg) {
            pairs = &pair_lookup(value);
            return;
        }
        for (std::size_t position = 0; position < 64; ++position)
            weights[position] = matrix[kZigzagScan[position]] * value;
    }
    /// 7.4.4.1.2: the first ("MPEG") method, before mismatch control.
    [[nodiscard]] int dequantise_mpeg(int level, std::size_t position) const {
        const int magnitude = ((2 * std::abs(level) + 1) * weights[position]) >> 4;
        return saturate(level < 0 ? -magnitude : magnitude);
    }
};

/// The quantisers of one layer, made when they are first used.
class InterQuantisers {
  public:
    /// Forgets what was made for a layer that quantises otherwise.
    void use(bool mpeg, const std::array<std::uint8_t, 64>& matrix) {
        if (mpeg_ == mpeg && matrix_ == matrix)
            return;
        made_ = {};
        mpeg_ = mpeg;
        matrix_ = matrix;
    }
    /// 1 to 31.
    const InterQuantiser& operator[](int quantiser) {
        auto& slot = made_[static_cast<std::size_t>(quantiser)];
        if (!slot)
            slot = std::make_unique<InterQuantiser>(quantiser, mpeg_, matrix_);
        return *slot;
    }

  private:
    std::array<std::unique_ptr<InterQuantiser>, 32> made_;
    std::array<std::uint8_t, 64> matrix_{};
    bool mpeg_ = false;
};

/// 6.2.7 block() of an H.263-quantised inter block, two symbols at a time.
///
/// `store(position, level)` gets dequantised levels, of `kDetail` and a few beyond them.
template <Detail kDetail, typename Store>
[[gnu::always_inline]] inline int read_coefficient_pairs(BitReader& reader,
                                                         const InterQuantiser& with, Store store) {
    constexpr int pairs_per_refill = 56 / kPairBits;
    const PairLookup& pairs = *with.pairs;
    BitReader bits = reader;  // a copy stays in registers; the caller's would go through memory
    int position = -1;
    for (;;) {
        bits.refill();
        int k = 0;
        SymbolPair pair;
        int first, second;
        do {
            pair = pairs[bits.peek(kPairBits)];
            first = position + pair.first_run;
            second = first + pair.second_run;
            if (second > 63)
                break;
            bits.skip(pair.length);
            store(static_cast<std::size_t>(first), pair.first_level);
            store(static_cast<std::size_t>(second), pair.second_level);
            position = second;
            if (kDetail != Detail::all && position + 1 >= static_cast<int>(kDetail)) {
                reader = bits;
                skip_coefficients(reader, position, kInterRuns, kInterLookup, kInterEscapes);
                return position;
            }
        } while (++k < pairs_per_refill);
        if (k == pairs_per_refill)
            continue;
        second -= SymbolPair::kLeave;
        if (pair.kind == SymbolPair::Kind::last && second < 64) [[likely]] {
            bits.skip(pair.length);
            store(static_cast<std::size_t>(first), pair.first_level);
            store(static_cast<std::size_t>(second), pair.second_level);
            reader = bits;
            return second;
        }
        reader = bits;
        const auto store_coded = [&](std::size_t at, int level) {
            store(at, dequantise_h263(level, with.quantiser));
        };
        if (read_coefficient(reader, position, kInterLookup, kInterEscapes, store_coded))
            return position;
        bits = reader;
    }
}

/// 7.4.1 to 7.4.4 for an inter block: coefficients F into one half of a zeroed pair.
///
/// Returns the scan position of the last coefficient, 63 when mismatch control may have set it.
template <bool kMpeg, Detail kDetail>
[[gnu::always_inline]] inline int read_inter_block(BitReader& reader, const InterQuantiser& with,
                                                   std::int16_t* block) {
    const auto put = [&](std::size_t position, int level) {
        if (kDetail != Detail::dc || position == 0)
            block[kPairScan[position]] = static_cast<std::int16_t>(level);
    };
    if constexpr (kDetail == Detail::none) {
        skip_coefficients(reader, -1, kInterRuns, kInterLookup, kInterEscapes);
        return -1;
    } else if constexpr (!kMpeg) {
        return read_coefficient_pairs<kDetail>(reader, with, put);
    } else {
        int parity = 0;
        const int last = read_coefficients(reader, -1, kInterLookup, kInterEscapes,
                                           [&](std::size_t position, int level) {
                                               level = with.dequantise_mpeg(level, position);
                                               parity ^= level;
                                               put(position, level);
                                           });
        if constexpr (kDetail != Detail::all)
            return last;
        // 7.4.4.5 mismatch control: an even sum toggles the least significant bit of F[7][7].
        block[kPairScan[63]] = static_cast<std::int16_t>(block[kPairScan[63]] ^ (~parity & 1));
        return 63;
    }
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
