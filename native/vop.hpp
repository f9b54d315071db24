#pragma once
/// What the parsers of VOPs share.

#include <cstdint>
#include <span>

#include "bitreader.hpp"

namespace mic::mpeg4 {

/// 5.2.4 next_start_code(): after the last macroblock stand stuffing and nothing but headers.
///
/// So behind a VOP that is not coded: data there say that its flag is hurt.
///
/// @param strict stuffing as the standard has it and no other. In B-VOPs the stuffing of a video
/// packet reads as macroblocks, so that one which is cut behind it would pass for whole.
void expect_end(BitReader& reader, std::span<const std::uint8_t> bytes, bool strict = false);

}  // namespace mic::mpeg4
