#pragma once
/// TCOEF code tables of ISO/IEC 14496-2 Annex B, one row a code, its bits as printed there.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mic::mpeg4 {

/// One row of Tables B.16 and B.17: `run` zeros, then a coefficient of magnitude `level`.
struct CoefficientRow {
    std::string_view code;
    std::uint8_t last;
    std::uint8_t run;
    std::uint8_t level;
};

/// Annex B.1.4: the code that announces one of the three escape modes of 7.4.1.3.
inline constexpr std::string_view kEscapeCode = "0000011";

// clang-format off
/// Table B.16: TCOEF codes without their sign bit; rows by (last, run, level).
inline constexpr std::array<CoefficientRow, 102> kIntraCoefficients{{
    {"10", 0, 0, 1}, {"110", 0, 0, 2}, {"1111", 0, 0, 3},
    {"01101", 0, 0, 4}, {"01100", 0, 0, 5}, {"010101", 0, 0, 6},
    {"010011", 0, 0, 7}, {"010010", 0, 0, 8}, {"0010111", 0, 0, 9},
    {"00011111", 0, 0, 10}, {"00011110", 0, 0, 11}, {"00011101", 0, 0, 12},
    {"000100101", 0, 0, 13}, {"000100100", 0, 0, 14}, {"000100011", 0, 0, 15},
    {"000100001", 0, 0, 16}, {"0000100001", 0, 0, 17}, {"0000100000", 0, 0, 18},
    {"0000001111", 0, 0, 19}, {"0000001110", 0, 0, 20}, {"00000000111", 0, 0, 21},
    {"00000000110", 0, 0, 22}, {"00000100000", 0, 0, 23}, {"00000100001", 0, 0, 24},
    {"000001010000", 0, 0, 25}, {"000001010001", 0, 0, 26}, {"000001010010", 0, 0, 27},
    {"1110", 0, 1, 1}, {"010100", 0, 1, 2}, {"0010110", 0, 1, 3},
    {"00011100", 0, 1, 4}, {"000100000", 0, 1, 5}, {"000011111", 0, 1, 6},
    {"0000001101", 0, 1, 7}, {"00000100010", 0, 1, 8}, {"000001010011", 0, 1, 9},
    {"000001010101", 0, 1, 10}, {"01011", 0, 2, 1}, {"0010101", 0, 2, 2},
    {"000011110", 0, 2, 3}, {"0000001100", 0, 2, 4}, {"000001010110", 0, 2, 5},
    {"010001", 0, 3, 1}, {"00011011", 0, 3, 2}, {"000011101", 0, 3, 3},
    {"0000001011", 0, 3, 4}, {"010000", 0, 4, 1}, {"000100010", 0, 4, 2},
    {"0000001010", 0, 4, 3}, {"001101", 0, 5, 1}, {"000011100", 0, 5, 2},
    {"0000001000", 0, 5, 3}, {"0010010", 0, 6, 1}, {"000011011", 0, 6, 2},
    {"000001010100", 0, 6, 3}, {"0010100", 0, 7, 1}, {"000011010", 0, 7, 2},
    {"000001010111", 0, 7, 3}, {"00011001", 0, 8, 1}, {"0000001001", 0, 8, 2},
    {"00011000", 0, 9, 1}, {"00000100011", 0, 9, 2}, {"00010111", 0, 10, 1},
    {"000011001", 0, 11, 1}, {"000011000", 0, 12, 1}, {"0000000111", 0, 13, 1},
    {"000001011000", 0, 14, 1}, {"0111", 1, 0, 1}, {"001100", 1, 0, 2},
    {"00010110", 1, 0, 3}, {"000010111", 1, 0, 4}, {"0000000110", 1, 0, 5},
    {"00000000101", 1, 0, 6}, {"00000000100", 1, 0, 7}, {"000001011001", 1, 0, 8},
    {"001111", 1, 1, 1}, {"000010110", 1, 1, 2}, {"0000000101", 1, 1, 3},
    {"001110", 1, 2, 1}, {"0000000100", 1, 2, 2}, {"0010001", 1, 3, 1},
    {"00000100100", 1, 3, 2}, {"0010000", 1, 4, 1}, {"00000100101", 1, 4, 2},
    {"0010011", 1, 5, 1}, {"000001011010", 1, 5, 2}, {"00010101", 1, 6, 1},
    {"000001011011", 1, 6, 2}, {"00010100", 1, 7, 1}, {"00010011", 1, 8, 1},
    {"00011010", 1, 9, 1}, {"000010101", 1, 10, 1}, {"000010100", 1, 11, 1},
    {"000010011", 1, 12, 1}, {"000010010", 1, 13, 1}, {"000010001", 1, 14, 1},
    {"00000100110", 1, 15, 1}, {"00000100111", 1, 16, 1}, {"000001011100", 1, 17, 1},
    {"000001011101", 1, 18, 1}, {"000001011110", 1, 19, 1}, {"000001011111", 1, 20, 1}}};

/// Table B.17: TCOEF codes without their sign bit; rows by (last, run, level).
inline constexpr std::array<CoefficientRow, 102> kInterCoefficients{{
    {"10", 0, 0, 1}, {"1111", 0, 0, 2}, {"010101", 0, 0, 3},
    {"0010111", 0, 0, 4}, {"00011111", 0, 0, 5}, {"000100101", 0, 0, 6},
    {"000100100", 0, 0, 7}, {"0000100001", 0, 0, 8}, {"0000100000", 0, 0, 9},
    {"00000000111", 0, 0, 10}, {"00000000110", 0, 0, 11}, {"00000100000", 0, 0, 12},
    {"110", 0, 1, 1}, {"010100", 0, 1, 2}, {"00011110", 0, 1, 3},
    {"0000001111", 0, 1, 4}, {"00000100001", 0, 1, 5}, {"000001010000", 0, 1, 6},
    {"1110", 0, 2, 1}, {"00011101", 0, 2, 2}, {"0000001110", 0, 2, 3},
    {"000001010001", 0, 2, 4}, {"01101", 0, 3, 1}, {"000100011", 0, 3, 2},
    {"0000001101", 0, 3, 3}, {"01100", 0, 4, 1}, {"000100010", 0, 4, 2},
    {"000001010010", 0, 4, 3}, {"01011", 0, 5, 1}, {"0000001100", 0, 5, 2},
    {"000001010011", 0, 5, 3}, {"010011", 0, 6, 1}, {"0000001011", 0, 6, 2},
    {"000001010100", 0, 6, 3}, {"010010", 0, 7, 1}, {"0000001010", 0, 7, 2},
    {"010001", 0, 8, 1}, {"0000001001", 0, 8, 2}, {"010000", 0, 9, 1},
    {"0000001000", 0, 9, 2}, {"0010110", 0, 10, 1}, {"000001010101", 0, 10, 2},
    {"0010101", 0, 11, 1}, {"0010100", 0, 12, 1}, {"00011100", 0, 13, 1},
    {"00011011", 0, 14, 1}, {"000100001", 0, 15, 1}, {"000100000", 0, 16, 1},
    {"000011111", 0, 17, 1}, {"000011110", 0, 18, 1}, {"000011101", 0, 19, 1},
    {"000011100", 0, 20, 1}, {"000011011", 0, 21, 1}, {"000011010", 0, 22, 1},
    {"00000100010", 0, 23, 1}, {"00000100011", 0, 24, 1}, {"000001010110", 0, 25, 1},
    {"000001010111", 0, 26, 1}, {"0111", 1, 0, 1}, {"000011001", 1, 0, 2},
    {"00000000101", 1, 0, 3}, {"001111", 1, 1, 1}, {"00000000100", 1, 1, 2},
    {"001110", 1, 2, 1}, {"001101", 1, 3, 1}, {"001100", 1, 4, 1},
    {"0010011", 1, 5, 1}, {"0010010", 1, 6, 1}, {"0010001", 1, 7, 1},
    {"0010000", 1, 8, 1}, {"00011010", 1, 9, 1}, {"00011001", 1, 10, 1},
    {"00011000", 1, 11, 1}, {"00010111", 1, 12, 1}, {"00010110", 1, 13, 1},
    {"00010101", 1, 14, 1}, {"00010100", 1, 15, 1}, {"00010011", 1, 16, 1},
    {"000011000", 1, 17, 1}, {"000010111", 1, 18, 1}, {"000010110", 1, 19, 1},
    {"000010101", 1, 20, 1}, {"000010100", 1, 21, 1}, {"000010011", 1, 22, 1},
    {"000010010", 1, 23, 1}, {"000010001", 1, 24, 1}, {"0000000111", 1, 25, 1},
    {"0000000110", 1, 26, 1}, {"0000000101", 1, 27, 1}, {"0000000100", 1, 28, 1},
    {"00000100100", 1, 29, 1}, {"00000100101", 1, 30, 1}, {"00000100110", 1, 31, 1},
    {"00000100111", 1, 32, 1}, {"000001011000", 1, 33, 1}, {"000001011001", 1, 34, 1},
    {"000001011010", 1, 35, 1}, {"000001011011", 1, 36, 1}, {"000001011100", 1, 37, 1},
    {"000001011101", 1, 38, 1}, {"000001011110", 1, 39, 1}, {"000001011111", 1, 40, 1}}};
// clang-format on

/// One symbol of the 13-bit look-up: code and sign bit resolved together.
struct Coefficient {
    std::uint8_t length;  ///< bits to consume, sign included
    std::uint8_t run;     ///< zeros before the coefficient plus one; kLastFlag added on the last
    std::int16_t level;   ///< signed; 0 marks an escape (length 7) or an illegal code (length 0)
};

inline constexpr std::uint8_t kLastFlag = 128;
inline constexpr unsigned kCoefficientBits = 13;  ///< twelve code bits and the sign
using CoefficientLookup = std::array<Coefficient, 1U << kCoefficientBits>;

/// Tables B.16 and B.17 as a direct look-up by the next 13 bits.
constexpr CoefficientLookup make_coefficient_lookup(const std::array<CoefficientRow, 102>& rows) {
    CoefficientLookup lookup{};
    const auto fill = [&lookup](std::string_view code, unsigned sign_bits, unsigned sign,
                                Coefficient symbol) {
        unsigned prefix = 0;
        for (const char bit : code)
            prefix = 2 * prefix + (bit == '1' ? 1U : 0U);
        prefix = (prefix << sign_bits) | sign;
        const unsigned free_bits =
            kCoefficientBits - static_cast<unsigned>(code.size()) - sign_bits;
        for (unsigned k = 0; k < (1U << free_bits); ++k)
            lookup[(prefix << free_bits) + k] = symbol;
    };
    for (const CoefficientRow& row : rows) {
        const auto run = static_cast<std::uint8_t>(row.run + 1 + (row.last ? kLastFlag : 0));
        const auto length = static_cast<std::uint8_t>(row.code.size() + 1);
        const auto level = static_cast<std::int16_t>(row.level);
        fill(row.code, 1, 0, {length, run, level});
        fill(row.code, 1, 1, {length, run, static_cast<std::int16_t>(-level)});
    }
    fill(kEscapeCode, 0, 0, {static_cast<std::uint8_t>(kEscapeCode.size()), 0, 0});
    return lookup;
}

/// 7.4.1.3: LMAX by (last, run) and RMAX by (last, level), Tables B.19 to B.22.
struct EscapeLimits {
    std::array<std::array<std::uint8_t, 64>, 2> max_level{};
    std::array<std::array<std::uint8_t, 28>, 2> max_run{};
};

constexpr EscapeLimits make_escape_limits(const std::array<CoefficientRow, 102>& rows) {
    EscapeLimits limits{};
    for (const CoefficientRow& row : rows) {
        auto& level = limits.max_level[row.last][row.run];
        auto& run = limits.max_run[row.last][row.level];
        level = row.level > level ? row.level : level;
        run = row.run > run ? row.run : run;
    }
    return limits;
}

inline constexpr CoefficientLookup kIntraLookup = make_coefficient_lookup(kIntraCoefficients);
inline constexpr CoefficientLookup kInterLookup = make_coefficient_lookup(kInterCoefficients);
inline constexpr EscapeLimits kIntraEscapes = make_escape_limits(kIntraCoefficients);
inline constexpr EscapeLimits kInterEscapes = make_escape_limits(kInterCoefficients);

}  // namespace mic::mpeg4
