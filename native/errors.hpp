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

/// 7.6.6: what needs predictions is refused where blocks overlap in them.
inline void expect_plain_compensation(const VideoObjectLayer& layer) {
    if (layer.overlapped_compensation) [[unlikely]]
        throw SyntaxError(Fault::unsupported, "7.6.6 Overlapped motion compensation", 0,
                          "prediction by overlapped block motion compensation (obmc_disable = 0)");
}

/// 5.2.4: a marker bit is 1, so that no start code is emulated.
inline void expect_marker(BitReader& reader, const char* clause) {
    if (!reader.take_flag()) [[unlikely]]
        damaged(reader, clause, "marker_bit is 0");
}

}  // namespace mic::mpeg4
