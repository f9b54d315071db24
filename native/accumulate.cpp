/// Motion compensation in the residual domain, after clauses 7.6.2, 7.6.4 and 7.6.5.

#include "accumulate.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#include "macroblock_samples.hpp"
#include "reference.hpp"

namespace mic::mpeg4 {
namespace {

/// The four luma vectors of a macroblock.
std::array<const std::int16_t*, 4> vectors_of(const std::int16_t* motion, int index, int columns) {
    const int mb_x = index % columns, mb_y = index / columns;
    std::array<const std::int16_t*, 4> v;
    for (int block = 0; block < 4; ++block)
        v[static_cast<std::size_t>(block)] =
            motion +
            2 * (std::ptrdiff_t{2 * mb_y + block / 2} * 2 * columns + 2 * mb_x + block % 2);
    return v;
}

/// The samples of a macroblock's residual; null where it has none.
template <int kSide>
const std::int16_t* residual_of(const PredictedVop& vop, int index) {
    return vop.coded[index] == 0 ? nullptr
                                 : vop.residual + std::ptrdiff_t{index} *
                                                      std::ptrdiff_t{Slot<kSide>::samples(false)};
}

bool breaks(MacroblockType type) {
    return is_intra(type) || type == MacroblockType::missing;
}

/// Calls a template of the samples that a macroblock's side has at this scale.
template <typename Function>
void with_side(int scale, const Function& function) {
    switch (scale) {
        case 1:
            return function.template operator()<16>();
        case 2:
            return function.template operator()<8>();
        case 4:
            return function.template operator()<4>();
        default:
            return function.template operator()<2>();
    }
}

/// Interpolation and the rounding of chroma vectors reach less far beyond a block.
constexpr int kMargin = 4;

}  // namespace

template <typename T>
Accumulator<T>::Accumulator(const VideoObjectLayer& layer, int scale, bool displacement)
    : layer_(layer),
      scale_(scale),
      scale_bits_(std::countr_zero(static_cast<unsigned>(scale))),
      with_displacement_(displacement) {
    const auto count = static_cast<std::size_t>(layer.mb_count());
    with_side(scale, [&]<int kSide>() {
        sums_.resize(count * Slot<kSide>::samples(displacement));
        broken_.resize(count * Slot<kSide>::marks);
    });
    marked_.resize(count);
    fates_.resize(count);
}

/// A plane of sums or of displacements that has as many samples as luma.
template <typename T>
template <int kSide>
BlockPlane<T, kSide> Accumulator<T>::luma_plane(std::size_t offset) const {
    const std::size_t step = Slot<kSide>::samples(with_displacement_);
    return {sums_.data() + offset, static_cast<std::ptrdiff_t>(step), layer_.mb_width(),
            layer_.mb_height()};
}

template <typename T>
template <int kSide>
BlockPlane<T, kSide / 2> Accumulator<T>::chroma_plane(std::size_t plane) const {
    const std::size_t step = Slot<kSide>::samples(with_displacement_);
    return {sums_.data() + Slot<kSide>::offset[plane], static_cast<std::ptrdiff_t>(step),
            layer_.mb_width(), layer_.mb_height()};
}

/// Marks of luma where `kBlock` is `kSide`, else of chroma.
template <typename T>
template <int kSide, int kBlock>
BlockPlane<std::uint8_t, kBlock> Accumulator<T>::marks_plane() const {
    return {broken_.data() + (kBlock == kSide ? 0 : Slot<kSide>::luma), Slot<kSide>::marks,
            layer_.mb_width(), layer_.mb_height()};
}

template <typename T>
void Accumulator<T>::reset() {
    std::fill(sums_.begin(), sums_.end(), T{});
    std::fill(broken_.begin(), broken_.end(), std::uint8_t{0});
    std::fill(marked_.begin(), marked_.end(), std::uint8_t{0});
}

template <typename T>
void Accumulator<T>::reset(const std::array<const std::uint8_t*, 3>& samples) {
    reset();
    const int columns = layer_.mb_width();
    T* to = sums_.data();
    for (int index = 0; index < layer_.mb_count();
         ++index, to += Slot<16>::samples(with_displacement_))
        for (std::size_t k = 0; k < 3; ++k) {
            const int side = k == 0 ? 16 : 8;
            const std::ptrdiff_t stride = std::ptrdiff_t{side} * columns;
            const std::uint8_t* from =
                samples[k] + index / columns * side * stride + index % columns * side;
            for (int row = 0; row < side; ++row, from += stride)
                std::transform(from, from + side, to + Slot<16>::offset[k] + row * side,
                               [](std::uint8_t sample) { return static_cast<T>(sample); });
        }
}

template <typename T>
void Accumulator<T>::lose() {
    reset();
    std::fill(broken_.begin(), broken_.end(), std::uint8_t{1});
    std::fill(marked_.begin(), marked_.end(), std::uint8_t{1});
}

template <typename T>
void Accumulator<T>::write_sums(std::size_t plane, const PlaneOf<T>& to) const {
    with_side(scale_, [&]<int kSide>() {
        if (plane == 0)
            write_rows(luma_plane<kSide>(0), to);
        else
            write_rows(chroma_plane<kSide>(plane), to);
    });
}

template <typename T>
void Accumulator<T>::write_displacement(std::size_t axis, const PlaneOf<T>& to) const {
    with_side(scale_, [&]<int kSide>() {
        write_rows(luma_plane<kSide>(Slot<kSide>::offset[3 + axis]), to);
    });
}

template <typename T>
void Accumulator<T>::write_broken(std::size_t plane, const PlaneOf<std::uint8_t>& to) const {
    with_side(scale_, [&]<int kSide>() {
        if (plane == 0)
            write_rows(marks_plane<kSide, kSide>(), to);
        else
            write_rows(marks_plane<kSide, kSide / 2>(), to);
    });
}

/// Whether prediction is a copy from the same place.
template <typename T>
bool Accumulator<T>::is_still(const std::array<const std::int16_t*, 4>& v) const {
    // The vectors of a pair of blocks lie side by side; nearly all that stand still are zero.
    std::uint64_t upper, lower;
    std::memcpy(&upper, v[0], sizeof upper);
    std::memcpy(&lower, v[2], sizeof lower);
    if ((upper | lower) == 0)
        return true;
    if constexpr (std::is_same_v<T, float>)
        return false;
    const int least = 4 * scale_;  // what moves by a sample
    return std::all_of(v.begin(), v.end(), [&](const std::int16_t* vector) {
        return std::abs(int{vector[0]}) < least && std::abs(int{vector[1]}) < least;
    });
}

/// 7.6.2: one luma block; `kSamples` is false for planes that are not samples (displacement).
template <typename T>
template <int kSide, bool kSamples, typename U, int kBlock>
void Accumulator<T>::carry_luma(const BlockPlane<U, kBlock>& from, int x, int y,
                                const std::int16_t* v, const Target<U>& to) {
    if constexpr (std::is_same_v<T, std::int16_t>) {
        predict_whole<kSide>(from, x + v[0] / (4 * scale_), y + v[1] / (4 * scale_), to);
    } else {
        if constexpr (kSamples && kSide >= 8)
            if (layer_.quarter_sample && scale_ == 1 && ((v[0] | v[1]) & 3) != 0)
                return predict_quarter<kSide>(from, x, y, {v[0], v[1], 2}, to);
        predict_bilinear<kSide>(from, x, y, {v[0], v[1], 2 + scale_bits_}, to);
    }
}

/// 7.6.5, then 7.6.2.1: one chroma block of a macroblock.
template <typename T>
template <int kSide, typename U>
void Accumulator<T>::carry_chroma(const BlockPlane<U, kSide>& from, int x, int y,
                                  const std::array<const std::int16_t*, 4>& v, bool four,
                                  const Target<U>& to) {
    std::array<std::array<int, 4>, 2> parts{};
    std::array<int, 2> total{};
    for (std::size_t axis = 0; axis < 2; ++axis)
        for (std::size_t block = 0; block < 4; ++block) {
            parts[axis][block] = v[block][axis];
            total[axis] += parts[axis][block];
        }
    if constexpr (std::is_same_v<T, std::int16_t>) {
        const int unit = 32 * scale_;  // four vectors, quarter samples, half resolution
        predict_whole<kSide>(from, x + total[0] / unit, y + total[1] / unit, to);
    } else if (scale_ == 1) {
        const Displacement by{chroma_halves(parts[0], four, layer_.quarter_sample),
                              chroma_halves(parts[1], four, layer_.quarter_sample), 1};
        predict_bilinear<kSide>(from, x, y, by, to);
    } else {
        predict_bilinear<kSide>(from, x, y, {total[0], total[1], 5 + scale_bits_}, to);
    }
}

template <typename T>
template <int kSide, int kBlock>
void Accumulator<T>::carry_displacement(std::size_t axis, int x, int y, const std::int16_t* v,
                                        const Target<T>& to) {
    carry_luma<kSide, false>(luma_plane<kBlock>(Slot<kBlock>::offset[3 + axis]), x, y, v, to);
    T step;
    if constexpr (std::is_same_v<T, std::int16_t>)
        step = static_cast<T>(v[axis] / (4 * scale_));
    else
        step = static_cast<T>(v[axis]) / static_cast<T>(4 * scale_);
    for (int row = 0; row < kSide; ++row)
        for (int column = 0; column < kSide; ++column) {
            T& value = to.data[row * to.stride + column];
            if constexpr (std::is_same_v<T, std::int16_t>)
                value = sum(value, step);
            else
                value += step;
        }
}

/// Whether a macroblock's prediction may touch broken samples; if not, it is entered as whole.
///
/// Intra macroblocks are few, so nearly all marks are zeros that nobody has to carry.
template <typename T>
template <int kSide>
bool Accumulator<T>::reaches_marks(int index, const std::array<const std::int16_t*, 4>& v) const {
    const int columns = layer_.mb_width(), rows = layer_.mb_height();
    std::array<int, 2> low{}, high{};
    for (std::size_t axis = 0; axis < 2; ++axis) {
        const auto [least, most] = std::minmax({v[0][axis], v[1][axis], v[2][axis], v[3][axis]});
        const int start = (axis == 0 ? index % columns : index / columns) * kSide;
        const int last = (axis == 0 ? columns : rows) - 1;
        const auto macroblock = [&](int sample) {
            return std::clamp(sample, 0, last * kSide) / kSide;
        };
        low[axis] = macroblock(start + least / (4 * scale_) - kMargin);
        high[axis] = macroblock(start + most / (4 * scale_) + kSide - 1 + kMargin);
    }
    for (int y = low[1]; y <= high[1]; ++y)
        for (int x = low[0]; x <= high[0]; ++x)
            if (marked_[static_cast<std::size_t>(y * columns + x)] != 0)
                return true;
    return false;
}

/// Decides every macroblock's fate, and how many rows above its own any of them may look up.
template <typename T>
template <int kSide>
int Accumulator<T>::plan(const std::int16_t* motion, const std::uint8_t* types) {
    const int columns = layer_.mb_width();
    int most = 0;
    for (int index = 0; index < layer_.mb_count(); ++index) {
        Fate& fate = fates_[static_cast<std::size_t>(index)];
        const auto type = static_cast<MacroblockType>(types[index]);
        if (breaks(type)) {
            fate = Fate::broken;
            continue;
        }
        const auto v = vectors_of(motion, index, columns);
        fate = type == MacroblockType::not_coded || is_still(v) ? Fate::still : Fate::moved;
        if (fate == Fate::still)
            continue;
        const int least = std::min({v[0][1], v[1][1], v[2][1], v[3][1]}) / (4 * scale_) - kMargin;
        const int above = (std::max(-least, 0) + kSide - 1) / kSide;
        most = std::max(most, std::min(above, index / columns));
    }
    return most;
}

/// The first half of a step: looks up what moves, while the old sums are all there.
template <typename T>
template <int kSide>
void Accumulator<T>::gather(int index, const PredictedVop& vop) {
    constexpr int half = kSide / 2;
    const int columns = layer_.mb_width();
    Fate& fate = fates_[static_cast<std::size_t>(index)];
    if (fate != Fate::moved)
        return;
    const int mb_x = index % columns, mb_y = index / columns;
    const auto v = vectors_of(vop.motion, index, columns);
    const std::int16_t* residual = residual_of<kSide>(vop, index);
    if (reaches_marks<kSide>(index, v))
        fate = Fate::marked;
    const auto slot = static_cast<std::size_t>(mb_y % held_ * columns + mb_x);
    T* values = pending_.data() + slot * Slot<kSide>::samples(with_displacement_);
    std::uint8_t* marks = pending_marks_.data() + slot * Slot<kSide>::marks;
    const bool four = static_cast<MacroblockType>(vop.types[index]) == MacroblockType::inter4v;
    const auto carry = [&]<int kBlock>(int block) {
        const int bx = block % 2 * kBlock, by = block / 2 * kBlock;
        const int x = mb_x * kSide + bx, y = mb_y * kSide + by;
        const auto at = static_cast<std::size_t>(by * kSide + bx);
        const std::int16_t* vector = v[static_cast<std::size_t>(block)];
        carry_luma<kBlock, true>(luma_plane<kSide>(0), x, y, vector,
                                 target(values, residual, at, kSide));
        if (fate == Fate::marked)
            carry_luma<kBlock, true>(marks_plane<kSide, kSide>(), x, y, vector,
                                     target(marks, nullptr, at, kSide));
        if (with_displacement_)
            for (std::size_t axis = 0; axis < 2; ++axis)
                carry_displacement<kBlock, kSide>(
                    axis, x, y, vector,
                    target(values + Slot<kSide>::offset[3 + axis], nullptr, at, kSide));
    };
    if (four)
        for (int block = 0; block < 4; ++block)
            carry.template operator()<half>(block);
    else
        carry.template operator()<kSide>(0);
    const int x = mb_x * half, y = mb_y * half;
    for (std::size_t plane = 1; plane < 3; ++plane)
        carry_chroma<half>(chroma_plane<kSide>(plane), x, y, v, four,
                           target(values, residual, Slot<kSide>::offset[plane], half));
    if (fate == Fate::marked)
        carry_chroma<half>(marks_plane<kSide, half>(), x, y, v, four,
                           target(marks, nullptr, Slot<kSide>::luma, half));
}

/// The second half: replaces the old sums by the new ones.
template <typename T>
template <int kSide>
void Accumulator<T>::settle(int index, const PredictedVop& vop) {
    const std::size_t size = Slot<kSide>::samples(with_displacement_);
    const auto macroblock = static_cast<std::size_t>(index);
    T* sums = sums_.data() + macroblock * size;
    std::uint8_t* marks = broken_.data() + macroblock * Slot<kSide>::marks;
    const Fate fate = fates_[macroblock];
    if (fate == Fate::still) {
        if (const std::int16_t* residual = residual_of<kSide>(vop, index))
            add<kSide>(sums, residual);
        return;
    }
    std::uint8_t& mark = marked_[macroblock];
    if (fate == Fate::broken) {
        std::fill_n(sums, size, T{});
        std::fill_n(marks, Slot<kSide>::marks, std::uint8_t{1});
        mark = 1;
        return;
    }
    const int columns = layer_.mb_width();
    const auto slot =
        static_cast<std::size_t>(index / columns % held_ * columns + index % columns);
    std::copy_n(pending_.data() + slot * size, size, sums);
    if (fate == Fate::marked) {
        std::copy_n(pending_marks_.data() + slot * Slot<kSide>::marks, Slot<kSide>::marks, marks);
        mark = 1;
    } else if (mark != 0) {
        std::fill_n(marks, Slot<kSide>::marks, std::uint8_t{0});
        mark = 0;
    }
}

/// 7.6: every macroblock of `kSide` luma samples.
template <typename T>
template <int kSide>
void Accumulator<T>::advance_all(const PredictedVop& vop) {
    const int columns = layer_.mb_width(), rows = layer_.mb_height();
    const int above = plan<kSide>(vop.motion, vop.types);
    held_ = above + 1;
    const auto slots = static_cast<std::size_t>(held_) * static_cast<std::size_t>(columns);
    if (pending_marks_.size() < slots * Slot<kSide>::marks) {
        pending_.resize(slots * Slot<kSide>::samples(with_displacement_));
        pending_marks_.resize(slots * Slot<kSide>::marks);
    }
    for (int row = 0; row < rows + above; ++row) {
        if (row < rows)
            for (int index = row * columns; index < (row + 1) * columns; ++index)
                gather<kSide>(index, vop);
        if (row >= above)
            for (int index = (row - above) * columns; index < (row - above + 1) * columns; ++index)
                settle<kSide>(index, vop);
    }
}

template <typename T>
void Accumulator<T>::advance(const PredictedVop& vop) {
    with_side(scale_, [&]<int kSide>() { advance_all<kSide>(vop); });
}

template class Accumulator<std::int16_t>;
template class Accumulator<float>;

}  // namespace mic::mpeg4
