#pragma once
/// What the fuzz harnesses share: input bytes, exact-sized outputs, invariants, a bit mutator.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

#include "../mpeg4.hpp"

// libFuzzer's own mutation of bytes, for the custom mutator to call.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t room);

namespace mic::mpeg4::fuzz {

/// Stops with a crash that libFuzzer reports and minimises.
inline void require(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "invariant broken: %s\n", what);
        std::abort();
    }
}

/// Takes numbers from the front of the input; zeros once it is used up.
class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}
    std::uint8_t byte() {
        if (rest_.empty())
            return 0;
        const std::uint8_t value = rest_.front();
        rest_ = rest_.subspan(1);
        return value;
    }
    std::size_t word() {
        const std::size_t high = byte();
        return high * 256 + byte();
    }
    std::span<const std::uint8_t> take(std::size_t size) {
        const auto part = rest_.first(size < rest_.size() ? size : rest_.size());
        rest_ = rest_.subspan(part.size());
        return part;
    }
    [[nodiscard]] bool empty() const { return rest_.empty(); }
    [[nodiscard]] std::size_t size() const { return rest_.size(); }

  private:
    std::span<const std::uint8_t> rest_;
};

/// Every output of one VOP in vectors of the exact size, so that ASan sees one sample too many.
/// Filled with a pattern first: whatever the decoder leaves alone would show.
struct Outputs {
    static constexpr std::int16_t kUntouched = 0x5aa5;

    Outputs(const VideoObjectLayer& layer, int scale) {
        const auto macroblocks = static_cast<std::size_t>(layer.mb_count());
        output.scale = scale;
        for (std::size_t k = 0; k < 3; ++k) {
            const int width = scaled_side(layer.width, scale, k > 0);
            const int height = scaled_side(layer.height, scale, k > 0);
            planes[k].assign(static_cast<std::size_t>(width) * static_cast<std::size_t>(height),
                             kUntouched);
            output.residual[k] = {planes[k].data(), width, width, height};
        }
        motion.assign(8 * macroblocks, kUntouched);
        backward.assign(8 * macroblocks, kUntouched);
        type.assign(macroblocks, 0x5a);
        quantiser.assign(macroblocks, 0x5a);
        bits.assign(macroblocks, 0x5a5a5a5a);
        output.motion = motion.data();
        output.backward = backward.data();
        output.type = type.data();
        output.quantiser = quantiser.data();
        output.bits = bits.data();
    }

    std::vector<std::int16_t> planes[3];
    std::vector<std::int16_t> motion;
    std::vector<std::int16_t> backward;
    std::vector<std::uint8_t> type;
    std::vector<std::uint8_t> quantiser;
    std::vector<std::uint32_t> bits;
    VopOutput output;
};

inline bool is_missing(std::uint8_t type) {
    return type == static_cast<std::uint8_t>(MacroblockType::missing);
}

/// Residual samples of one macroblock are all zero.
inline bool is_zero(const Outputs& outputs, const VideoObjectLayer& layer, int macroblock) {
    const int x = macroblock % layer.mb_width(), y = macroblock / layer.mb_width();
    for (const Plane& plane : outputs.output.residual) {
        const int side =
            (&plane == outputs.output.residual.data() ? 16 : 8) / outputs.output.scale;
        for (int row = y * side; row < (y + 1) * side && row < plane.height; ++row)
            for (int column = x * side; column < (x + 1) * side && column < plane.width; ++column)
                if (plane.data[row * plane.stride + column] != 0)
                    return false;
    }
    return true;
}

/// Residual samples of one macroblock are the same in both.
inline bool is_equal(const Outputs& a, const Outputs& b, const VideoObjectLayer& layer,
                     int macroblock) {
    const int x = macroblock % layer.mb_width(), y = macroblock / layer.mb_width();
    for (std::size_t k = 0; k < 3; ++k) {
        const Plane &left = a.output.residual[k], &right = b.output.residual[k];
        const int side = (k == 0 ? 16 : 8) / a.output.scale;
        for (int row = y * side; row < (y + 1) * side && row < left.height; ++row)
            for (int column = x * side; column < (x + 1) * side && column < left.width; ++column)
                if (left.data[row * left.stride + column] !=
                    right.data[row * right.stride + column])
                    return false;
    }
    return true;
}

/// What must hold after any call of `VopDecoder::decode`.
inline void check(const Outputs& outputs, const VopResult& result, const VideoObjectLayer& layer) {
    const int count = layer.mb_count();
    require(result.first_missing >= 0 && result.first_missing <= count, "first_missing in range");
    require(result.error.has_value() == (result.first_missing < count),
            "an error exactly when macroblocks are missing");
    for (int k = 0; k < count; ++k) {
        const std::uint8_t type = outputs.type[static_cast<std::size_t>(k)];
        require(is_missing(type) == (k >= result.first_missing), "missing ones are marked");
        require(is_missing(type) || type <= 9, "type is one of the tables");
        require(outputs.quantiser[static_cast<std::size_t>(k)] <= 31, "quantiser in range");
        const bool bare = (type >= 3 && type <= 5) || is_missing(type) ||
                          result.header.coding_type == VopCodingType::intra;
        require(!bare || is_zero(outputs, layer, k), "no residual without coefficients");
    }
    // No vector is as long.
    for (const auto* vectors : {&outputs.motion, &outputs.backward})
        for (const std::int16_t component : *vectors)
            require(component != Outputs::kUntouched, "every vector is set");
}

/// Moves the bits from `place` on by one: towards the end (insert) or the front (delete).
inline void shift_bits(std::span<std::uint8_t> data, std::size_t place, bool insert, bool value) {
    const std::size_t byte = place / 8;
    const unsigned below = 0xFFU >> place % 8;  // the bits of that byte that move
    const unsigned old = data[byte];
    if (insert) {
        unsigned carry = old & 1;
        data[byte] = static_cast<std::uint8_t>((old & ~below) | (value ? below ^ below >> 1 : 0) |
                                               ((old & below) >> 1));
        for (std::size_t k = byte + 1; k < data.size(); ++k) {
            const unsigned current = data[k];
            data[k] = static_cast<std::uint8_t>(carry << 7 | current >> 1);
            carry = current & 1;
        }
        return;
    }
    unsigned carry = 0;
    for (std::size_t k = data.size(); k-- > byte;) {
        const unsigned current = data[k];
        const unsigned moved = (current << 1 | carry) & 0xFF;
        carry = current >> 7;
        data[k] =
            static_cast<std::uint8_t>(k == byte ? (current & ~below) | (moved & below) : moved);
    }
}

/// Flips, inserts and deletes bits: variable-length codes do not end where bytes do.
inline std::size_t mutate_bits(std::uint8_t* data, std::size_t size, std::size_t room,
                               unsigned seed) {
    if (size == 0 || seed % 2 == 0)
        return LLVMFuzzerMutate(data, size, room);
    std::uint64_t state = seed * 0x9e3779b97f4a7c15U + 1;
    const auto next = [&state](std::size_t below) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        return static_cast<std::size_t>(state >> 33) % below;
    };
    if (size < room)
        data[size++] = 0;  // for the bit that an insertion pushes out
    const std::span<std::uint8_t> bytes(data, size);
    for (std::size_t rounds = 1 + next(4); rounds > 0; --rounds) {
        const std::size_t place = next(8 * size);
        const std::size_t kind = next(3);
        if (kind == 0)
            data[place / 8] = static_cast<std::uint8_t>(data[place / 8] ^ (0x80U >> place % 8));
        else
            shift_bits(bytes, place, kind == 1, next(2) == 1);
    }
    return size;
}

}  // namespace mic::mpeg4::fuzz
