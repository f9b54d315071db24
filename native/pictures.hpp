#pragma once
/// Exact samples of a region of chosen VOPs, with nothing reconstructed that they do not need.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "batch.hpp"
#include "interrupt.hpp"
#include "stream.hpp"

namespace mic::mpeg4 {

/// A rectangle of luma samples inside the picture.
struct Box {
    int left, top, width, height;

    /// The chroma samples that belong to any of its luma samples.
    [[nodiscard]] Box chroma() const {
        const int x = left / 2, y = top / 2;
        return {x, y, (left + width - 1) / 2 - x + 1, (top + height - 1) / 2 - y + 1};
    }
    [[nodiscard]] std::size_t area() const {
        return static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
    }
};

/// One picture to deliver.
struct PictureRequest {
    std::size_t vop;
    Box box;
    std::array<std::uint8_t*, 3> planes;  ///< Y (height, width), Cb and Cr (of `box.chroma()`)
    std::uint8_t* broken;  ///< (height, width): 1 where damage may have changed it; may be null
};

/// What was done for the requests.
struct PicturesReport {
    std::vector<BatchError> errors;  ///< in the order of the VOPs
    /// Macroblocks of which a block was reconstructed, and those that a decoder of whole pictures
    /// reconstructs: all from the I-VOP before the first VOP wanted of a group to the last one.
    std::uint64_t reconstructed = 0, total = 0;
};

/// Fills every request; VOPs in any order, also repeated.
///
/// Groups of pictures are independent, so that is what threads share out. Memory is two pictures
/// a thread, and what is kept of the parsed VOPs of a group, at most some `kKeptBytes`.
///
/// @param breaks VOPs, ascending, whose reference is not the VOP before them: marked as broken.
/// @param keep_going false: stop at damage; true: conceal what is missing and mark it.
PicturesReport reconstruct_pictures(const Stream& stream, std::span<const PictureRequest> requests,
                                    std::span<const std::size_t> breaks, std::size_t threads,
                                    bool keep_going, const Interrupt& interrupt = {});

/// What is kept of parsed VOPs before older ones are reconstructed whole instead.
inline constexpr std::size_t kKeptBytes = std::size_t{64} << 20;

}  // namespace mic::mpeg4
