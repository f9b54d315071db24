#pragma once
/// What the parsers of I- and P-VOPs share.

#include <cstdint>
#include <span>

#include "bitreader.hpp"

namespace mic::mpeg4 {

/// 5.2.4 next_start_code(): after the last macroblock stand stuffing and nothing but headers.
///
/// So behind a VOP that is not coded: data there say that its flag is hurt.
void expect_end(BitReader& reader, std::span<const std::uint8_t> bytes);

}  // namespace mic::mpeg4
