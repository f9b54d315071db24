#pragma once
/// Clause 7.6.2: prediction of 8-bit samples, with the rounding and clipping of the standard.

#include <array>
#include <cstddef>
#include <cstdint>

namespace mic::mpeg4 {

/// One square block to predict.
struct PredictedBlock {
    const std::uint8_t* from;  ///< a row and a column more than the block, where fractions need it
    std::ptrdiff_t stride;
    int fraction_x, fraction_y;  ///< in the unit of the interpolation
    bool rounding_type;          ///< vop_rounding_type: halves are rounded down
    std::uint8_t* to;
    std::ptrdiff_t to_stride;
};

using Predictor = void (*)(const PredictedBlock&);

/// One way to do it; all ways give the same bytes.
struct Predictors {
    Predictor half_16, half_8;        ///< 7.6.2.1, fractions 0 or 1 in half samples
    Predictor quarter_16, quarter_8;  ///< 7.6.2.2, fractions 0 to 3 in quarter samples
};

/// The portable code.
Predictors portable_predictors();

/// The fastest code that this processor runs.
Predictors select_predictors();

}  // namespace mic::mpeg4
