#pragma once
/// A coded clip on disk: where its VOPs lie and which layer each belongs to, nothing decoded.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mpeg4.hpp"

namespace mic::mpeg4 {

/// A read-only file descriptor, closed on destruction; positioned reads share it among threads.
class File {
  public:
    explicit File(const std::string& path);
    ~File();
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    /// Fills `to` from `offset`; returns the bytes read, fewer only at the end of the file.
    std::size_t read(std::uint64_t offset, std::span<std::uint8_t> to) const;

  private:
    int descriptor_;
};

/// Decoders kept between calls, because their tables take longer to build than a VOP to parse.
class DecoderPool {
  public:
    /// A decoder on loan, given back on destruction.
    class Loan {
      public:
        explicit Loan(DecoderPool& pool) : pool_(&pool), decoder_(pool.take()) {}
        ~Loan() {
            if (decoder_)
                pool_->give_back(std::move(decoder_));
        }
        Loan(Loan&&) noexcept = default;
        Loan& operator=(Loan&&) = delete;
        VopDecoder& operator*() { return *decoder_; }

      private:
        DecoderPool* pool_;
        std::unique_ptr<VopDecoder> decoder_;
    };

  private:
    std::unique_ptr<VopDecoder> take();
    void give_back(std::unique_ptr<VopDecoder> decoder);

    std::mutex lock_;
    std::vector<std::unique_ptr<VopDecoder>> idle_;
};

/// One VOP of the index.
struct VopEntry {
    std::uint64_t offset = 0;  ///< into the file, or into the bytes kept in memory
    std::uint32_t size = 0;
    std::uint16_t layer = 0;  ///< index into Stream::layers
    bool kept = false;        ///< bytes are in memory, because the file does not hold them as such
    VopCodingType coding_type = VopCodingType::intra;
    bool coded = true;
    bool damaged = false;  ///< its header cannot be read; parsing it says why
};

/// The index of a clip. Memory is some 24 bytes a VOP, whatever the size of the pictures.
class Stream {
  public:
    /// @param extradata headers that the container keeps apart from the packets; may be empty.
    Stream(const std::string& path, std::span<const std::uint8_t> extradata);

    /// Appends the VOP of one packet that the demuxer found at `offset` (negative: unknown).
    void append(std::int64_t offset, std::span<const std::uint8_t> packet);

    /// Appends VOPs from a container's own table, reading no more of each than its headers.
    void append_table(std::span<const std::uint64_t> offsets,
                      std::span<const std::uint32_t> sizes);

    /// Indexes the file as an elementary stream: every VOP with the headers before it.
    void scan();

    /// Reads the packet of VOP `index`. Safe to call from several threads.
    void read(std::size_t index, Packet& packet) const;

    /// A decoder for one thread.
    [[nodiscard]] DecoderPool::Loan decoder() const { return DecoderPool::Loan(decoders_); }

    [[nodiscard]] const std::vector<VopEntry>& vops() const { return vops_; }
    [[nodiscard]] const VideoObjectLayer& layer_of(std::size_t index) const {
        return layers_[vops_[index].layer];
    }
    /// The first layer; all others have its size.
    [[nodiscard]] const VideoObjectLayer* layer() const {
        return layers_.empty() ? nullptr : &layers_.front();
    }

  private:
    void index(VopEntry entry, std::span<const std::uint8_t> packet);
    bool head_describes(VopEntry entry);
    void enter_layer(const VideoObjectLayer& layer);

    File file_;
    std::vector<VideoObjectLayer> layers_;
    std::size_t active_layer_ = 0;
    std::vector<VopEntry> vops_;
    std::vector<std::uint8_t> kept_;
    Packet scratch_;
    mutable DecoderPool decoders_;
};

}  // namespace mic::mpeg4
