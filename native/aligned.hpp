#pragma once
/// Memory that starts where a line of the processor's cache does.

#include <cstddef>
#include <new>
#include <vector>

namespace mic::mpeg4 {

inline constexpr std::size_t kCacheLine = 64;

/// An allocator of whole cache lines: a row of a macroblock then fills lines, and shares none.
template <typename T>
struct CacheLineAllocator {
    using value_type = T;

    CacheLineAllocator() = default;
    template <typename U>
    CacheLineAllocator(const CacheLineAllocator<U>&) {}

    [[nodiscard]] T* allocate(std::size_t count) {
        return static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t{kCacheLine}));
    }
    void deallocate(T* memory, std::size_t) {
        ::operator delete(memory, std::align_val_t{kCacheLine});
    }
    template <typename U>
    bool operator==(const CacheLineAllocator<U>&) const {
        return true;
    }
};

template <typename T>
using AlignedVector = std::vector<T, CacheLineAllocator<T>>;

}  // namespace mic::mpeg4
