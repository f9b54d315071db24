/// Motion compensation in the residual domain, after clauses 7.6.2, 7.6.4 and 7.6.5.

#include "accumulate.hpp"

#include <algorithm>
#include <bit>
#include <type_traits>

namespace mic::mpeg4 {
namespace {

/// 7.6.5, Table 7-9: sixteenths of a sample to halves, for chroma of four vectors.
constexpr std::array<int, 16> kSixteenthsToHalves{0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2};

/// 7.6.5: one component of the chroma vector in half samples, from luma in quarter samples.
int chroma_halves(const std::array<int, 4>& luma, bool four, bool quarter_sample) {
    if (four) {
        int total = 0;  // in half samples of luma; quarter samples are halved one by one
        for (const int component : luma)
            total += component / 2;
        return kSixteenthsToHalves[static_cast<std::size_t>(total & 15)] + ((total >> 3) & ~1);
    }
    const int halves = luma[0] / 2;
    // Any fraction of a chroma sample, 1/4 to 3/4, becomes one half.
    return quarter_sample ? (halves >> 1) | (halves & 1)
                          : 2 * (halves >> 2) + ((halves & 3) != 0 ? 1 : 0);
}

/// A block of `to`, with the block of the residual plane above it, if there is one.
template <typename U>
Target<U> target_of(Surface<U>& to, int x, int y, const Plane* residual) {
    Target<U> target(to, x, y);
    if (residual != nullptr) {
        target.residual = residual->data + y * residual->stride + x;
        target.residual_stride = residual->stride;
    }
    return target;
}

template <typename U>
void fill(Surface<U>& to, int x, int y, int side, U value) {
    for (int row = 0; row < side; ++row)
        std::fill_n(to.at(x, y + row), side, value);
}

}  // namespace

template <typename T>
Accumulator<T>::Accumulator(const VideoObjectLayer& layer, int scale, bool displacement)
    : layer_(layer),
      scale_(scale),
      scale_bits_(std::countr_zero(static_cast<unsigned>(scale))),
      with_displacement_(displacement) {
    const int width = layer.mb_width() * 16 / scale, height = layer.mb_height() * 16 / scale;
    for (std::size_t k = 0; k < 3; ++k)
        sums_[k] = next_[k] =
            k == 0 ? Surface<T>(width, height) : Surface<T>(width / 2, height / 2);
    if (displacement)
        for (std::size_t k = 0; k < 2; ++k)
            displacement_[k] = next_displacement_[k] = Surface<T>(width, height);
    broken_ = {Surface<std::uint8_t>(width, height), Surface<std::uint8_t>(width / 2, height / 2)};
    next_broken_ = broken_;
    marked_.resize(static_cast<std::size_t>(layer.mb_count()));
    next_marked_ = marked_;
}

template <typename T>
void Accumulator<T>::reset() {
    for (auto& plane : sums_)
        std::fill(plane.samples.begin(), plane.samples.end(), T{});
    for (auto& plane : displacement_)
        std::fill(plane.samples.begin(), plane.samples.end(), T{});
    for (auto& plane : broken_)
        std::fill(plane.samples.begin(), plane.samples.end(), std::uint8_t{0});
    std::fill(marked_.begin(), marked_.end(), std::uint8_t{0});
}

template <typename T>
void Accumulator<T>::reset(const std::array<const std::uint8_t*, 3>& samples) {
    reset();
    for (std::size_t k = 0; k < 3; ++k)
        std::transform(samples[k], samples[k] + sums_[k].samples.size(), sums_[k].samples.begin(),
                       [](std::uint8_t sample) { return static_cast<T>(sample); });
}

template <typename T>
void Accumulator<T>::lose() {
    reset();
    for (auto& plane : broken_)
        std::fill(plane.samples.begin(), plane.samples.end(), std::uint8_t{1});
    std::fill(marked_.begin(), marked_.end(), std::uint8_t{1});
}

/// 7.6.2: one luma block; `kSamples` is false for planes that are not samples (displacement).
template <typename T>
template <int kSide, bool kSamples, typename U>
void Accumulator<T>::carry_luma(const Surface<U>& from, Surface<U>& to, int x, int y,
                                const std::int16_t* v, const Plane* residual) {
    const Target<U> target = target_of(to, x, y, residual);
    if constexpr (std::is_same_v<T, std::int16_t>) {
        predict_whole<U, kSide>(from, x + v[0] / (4 * scale_), y + v[1] / (4 * scale_), target);
    } else {
        if constexpr (kSamples && kSide >= 8)
            if (layer_.quarter_sample && scale_ == 1 && ((v[0] | v[1]) & 3) != 0)
                return predict_quarter<U, kSide>(from, x, y, {v[0], v[1], 2}, target);
        predict_bilinear<U, kSide>(from, x, y, {v[0], v[1], 2 + scale_bits_}, target);
    }
}

/// 7.6.5, then 7.6.2.1: one chroma block of a macroblock.
template <typename T>
template <int kSide, typename U>
void Accumulator<T>::carry_chroma(const Surface<U>& from, Surface<U>& to, int x, int y,
                                  const std::array<const std::int16_t*, 4>& v, bool four,
                                  const Plane* residual) {
    std::array<std::array<int, 4>, 2> parts{};
    std::array<int, 2> total{};
    for (std::size_t axis = 0; axis < 2; ++axis)
        for (std::size_t block = 0; block < 4; ++block) {
            parts[axis][block] = v[block][axis];
            total[axis] += parts[axis][block];
        }
    const Target<U> target = target_of(to, x, y, residual);
    if constexpr (std::is_same_v<T, std::int16_t>) {
        const int unit = 32 * scale_;  // four vectors, quarter samples, half resolution
        predict_whole<U, kSide>(from, x + total[0] / unit, y + total[1] / unit, target);
    } else if (scale_ == 1) {
        const Displacement by{chroma_halves(parts[0], four, layer_.quarter_sample),
                              chroma_halves(parts[1], four, layer_.quarter_sample), 1};
        predict_bilinear<U, kSide>(from, x, y, by, target);
    } else {
        predict_bilinear<U, kSide>(from, x, y, {total[0], total[1], 5 + scale_bits_}, target);
    }
}

template <typename T>
template <int kSide>
void Accumulator<T>::carry_displacement(int x, int y, const std::int16_t* v) {
    for (std::size_t axis = 0; axis < 2; ++axis) {
        Surface<T>& to = next_displacement_[axis];
        carry_luma<kSide, false>(displacement_[axis], to, x, y, v, nullptr);
        T step;
        if constexpr (std::is_same_v<T, std::int16_t>)
            step = static_cast<T>(v[axis] / (4 * scale_));
        else
            step = static_cast<T>(v[axis]) / static_cast<T>(4 * scale_);
        for (int row = 0; row < kSide; ++row)
            for (int column = 0; column < kSide; ++column) {
                T& value = *to.at(x + column, y + row);
                if constexpr (std::is_same_v<T, std::int16_t>)
                    value = sum(value, step);
                else
                    value += step;
            }
    }
}

template <typename T>
template <int kSide>
void Accumulator<T>::clear(int mb_x, int mb_y) {
    for (std::size_t k = 0; k < 3; ++k) {
        const int side = k == 0 ? kSide : kSide / 2;
        fill(next_[k], mb_x * side, mb_y * side, side, T{});
    }
    if (with_displacement_)
        for (auto& plane : next_displacement_)
            fill(plane, mb_x * kSide, mb_y * kSide, kSide, T{});
    fill<std::uint8_t>(next_broken_[0], mb_x * kSide, mb_y * kSide, kSide, 1);
    fill<std::uint8_t>(next_broken_[1], mb_x * kSide / 2, mb_y * kSide / 2, kSide / 2, 1);
}

/// Whether a macroblock's prediction may touch broken samples; if not, it is entered as whole.
///
/// Intra macroblocks are few, so nearly all marks are zeros that nobody has to carry.
template <typename T>
template <int kSide>
bool Accumulator<T>::carries_marks(int index, const std::array<const std::int16_t*, 4>& v) {
    constexpr int margin = 4;  // interpolation and the rounding of chroma vectors reach less far
    const int columns = layer_.mb_width(), rows = layer_.mb_height();
    const int mb_x = index % columns, mb_y = index / columns;
    std::array<int, 2> low{}, high{};
    for (std::size_t axis = 0; axis < 2; ++axis) {
        const auto [least, most] = std::minmax({v[0][axis], v[1][axis], v[2][axis], v[3][axis]});
        const int start = (axis == 0 ? mb_x : mb_y) * kSide;
        const int last = (axis == 0 ? columns : rows) - 1;
        const auto macroblock = [&](int sample) {
            return std::clamp(sample, 0, last * kSide) / kSide;
        };
        low[axis] = macroblock(start + least / (4 * scale_) - margin);
        high[axis] = macroblock(start + most / (4 * scale_) + kSide - 1 + margin);
    }
    bool found = false;
    for (int y = low[1]; y <= high[1]; ++y)
        for (int x = low[0]; x <= high[0]; ++x)
            found = found || marked_[static_cast<std::size_t>(y * columns + x)] != 0;
    std::uint8_t& stale = next_marked_[static_cast<std::size_t>(index)];
    if (!found && stale != 0) {
        fill<std::uint8_t>(next_broken_[0], mb_x * kSide, mb_y * kSide, kSide, 0);
        fill<std::uint8_t>(next_broken_[1], mb_x * kSide / 2, mb_y * kSide / 2, kSide / 2, 0);
    }
    stale = found ? 1 : 0;
    return found;
}

/// 7.6: every macroblock of `kSide` luma samples.
template <typename T>
template <int kSide>
void Accumulator<T>::advance_all(const std::array<Plane, 3>& residual, const std::int16_t* motion,
                                 const std::uint8_t* types) {
    constexpr int half = kSide / 2;
    const int columns = layer_.mb_width();
    const auto type_of = [&](int index) { return static_cast<MacroblockType>(types[index]); };
    const auto breaks = [&](int index) {
        return is_intra(type_of(index)) || type_of(index) == MacroblockType::missing;
    };
    for (int index = 0; index < layer_.mb_count(); ++index) {
        const int mb_x = index % columns, mb_y = index / columns;
        const int x = mb_x * kSide, y = mb_y * kSide;
        if (breaks(index)) {
            clear<kSide>(mb_x, mb_y);
            next_marked_[static_cast<std::size_t>(index)] = 1;
            continue;
        }
        std::array<const std::int16_t*, 4> v;
        for (int block = 0; block < 4; ++block)
            v[static_cast<std::size_t>(block)] =
                motion +
                2 * (std::ptrdiff_t{2 * mb_y + block / 2} * 2 * columns + 2 * mb_x + block % 2);
        const bool four = type_of(index) == MacroblockType::inter4v;
        const bool coded = type_of(index) != MacroblockType::not_coded;
        const bool marked = carries_marks<kSide>(index, v);
        for (int block = 0; block < (four ? 4 : 1); ++block) {
            const int bx = x + block % 2 * half, by = y + block / 2 * half;
            const std::int16_t* vector = v[static_cast<std::size_t>(block)];
            const auto carry = [&]<int kBlock>() {
                carry_luma<kBlock, true>(sums_[0], next_[0], bx, by, vector,
                                         coded ? &residual[0] : nullptr);
                if (marked)
                    carry_luma<kBlock, true>(broken_[0], next_broken_[0], bx, by, vector, nullptr);
                if (with_displacement_)
                    carry_displacement<kBlock>(bx, by, vector);
            };
            if (four)
                carry.template operator()<half>();
            else
                carry.template operator()<kSide>();
        }
        const int cx = mb_x * half, cy = mb_y * half;
        for (std::size_t plane = 1; plane < 3; ++plane)
            carry_chroma<half>(sums_[plane], next_[plane], cx, cy, v, four,
                               coded ? &residual[plane] : nullptr);
        if (marked)
            carry_chroma<half>(broken_[1], next_broken_[1], cx, cy, v, four, nullptr);
    }
}

template <typename T>
void Accumulator<T>::advance(const std::array<Plane, 3>& residual, const std::int16_t* motion,
                             const std::uint8_t* types) {
    switch (scale_) {
        case 1:
            advance_all<16>(residual, motion, types);
            break;
        case 2:
            advance_all<8>(residual, motion, types);
            break;
        case 4:
            advance_all<4>(residual, motion, types);
            break;
        default:
            advance_all<2>(residual, motion, types);
            break;
    }
    std::swap(sums_, next_);
    std::swap(displacement_, next_displacement_);
    std::swap(broken_, next_broken_);
    std::swap(marked_, next_marked_);
}

template class Accumulator<std::int16_t>;
template class Accumulator<float>;

}  // namespace mic::mpeg4
