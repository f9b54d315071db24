/// 6.3.5 modulo_time_base, vop_time_increment: seconds count from one reference VOP to the next,
/// and for a B-VOP from the reference that is shown before it.

#include "timeline.hpp"

#include <algorithm>
#include <limits>

namespace mic::mpeg4 {

void Timeline::lose() {
    past_.reset();
    future_.reset();
    coded_.reset();
    co_located_.reset();
    misplaced_ = false;
}

bool Timeline::is_placeholder(const VopHeader& header, int resolution) const {
    const std::int64_t time =
        (seconds_ + header.modulo_time_base) * resolution + header.vop_time_increment;
    return !header.vop_coded && header.coding_type == VopCodingType::predictive &&
           resolution == resolution_ && coded_ == time;
}

std::optional<std::int64_t> Timeline::add(std::size_t vop, const Headers& headers,
                                          int resolution) {
    if (resolution != resolution_) {
        lose();
        resolution_ = resolution;
    }
    if (headers.time_code)
        seconds_ = *headers.time_code;
    if (headers.vop->coding_type != VopCodingType::bidirectional)
        return add_reference(vop, *headers.vop);
    add_bidirectional(vop, *headers.vop);
    return std::nullopt;
}

std::optional<std::int64_t> Timeline::add_reference(std::size_t vop, const VopHeader& header) {
    last_seconds_ = seconds_;
    seconds_ += header.modulo_time_base;
    const std::int64_t time = seconds_ * resolution_ + header.vop_time_increment;
    std::optional<std::int64_t> step;
    if (future_)
        step = misplaced_ ? 0 : time - *future_;
    misplaced_ = false;
    past_ = future_;
    // The picture before is shown again, by some writers without a time of its own.
    future_ = header.vop_coded ? time : std::max(time, future_.value_or(time));
    if (header.vop_coded) {
        coded_ = time;
        co_located_ = vop;
    }
    return step;
}

void Timeline::add_bidirectional(std::size_t vop, const VopHeader& header) {
    if (!past_ || !future_ || !co_located_)
        return;
    const std::int64_t time =
        (last_seconds_ + header.modulo_time_base) * resolution_ + header.vop_time_increment;
    const std::int64_t trd = *future_ - *past_, trb = time - *past_;
    if (trb > 0 && trb < trd && trd <= std::numeric_limits<int>::max())
        found_.push_back({vop, *co_located_, static_cast<int>(trd), static_cast<int>(trb)});
    else
        misplaced_ = true;
}

std::optional<References> Timeline::find(std::size_t vop) const {
    const auto at = std::lower_bound(
        found_.begin(), found_.end(), vop,
        [](const References& references, std::size_t number) { return references.vop < number; });
    if (at == found_.end() || at->vop != vop)
        return std::nullopt;
    return *at;
}

}  // namespace mic::mpeg4
