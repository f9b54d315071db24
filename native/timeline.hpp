#pragma once
/// Clauses 6.3.4, 6.3.5 and 7.6.7: when VOPs are shown, and which two each B-VOP refers to.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "mpeg4.hpp"

namespace mic::mpeg4 {

/// The references of one B-VOP.
struct References {
    std::size_t vop;     ///< the B-VOP's place in coding order
    std::size_t future;  ///< the I- or P-VOP that is shown after it; coded before it
    int trd;             ///< as in CoLocated
    int trb;
};

/// Follows the time of VOPs in coding order; one a stream.
class Timeline {
  public:
    /// The next VOP, of number `vop`; `resolution` is vop_time_increment_resolution.
    ///
    /// @return of an I- or P-VOP the ticks since the one before it, if both times are known. At
    /// most 0 where time runs backwards, or where B-VOPs told that a reference is gone.
    std::optional<std::int64_t> add(std::size_t vop, const Headers& headers, int resolution);

    /// A VOP whose header is damaged may have been a reference: B-VOPs behind it have none.
    void lose();

    /// Whether a VOP that is not coded stands for nothing, because it has the time of the
    /// reference before it: packed bitstreams fill packets with such where a B-VOP was moved out.
    [[nodiscard]] bool is_placeholder(const VopHeader& header, int resolution) const;

    /// The references of B-VOP `vop`; none where they are lost or do not stand around it in time.
    [[nodiscard]] std::optional<References> find(std::size_t vop) const;

  private:
    std::optional<std::int64_t> add_reference(std::size_t vop, const VopHeader& header);
    void add_bidirectional(std::size_t vop, const VopHeader& header);

    int resolution_ = 0;
    std::int64_t seconds_ = 0;               ///< where modulo_time_base counts from
    std::int64_t last_seconds_ = 0;          ///< the same for B-VOPs
    std::optional<std::int64_t> past_;       ///< ticks, of the last reference but one
    std::optional<std::int64_t> future_;     ///< ticks, of the last reference
    std::optional<std::int64_t> coded_;      ///< ticks, of the last reference that is coded
    std::optional<std::size_t> co_located_;  ///< its number
    bool misplaced_ = false;                 ///< a B-VOP since then is not shown before it
    std::vector<References> found_;          ///< ascending
};

}  // namespace mic::mpeg4
