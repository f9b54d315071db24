#pragma once
/// Bits of one packet, most significant first, through a 64-bit window.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace mic::mpeg4 {

/// One packet's bytes followed by zeros, so that the reader may load eight bytes anywhere.
///
/// Every code of the standard has a 1 among its first twelve bits. So a parser that runs off the
/// end meets an illegal code after at most one fixed-length field, long before `kPadding` bytes;
/// `BitReader::exhausted` after each header and macroblock finds what is cut short but legal.
class Packet {
  public:
    static constexpr std::size_t kPadding = 64;

    Packet() : storage_(kPadding) {}
    explicit Packet(std::span<const std::uint8_t> bytes) { assign(bytes); }

    /// Makes room for `size` bytes to be filled by the caller.
    std::span<std::uint8_t> prepare(std::size_t size) {
        storage_.resize(size + kPadding);
        std::memset(storage_.data() + size, 0, kPadding);
        return {storage_.data(), size};
    }
    void assign(std::span<const std::uint8_t> bytes) {
        const auto room = prepare(bytes.size());
        if (!bytes.empty())
            std::memcpy(room.data(), bytes.data(), bytes.size());
    }
    [[nodiscard]] std::span<const std::uint8_t> bytes() const {
        return {storage_.data(), storage_.size() - kPadding};
    }

  private:
    std::vector<std::uint8_t> storage_;
};

/// Reads a `Packet`. `refill` guarantees 56 bits; `peek`, `skip` and `take` then cost a shift.
class BitReader {
  public:
    explicit BitReader(const Packet& packet, std::size_t bit_position = 0)
        : begin_(packet.bytes().data()),
          next_(begin_ + bit_position / 8),
          size_bits_(packet.bytes().size() * 8) {
        refill();
        skip(bit_position % 8);
    }

    /// Tops the window up to at least 56 bits, without a branch.
    void refill() {
        window_ |= load_big_endian(next_) >> available_;
        next_ += (63 - available_) >> 3;
        available_ |= 56;
    }
    /// The next `count` bits, 1 to 32, still unread.
    [[nodiscard]] std::uint32_t peek(std::size_t count) const {
        return static_cast<std::uint32_t>(window_ >> (64 - count));
    }
    void skip(std::size_t count) {
        window_ <<= count;
        available_ -= count;
    }
    std::uint32_t take(std::size_t count) {
        const std::uint32_t value = peek(count);
        skip(count);
        return value;
    }
    bool take_flag() { return take(1) != 0; }

    /// Bits read so far, which may exceed the packet when it was cut short.
    [[nodiscard]] std::size_t position() const {
        return static_cast<std::size_t>(next_ - begin_) * 8 - available_;
    }
    [[nodiscard]] std::size_t size_bits() const { return size_bits_; }
    [[nodiscard]] bool exhausted() const { return position() > size_bits_; }

    /// 5.2.3 nextbits_bytealigned(): bits of stuffing before the next byte, 1 to 8.
    [[nodiscard]] std::size_t stuffing_bits() const { return 8 - position() % 8; }

  private:
    static std::uint64_t load_big_endian(const std::uint8_t* bytes) {
        std::uint64_t word;
        std::memcpy(&word, bytes, sizeof word);
        if constexpr (std::endian::native == std::endian::little)
            word = __builtin_bswap64(word);
        return word;
    }

    const std::uint8_t* begin_;
    const std::uint8_t* next_;
    std::size_t size_bits_;
    std::uint64_t window_ = 0;
    std::size_t available_ = 0;
};

}  // namespace mic::mpeg4
