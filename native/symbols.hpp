#pragma once
/// Clauses 6.2.7 and 7.4.1: the symbols of a block, one at a time, or many that nobody wants.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "bitreader.hpp"
#include "coefficients.hpp"
#include "errors.hpp"

namespace mic::mpeg4 {

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

inline constexpr const char* kTooFar = "a run leads past the 64th coefficient";

/// 7.4.1.2, one symbol without a look-up of its own kind: moves `position`, true if it was the
/// last.
///
/// `store(position, level)` gets the level as coded.
template <typename Store>
[[gnu::always_inline]] inline bool read_coefficient(BitReader& bits, int& position,
                                                    const CoefficientLookup& lookup,
                                                    const EscapeLimits& limits, Store store) {
    constexpr const char* clause = "7.4.1.2 TCOEF";
    const Coefficient symbol = lookup[bits.peek(kCoefficientBits)];
    bits.skip(symbol.length);
    Escape plain{symbol.level, symbol.run, false};
    if (symbol.level == 0) [[unlikely]] {
        if (symbol.length == 0)
            damaged(bits, clause, "an illegal coefficient code");
        plain = read_escape(bits, lookup, limits);
    } else if (symbol.run > kLastFlag) {
        plain.run -= kLastFlag;
        plain.last = true;
    }
    position += plain.run;
    if (position > 63) [[unlikely]]
        damaged(bits, clause, kTooFar);
    store(static_cast<std::size_t>(position), plain.level);
    return plain.last;
}

/// 6.2.7 block(): all coefficients after `position`, symbol by symbol; returns the last position.
///
/// `position` starts below the first coefficient: -1, or 0 after an intra DC.
template <typename Store>
[[gnu::always_inline]] inline int read_coefficients(BitReader& reader, int position,
                                                    const CoefficientLookup& lookup,
                                                    const EscapeLimits& limits, Store store) {
    reader.refill();
    while (!read_coefficient(reader, position, lookup, limits, store))
        reader.refill();
    return position;
}

/// As many whole symbols as the next bits hold.
struct SymbolRun {
    std::uint8_t length;  ///< bits of all; 0: an escape, a code too long or an illegal one
    std::uint8_t run;     ///< coefficients that they move on by

    /// Added to `run` where the block ends or nothing was resolved. It leads past the 64th
    /// coefficient, as do runs that break the syntax, so that one test finds them all.
    static constexpr std::uint8_t kLeave = 128;
};

inline constexpr unsigned kRunBits = 12;
using RunLookup = std::array<SymbolRun, 1U << kRunBits>;

/// Tables B.16 and B.17, for whoever wants to know only where a block ends.
constexpr RunLookup make_run_lookup(const CoefficientLookup& lookup) {
    constexpr int too_far = 65;  // from anywhere
    RunLookup runs{};
    for (unsigned bits = 0; bits < runs.size(); ++bits) {
        unsigned length = 0;
        int run = 0;
        bool last = false;
        while (!last) {
            const unsigned rest = bits << length & ((1U << kRunBits) - 1);
            const Coefficient symbol = lookup[rest << (kCoefficientBits - kRunBits)];
            if (symbol.level == 0 || length + symbol.length > kRunBits)
                break;
            last = symbol.run > kLastFlag;
            run += symbol.run - (last ? kLastFlag : 0);
            length += symbol.length;
        }
        run = run < too_far ? run : too_far;
        run += last || length == 0 ? SymbolRun::kLeave : 0;
        runs[bits] = {static_cast<std::uint8_t>(length), static_cast<std::uint8_t>(run)};
    }
    return runs;
}

inline constexpr RunLookup kIntraRuns = make_run_lookup(kIntraLookup);
inline constexpr RunLookup kInterRuns = make_run_lookup(kInterLookup);

/// 6.2.7 block(): all coefficients after `position`, parsed and checked as by
/// `read_coefficients`, but not stored.
inline void skip_coefficients(BitReader& reader, int position, const RunLookup& runs,
                              const CoefficientLookup& lookup, const EscapeLimits& limits) {
    constexpr int runs_per_refill = 56 / kRunBits;
    BitReader bits = reader;  // a copy stays in registers; the caller's would go through memory
    for (;;) {
        bits.refill();
        int k = 0;
        SymbolRun symbols;
        int next;
        do {
            symbols = runs[bits.peek(kRunBits)];
            next = position + symbols.run;
            if (next > 63)
                break;
            bits.skip(symbols.length);
            position = next;
        } while (++k < runs_per_refill);
        if (k == runs_per_refill)
            continue;
        if (symbols.length != 0 && symbols.run > SymbolRun::kLeave &&
            next - SymbolRun::kLeave < 64) [[likely]] {
            bits.skip(symbols.length);
            reader = bits;
            return;
        }
        bits.refill();
        reader = bits;
        if (read_coefficient(reader, position, lookup, limits, [](std::size_t, int) {}))
            return;
        bits = reader;
    }
}

}  // namespace mic::mpeg4
