#pragma once
/// Many VOPs of one or several clips into arrays, frame-parallel.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "colour.hpp"
#include "interrupt.hpp"
#include "mpeg4.hpp"
#include "stream.hpp"

namespace mic::mpeg4 {

/// One VOP to parse.
struct Request {
    const Stream* stream = nullptr;
    std::size_t source = 0;  ///< the caller's number of that stream
    std::size_t vop = 0;
};

/// Arrays with one row a request, contiguous; null pointers are skipped.
struct BatchOutput {
    int scale = 1;
    ColourSpace space = ColourSpace::planes;
    std::array<std::int16_t*, 3> planes{};  ///< (N, h, w) each; for ColourSpace::planes
    std::int16_t* pixels = nullptr;         ///< (N, h, w, 3); for the other spaces
    std::int16_t* motion = nullptr;         ///< (N, 2 mb_height, 2 mb_width, 2)
    std::int16_t* backward = nullptr;       ///< as motion
    std::uint8_t* type = nullptr;           ///< (N, mb_height, mb_width)
    std::uint8_t* quantiser = nullptr;      ///< as type
    std::uint32_t* bits = nullptr;          ///< as type
};

/// What went wrong with one request.
struct BatchError {
    std::size_t source;
    std::size_t vop;
    int first_missing;  ///< macroblocks before it were delivered
    SyntaxError error;
};

/// What one thread reads into: a packet, and the modes and vectors that a B-VOP refers to.
class ReadBuffer {
  public:
    Packet packet;

    /// The references of a B-VOP, parsed once for all that follow each other; null for other VOPs
    /// and where the references are lost. Uses `packet`.
    const CoLocated* read_references(const Stream& stream, std::size_t vop, VopDecoder& decoder);

  private:
    const Stream* stream_ = nullptr;
    std::size_t vop_ = 0;  ///< whose types and vectors these are
    std::vector<std::uint8_t> type_;
    std::vector<std::int16_t> motion_;
    CoLocated co_located_;
};

/// Reads and parses one VOP; a packet that cannot be read counts as damaged.
VopResult read_and_decode(const Stream& stream, std::size_t vop, ReadBuffer& buffer,
                          VopDecoder& decoder, const VopOutput& output);

/// Parses every request into its row; all streams must have the size of the first.
///
/// @param keep_going false: requests after the first failing one may be left unparsed.
/// @return the failures in the order of the requests.
std::vector<BatchError> decode_batch(std::span<const Request> requests, const BatchOutput& output,
                                     std::size_t threads, bool keep_going,
                                     const Interrupt& interrupt = {});

}  // namespace mic::mpeg4
