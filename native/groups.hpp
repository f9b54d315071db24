#pragma once
/// Groups of pictures: which chain each VOP that is wanted lies on.

#include <algorithm>
#include <cstddef>
#include <map>
#include <numeric>
#include <span>
#include <vector>

namespace mic::mpeg4 {

/// Groups of pictures, by their first VOP, with the VOPs wanted from each and their rows.
using Groups = std::map<std::size_t, std::multimap<std::size_t, std::size_t>>;

/// The groups of `vops`; the first VOP of all starts one, whatever it is.
///
/// Looks back from each VOP no further than to the VOP wanted before it, so that no VOP is looked
/// at more than a few times, however many are wanted from a group.
///
/// @param stream has `vop(index).starts_chain()`.
template <typename Index>
Groups groups_of(const Index& stream, std::span<const std::size_t> vops) {
    std::vector<std::size_t> rows(vops.size());
    std::iota(rows.begin(), rows.end(), std::size_t{0});
    std::stable_sort(rows.begin(), rows.end(),
                     [&](std::size_t a, std::size_t b) { return vops[a] < vops[b]; });
    Groups groups;
    std::size_t known = 0, first_of_known = 0;
    for (const std::size_t row : rows) {
        std::size_t first = vops[row];
        while (first > known && !stream.vop(first).starts_chain())
            --first;
        if (first == known && !stream.vop(first).starts_chain())
            first = first_of_known;
        known = vops[row];
        first_of_known = first;
        groups[first].emplace(vops[row], row);
    }
    return groups;
}

}  // namespace mic::mpeg4
