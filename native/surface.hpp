#pragma once
/// Planes of a picture, and windows of them that may reach beyond the border.

#include <algorithm>
#include <array>
#include <cstddef>

#include "aligned.hpp"

namespace mic::mpeg4 {

/// A plane of whole macroblocks; samples outside repeat its border (7.6.4).
template <typename T>
struct Surface {
    int width = 0;
    int height = 0;
    AlignedVector<T> samples;

    Surface() = default;
    Surface(int width, int height)
        : width(width),
          height(height),
          samples(static_cast<std::size_t>(width) * static_cast<std::size_t>(height)) {}

    [[nodiscard]] const T* at(int x, int y) const {
        return samples.data() + static_cast<std::ptrdiff_t>(y) * width + x;
    }
    [[nodiscard]] T* at(int x, int y) {
        return samples.data() + static_cast<std::ptrdiff_t>(y) * width + x;
    }
};

/// A window of a reference plane, copied when it reaches beyond the border.
template <typename T, int kSide>
class Window {
  public:
    Window(const Surface<T>& from, int x, int y) {
        if (x >= 0 && y >= 0 && x + kSide <= from.width && y + kSide <= from.height) [[likely]] {
            data_ = from.at(x, y);
            stride_ = from.width;
            return;
        }
        T* to = copy_.data();
        for (int row = 0; row < kSide; ++row) {
            const T* line = from.at(0, std::clamp(y + row, 0, from.height - 1));
            for (int column = 0; column < kSide; ++column)
                *to++ = line[std::clamp(x + column, 0, from.width - 1)];
        }
        data_ = copy_.data();
        stride_ = kSide;
    }
    Window(const Window&) = delete;
    Window& operator=(const Window&) = delete;

    [[nodiscard]] const T* row(int y) const { return data_ + y * stride_; }
    [[nodiscard]] std::ptrdiff_t stride() const { return stride_; }

  private:
    std::array<T, static_cast<std::size_t>(kSide) * kSide> copy_;
    const T* data_;
    std::ptrdiff_t stride_;
};

}  // namespace mic::mpeg4
