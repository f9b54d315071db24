#pragma once
/// Sums over a clip: along the motion since the I-VOP, or plainly over segments of frames.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "accumulate.hpp"
#include "batch.hpp"
#include "colour.hpp"
#include "stream.hpp"

namespace mic::mpeg4 {

/// Arrays with one row a request, contiguous; null pointers are skipped.
template <typename T>
struct SumOutput {
    int scale = 1;
    ColourSpace space = ColourSpace::planes;
    std::array<T*, 3> planes{};             ///< (N, h, w) each; for ColourSpace::planes
    T* pixels = nullptr;                    ///< (N, h, w, 3); for the other spaces
    T* displacement = nullptr;              ///< (N, h, w, 2); accumulation only
    std::array<std::uint8_t*, 2> broken{};  ///< (N, h, w) luma and chroma; accumulation only
};

/// How chains of VOPs are followed.
struct ChainOptions {
    bool with_intra_vop = false;  ///< start from the I-VOP's samples instead of zero
    std::size_t threads = 1;
    bool keep_going = false;  ///< false: stop at damage; true: damaged macroblocks break the chain
    /// VOPs, ascending, whose reference is not the VOP before them: all chains break there.
    std::span<const std::size_t> breaks{};
};

/// Accumulates along the motion from the I-VOP before each of `vops`; T as for Accumulator.
///
/// Groups of pictures are independent, so that is what threads share out. Nothing is predicted
/// from B-VOPs: chains pass them by, and they must not be among `vops`. I-VOPs on the way are
/// parsed, since only that tells one from a VOP of another type: a damaged one breaks all chains.
template <typename T>
std::vector<BatchError> accumulate(const Stream& stream, std::span<const std::size_t> vops,
                                   const SumOutput<T>& output, const ChainOptions& options,
                                   const Interrupt& interrupt = {});

/// Sums the residuals of VOPs [bounds[k], bounds[k + 1]) into row k.
///
/// Rows of segments without a coded P-VOP are left as they are: zero, if the caller made them so.
std::vector<BatchError> sum_segments(const Stream& stream, std::span<const std::size_t> bounds,
                                     const SumOutput<std::int32_t>& output, std::size_t threads,
                                     bool keep_going, const Interrupt& interrupt = {});

}  // namespace mic::mpeg4
