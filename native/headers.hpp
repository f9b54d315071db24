#pragma once
/// Start codes, shared between the header parser, the VOP parser and the stream index.

#include <cstddef>
#include <cstdint>
#include <span>

#include "mpeg4.hpp"

namespace mic::mpeg4 {

/// 6.2.1: offset of the next 00 00 01 xx at or after `from`; `bytes.size()` when there is none.
std::size_t find_start_code(std::span<const std::uint8_t> bytes, std::size_t from);

/// Table 6.3: whether the byte after 00 00 01 opens a VOP.
bool is_vop_start_code(std::uint8_t code);

/// Table 6.3: whether the byte after 00 00 01 opens a video object layer.
bool is_layer_start_code(std::uint8_t code);

}  // namespace mic::mpeg4
