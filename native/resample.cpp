/// Means over squares of samples, and bilinear sampling along an affine map.

#include "resample.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <functional>
#include <vector>

namespace mic::mpeg4 {
namespace {

/// The channels of a sample, and one that nobody reads: what a register holds.
using Sample = float __attribute__((vector_size(16)));

struct Samples {
    std::vector<Sample> all;
    int width, height;
};

constexpr float kWhite = 255;

Samples reduced(const RgbPicture& picture, int step) {
    Samples found{{}, (picture.width - 1) / step + 1, (picture.height - 1) / step + 1};
    found.all.resize(static_cast<std::size_t>(found.width) *
                     static_cast<std::size_t>(found.height));
    const std::ptrdiff_t stride = std::ptrdiff_t{3} * picture.width;
    std::vector<std::uint16_t> sums(static_cast<std::size_t>(stride));
    Sample* out = found.all.data();
    for (int top = 0; top < picture.height; top += step) {
        const int rows = std::min(step, picture.height - top);
        std::copy_n(picture.samples + top * stride, stride, sums.begin());
        for (int row = top + 1; row < top + rows; ++row)
            std::transform(sums.begin(), sums.end(), picture.samples + row * stride, sums.begin(),
                           std::plus<>());
        const std::uint16_t* sum = sums.data();
        for (int left = 0; left < picture.width; left += step, ++out) {
            const int columns = std::min(step, picture.width - left);
            std::array<int, 3> all{};
            for (int column = 0; column < columns; ++column, sum += 3)
                for (std::size_t channel = 0; channel < all.size(); ++channel)
                    all[channel] += sum[channel];
            *out = Sample{static_cast<float>(all[0]), static_cast<float>(all[1]),
                          static_cast<float>(all[2]), 0} /
                   (kWhite * static_cast<float>(rows * columns));
        }
    }
    return found;
}

}  // namespace

void resample(const RgbPicture& picture, int step, const AffineMap& map, int side, float* out) {
    const Samples from = reduced(picture, step);
    const int last_x = from.width - 1, last_y = from.height - 1;
    for (int row = 0; row < side; ++row) {
        const double v = row + 0.5, row_x = map[1] * v + map[2], row_y = map[4] * v + map[5];
        for (int column = 0; column < side; ++column, out += 3) {
            const double u = column + 0.5, x = map[0] * u + row_x, y = map[3] * u + row_y;
            if (!(x >= 0 && x < from.width && y >= 0 && y < from.height)) {
                std::fill(out, out + 3, 0.0F);
                continue;
            }
            // Of the four samples, that to the right and below.
            const int right = static_cast<int>(x + 0.5), low = static_cast<int>(y + 0.5);
            const auto right_share = static_cast<float>(x + 0.5 - right);
            const auto lower_share = static_cast<float>(y + 0.5 - low);
            const Sample* upper =
                from.all.data() + std::ptrdiff_t{std::max(low - 1, 0)} * from.width;
            const Sample* lower =
                from.all.data() + std::ptrdiff_t{std::min(low, last_y)} * from.width;
            const int x0 = std::max(right - 1, 0), x1 = std::min(right, last_x);
            const Sample above = upper[x0] + right_share * (upper[x1] - upper[x0]);
            const Sample below = lower[x0] + right_share * (lower[x1] - lower[x0]);
            const Sample between = above + lower_share * (below - above);
            std::memcpy(out, &between, 3 * sizeof(float));
        }
    }
}

}  // namespace mic::mpeg4
