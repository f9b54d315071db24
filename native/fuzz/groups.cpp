/// Counts how often the index is looked at to find groups of pictures, and checks what is found.
///
/// A program of its own, for the sanitizers; it ends with status 0, or where something is wrong.

#include "../groups.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

using mic::mpeg4::Groups;

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

/// An index that counts.
class Counted {
  public:
    struct Entry {
        bool starts;
        [[nodiscard]] bool starts_chain() const { return starts; }
    };
    explicit Counted(std::vector<bool> starts) : starts_(std::move(starts)) {}

    [[nodiscard]] Entry vop(std::size_t index) const {
        ++looks_;
        return {starts_.at(index)};
    }
    [[nodiscard]] std::size_t looks() const { return looks_; }

    /// By definition: back to where a chain starts, or to the first VOP.
    [[nodiscard]] std::size_t first_of(std::size_t vop) const {
        while (vop > 0 && !starts_[vop])
            --vop;
        return vop;
    }

  private:
    std::vector<bool> starts_;
    mutable std::size_t looks_ = 0;
};

/// The looks it takes to find the groups of some VOPs.
std::size_t looks(const std::vector<bool>& starts, const std::vector<std::size_t>& vops) {
    const Counted index(starts);
    const Groups groups = mic::mpeg4::groups_of(index, std::span(vops));
    std::size_t rows = 0;
    for (const auto& [first, wanted] : groups)
        for (const auto& [vop, row] : wanted) {
            require(vops.at(row) == vop, "a row belongs to the VOP that was wanted there");
            require(index.first_of(vop) == first, "a VOP belongs to the chain before it");
            ++rows;
        }
    require(rows == vops.size(), "every row is in a group");
    return index.looks();
}

}  // namespace

int main() {
    // All VOPs of one group: twice the VOPs, twice the looks, in any order of asking.
    for (const bool backwards : {false, true})
        for (std::size_t count : {1000U, 2000U, 4000U, 8000U}) {
            std::vector<bool> starts(count);
            starts[0] = true;
            std::vector<std::size_t> vops(count);
            for (std::size_t k = 0; k < count; ++k)
                vops[k] = backwards ? count - 1 - k : k;
            require(looks(starts, vops) <= 3 * count, "a VOP is looked at a few times");
            starts[0] = false;
            require(looks(starts, vops) <= 3 * count, "with or without an I-VOP");
            vops = {count - 1};
            require(looks(starts, vops) <= count + 1,
                    "one VOP: back to its start, and no further");
        }
    // Random groups, VOPs in random order, some of them twice.
    std::uint32_t state = 1;
    const auto random = [&state](std::size_t below) {
        state = state * 1664525U + 1013904223U;
        return static_cast<std::size_t>(state >> 16) % below;
    };
    for (int round = 0; round < 500; ++round) {
        std::vector<bool> starts(1 + random(60));
        for (std::size_t k = 0; k < starts.size(); ++k)
            starts[k] = random(5) == 0;
        std::vector<std::size_t> vops(random(40));
        for (std::size_t& vop : vops)
            vop = random(starts.size());
        require(looks(starts, vops) <= 3 * starts.size() + 3 * vops.size(), "few looks");
    }
    std::puts("ok");
    return 0;
}
