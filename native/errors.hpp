#pragma once
/// The two ways to refuse a stream, kept out of line so that hot loops stay small.

#include <string>

#include "bitreader.hpp"
#include "mpeg4.hpp"

namespace mic::mpeg4 {

[[noreturn, gnu::cold, gnu::noinline]] inline void damaged(const BitReader& reader,
                                                           const char* clause,
                                                           const std::string& message) {
    throw SyntaxError(Fault::damaged, clause, reader.position(), message);
}

[[noreturn, gnu::cold, gnu::noinline]] inline void unsupported(const BitReader& reader,
                                                               const char* clause,
                                                               const std::string& feature) {
    throw SyntaxError(Fault::unsupported, clause, reader.position(), feature);
}

/// 5.2.4: a marker bit is 1, so that no start code is emulated.
inline void expect_marker(BitReader& reader, const char* clause) {
    if (!reader.take_flag()) [[unlikely]]
        damaged(reader, clause, "marker_bit is 0");
}

}  // namespace mic::mpeg4
