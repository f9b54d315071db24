#pragma once
/// A part of an RGB picture, turned and brought to another size, as networks want their input.

#include <array>
#include <cstdint>

namespace mic::mpeg4 {

/// (height, width, 3) samples without padding.
struct RgbPicture {
    const std::uint8_t* samples;
    int width, height;
};

/// x = map[0] u + map[1] v + map[2], y = map[3] u + map[4] v + map[5]: from coordinates (u, v) of
/// the result to those of the picture; middles of samples lie at halves.
using AffineMap = std::array<double, 6>;

/// Writes (side, side, 3) samples from 0 to 1.
///
/// First the picture is reduced: each sample is the mean of a square of `step` by `step`, fewer at
/// the right and at the bottom; `step` is at most 256. `map` leads to coordinates of what comes
/// out. There, each result lies between the four nearest samples; the border's go on for half a
/// sample, and what lies outside the picture is 0.
void resample(const RgbPicture& picture, int step, const AffineMap& map, int side, float* out);

}  // namespace mic::mpeg4
