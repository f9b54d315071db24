#pragma once
/// Code tables of ISO/IEC 14496-2 Annex B above the block layer, scans and default matrices.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mic::mpeg4 {

/// Tables B.1 and B.2: macroblock types, plus the two states the type cannot express.
enum class MacroblockType : std::uint8_t {
    inter = 0,
    inter_q = 1,
    inter4v = 2,
    intra = 3,
    intra_q = 4,
    not_coded = 5,     ///< not_coded == 1: zero vector, zero residual
    direct = 6,        ///< B-VOPs: both vectors follow from the next reference VOP's
    interpolated = 7,  ///< B-VOPs: the mean of a forward and a backward prediction
    backward = 8,      ///< B-VOPs: from the reference VOP that is shown after
    forward = 9,       ///< B-VOPs: from the reference VOP that is shown before
    stuffing = 10,     ///< only while parsing; never leaves the parser
    missing = 255,     ///< lost to damage; nothing about it is known
};

constexpr bool is_intra(MacroblockType type) {
    return type == MacroblockType::intra || type == MacroblockType::intra_q;
}
/// The types followed by dquant.
constexpr bool changes_quantiser(MacroblockType type) {
    return type == MacroblockType::inter_q || type == MacroblockType::intra_q;
}

struct McbpcRow {
    std::string_view code;
    MacroblockType type;
    std::uint8_t cbpc;  ///< bit 1: Cb is coded, bit 0: Cr
};

/// Table B.6: mcbpc of I-VOPs.
inline constexpr std::array<McbpcRow, 9> kMcbpcI{{
    {"1", MacroblockType::intra, 0},
    {"001", MacroblockType::intra, 1},
    {"010", MacroblockType::intra, 2},
    {"011", MacroblockType::intra, 3},
    {"0001", MacroblockType::intra_q, 0},
    {"000001", MacroblockType::intra_q, 1},
    {"000010", MacroblockType::intra_q, 2},
    {"000011", MacroblockType::intra_q, 3},
    {"000000001", MacroblockType::stuffing, 0},
}};

/// Table B.7: mcbpc of P-VOPs.
inline constexpr std::array<McbpcRow, 21> kMcbpcP{{
    {"1", MacroblockType::inter, 0},
    {"0011", MacroblockType::inter, 1},
    {"0010", MacroblockType::inter, 2},
    {"000101", MacroblockType::inter, 3},
    {"011", MacroblockType::inter_q, 0},
    {"0000111", MacroblockType::inter_q, 1},
    {"0000110", MacroblockType::inter_q, 2},
    {"000000101", MacroblockType::inter_q, 3},
    {"010", MacroblockType::inter4v, 0},
    {"0000101", MacroblockType::inter4v, 1},
    {"0000100", MacroblockType::inter4v, 2},
    {"00000101", MacroblockType::inter4v, 3},
    {"00011", MacroblockType::intra, 0},
    {"00000100", MacroblockType::intra, 1},
    {"00000011", MacroblockType::intra, 2},
    {"0000011", MacroblockType::intra, 3},
    {"000100", MacroblockType::intra_q, 0},
    {"000000100", MacroblockType::intra_q, 1},
    {"000000011", MacroblockType::intra_q, 2},
    {"000000010", MacroblockType::intra_q, 3},
    {"000000001", MacroblockType::stuffing, 0},
}};

/// Table B.4: mb_type of B-VOPs by the number of zeros before its one.
inline constexpr std::array<MacroblockType, 4> kMbTypeB{
    MacroblockType::direct, MacroblockType::interpolated, MacroblockType::backward,
    MacroblockType::forward};

/// Table B.8: cbpy of intra macroblocks by value, Y0 in bit 3; inter macroblocks invert it.
inline constexpr std::array<std::string_view, 16> kCbpy{
    "0011",  "00101",  "00100", "1001", "00011", "0111", "000010", "1011",
    "00010", "000011", "0101",  "1010", "0100",  "1000", "0110",   "11"};

/// Table B.12: horizontal_mv_data and vertical_mv_data by magnitude in steps, without the sign.
inline constexpr std::array<std::string_view, 33> kMvData{
    "1",           "01",           "001",         "0001",        "000011",      "0000101",
    "0000100",     "0000011",      "000001011",   "000001010",   "000001001",   "0000010001",
    "0000010000",  "0000001111",   "0000001110",  "0000001101",  "0000001100",  "0000001011",
    "0000001010",  "0000001001",   "0000001000",  "0000000111",  "0000000110",  "0000000101",
    "0000000100",  "00000000111",  "00000000110", "00000000101", "00000000100", "00000000011",
    "00000000010", "000000000011", "000000000010"};

/// Table B.13: dct_dc_size_luminance by size.
inline constexpr std::array<std::string_view, 13> kDcSizeLuminance{
    "011",    "11",      "10",       "010",       "001",        "0001",       "00001",
    "000001", "0000001", "00000001", "000000001", "0000000001", "00000000001"};

/// Table B.14: dct_dc_size_chrominance by size.
inline constexpr std::array<std::string_view, 13> kDcSizeChrominance{
    "11",      "10",       "01",        "001",        "0001",        "00001",       "000001",
    "0000001", "00000001", "000000001", "0000000001", "00000000001", "000000000001"};

/// A decoded code: `length` 0 marks a bit pattern that no row has.
struct Code {
    std::uint8_t value;
    std::uint8_t length;
};

/// A direct look-up by the next `bits` bits; `value_of(row index)` is what a row stands for.
template <std::size_t bits, typename Rows, typename CodeOf, typename ValueOf>
constexpr std::array<Code, 1U << bits> make_lookup(const Rows& rows, CodeOf code_of,
                                                   ValueOf value_of) {
    std::array<Code, 1U << bits> lookup{};
    for (std::size_t row = 0; row < rows.size(); ++row) {
        const std::string_view code = code_of(row);
        std::size_t prefix = 0;
        for (const char bit : code)
            prefix = 2 * prefix + (bit == '1' ? 1U : 0U);
        const std::size_t free_bits = bits - code.size();
        for (std::size_t k = 0; k < (std::size_t{1} << free_bits); ++k)
            lookup[(prefix << free_bits) + k] = {static_cast<std::uint8_t>(value_of(row)),
                                                 static_cast<std::uint8_t>(code.size())};
    }
    return lookup;
}

/// Look-up of a table whose rows are bare codes: the value is the row's index.
template <std::size_t bits, std::size_t count>
constexpr auto make_lookup(const std::array<std::string_view, count>& rows) {
    return make_lookup<bits>(
        rows, [&](std::size_t row) { return rows[row]; }, [](std::size_t row) { return row; });
}

/// Look-up of mcbpc: the value is type * 4 + cbpc.
template <std::size_t count>
constexpr auto make_lookup(const std::array<McbpcRow, count>& rows) {
    return make_lookup<9>(
        rows, [&](std::size_t row) { return rows[row].code; },
        [&](std::size_t row) {
            return static_cast<std::size_t>(rows[row].type) * 4 + rows[row].cbpc;
        });
}

inline constexpr auto kMcbpcILookup = make_lookup(kMcbpcI);
inline constexpr auto kMcbpcPLookup = make_lookup(kMcbpcP);
inline constexpr auto kCbpyLookup = make_lookup<6>(kCbpy);
inline constexpr auto kDcSizeLuminanceLookup = make_lookup<11>(kDcSizeLuminance);
inline constexpr auto kDcSizeChrominanceLookup = make_lookup<12>(kDcSizeChrominance);

/// A motion vector difference in steps, sign resolved; `length` 0 marks an illegal code.
struct SignedCode {
    std::int8_t value;
    std::uint8_t length;
};
inline constexpr std::size_t kMvDataBits = 13;  ///< twelve code bits and the sign

/// Table B.12 with the sign bit that follows every code but that of 0.
inline constexpr auto kMvDataLookup = [] {
    constexpr auto unsigned_lookup = make_lookup<kMvDataBits - 1>(kMvData);
    std::array<SignedCode, 1U << kMvDataBits> lookup{};
    for (std::size_t bits = 0; bits < lookup.size(); ++bits) {
        const Code code = unsigned_lookup[bits >> 1];
        const bool negative = (bits >> (kMvDataBits - 1 - code.length) & 1U) != 0;
        const int sign_bits = code.length != 0 && code.value != 0 ? 1 : 0;
        lookup[bits] = {
            static_cast<std::int8_t>(sign_bits != 0 && negative ? -code.value : code.value),
            static_cast<std::uint8_t>(code.length + sign_bits)};
    }
    return lookup;
}();

/// Table 6.32: dquant by its two bits.
inline constexpr std::array<std::int8_t, 4> kDquant{-1, -2, 1, 2};

/// Table 6.21: below which running quantiser intra_dc_vlc_thr keeps the intra DC code.
inline constexpr std::array<std::uint8_t, 8> kIntraDcThreshold{99, 13, 15, 17, 19, 21, 23, 0};

/// Figure 7.2: scan position to raster index 8 * v + u.
inline constexpr std::array<std::uint8_t, 64> kZigzagScan{
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
    41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};
inline constexpr std::array<std::uint8_t, 64> kAlternateHorizontalScan{
    0,  1,  2,  3,  8,  9,  16, 17, 10, 11, 4,  5,  6,  7,  15, 14, 13, 12, 19, 18, 24, 25,
    32, 33, 26, 27, 20, 21, 22, 23, 28, 29, 30, 31, 34, 35, 40, 41, 48, 49, 42, 43, 36, 37,
    38, 39, 44, 45, 46, 47, 50, 51, 56, 57, 58, 59, 52, 53, 54, 55, 60, 61, 62, 63};
inline constexpr std::array<std::uint8_t, 64> kAlternateVerticalScan{
    0,  8,  16, 24, 1,  9,  2,  10, 17, 25, 32, 40, 48, 56, 57, 49, 41, 33, 26, 18, 3,  11,
    4,  12, 19, 27, 34, 42, 50, 58, 35, 43, 51, 59, 20, 28, 5,  13, 6,  14, 21, 29, 36, 44,
    52, 60, 37, 45, 53, 61, 22, 30, 7,  15, 23, 31, 38, 46, 54, 62, 39, 47, 55, 63};

/// 6.3.3: the matrices in force when the VOL loads none, raster order.
inline constexpr std::array<std::uint8_t, 64> kDefaultIntraMatrix{
    8,  17, 18, 19, 21, 23, 25, 27, 17, 18, 19, 21, 23, 25, 27, 28, 20, 21, 22, 23, 24, 26,
    28, 30, 21, 22, 23, 24, 26, 28, 30, 32, 22, 23, 24, 26, 28, 30, 32, 35, 23, 24, 26, 28,
    30, 32, 35, 38, 25, 26, 28, 30, 32, 35, 38, 41, 27, 28, 30, 32, 35, 38, 41, 45};
inline constexpr std::array<std::uint8_t, 64> kDefaultNonintraMatrix{
    16, 17, 18, 19, 20, 21, 22, 23, 17, 18, 19, 20, 21, 22, 23, 24, 18, 19, 20, 21, 22, 23,
    24, 25, 19, 20, 21, 22, 23, 24, 26, 27, 20, 21, 22, 23, 25, 26, 27, 28, 21, 22, 23, 24,
    26, 27, 28, 30, 22, 23, 24, 26, 27, 28, 30, 31, 23, 24, 25, 27, 28, 30, 31, 33};

/// 7.4.4.3: dc_scaler of intra blocks.
constexpr int dc_scaler(int quantiser, bool luminance) {
    if (quantiser < 5)
        return 8;
    if (luminance)
        return quantiser < 9 ? 2 * quantiser : quantiser < 25 ? quantiser + 8 : 2 * quantiser - 16;
    return quantiser < 25 ? (quantiser + 13) / 2 : quantiser - 6;
}

}  // namespace mic::mpeg4
