#pragma once
/// A coded clip on disk: where its VOPs lie and which layer each belongs to, nothing decoded.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "decoder_pool.hpp"
#include "interrupt.hpp"
#include "mpeg4.hpp"
#include "timeline.hpp"

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

    /// Bytes in the file when it was opened.
    [[nodiscard]] std::uint64_t size() const { return size_; }

  private:
    int descriptor_;
    std::uint64_t size_ = 0;
};

/// One VOP of the index.
struct VopEntry {
    /// `step` where the clock does not tell: at the start, after an I-VOP and after damage.
    static constexpr std::int32_t kNoStep = std::numeric_limits<std::int32_t>::min();

    std::uint64_t offset = 0;  ///< into the file, or into the bytes kept in memory
    std::uint32_t size = 0;
    /// Ticks since the VOP shown before an I- or P-VOP; at most 0: time runs backwards.
    std::int32_t step = kNoStep;
    std::uint16_t layer = 0;  ///< index of its layer, see Stream::layer_of
    bool kept = false;        ///< bytes are in memory, because the file does not hold them as such
    bool coded = true;
    bool damaged = false;        ///< its header cannot be read; parsing it says why
    bool layer_unknown = false;  ///< the layer it belongs to has a header that cannot be read
    bool absent = false;         ///< the container promises it, and the file does not hold it
    VopCodingType coding_type = VopCodingType::intra;

    /// Whether nothing is predicted from it.
    [[nodiscard]] bool is_bidirectional() const {
        return coding_type == VopCodingType::bidirectional;
    }
    /// Whether a chain of predictions starts here.
    [[nodiscard]] bool starts_chain() const {
        return coded && !damaged && coding_type == VopCodingType::intra;
    }
};

/// What was met while indexing and did not end it.
struct IndexFault {
    std::size_t vop;  ///< the VOP that it stands in or before
    SyntaxError error;
};

/// The index of a clip. Memory is some 24 bytes a VOP, whatever the size of the pictures.
///
/// VOPs may be appended while other threads read those that are there.
class Stream {
  public:
    /// @param extradata headers that the container keeps apart from the packets; may be empty.
    /// @param keep_going enter what cannot be read as damaged VOPs and go on, also where the
    /// syntax is unsupported or where no layer is known yet; see `faults`.
    Stream(const std::string& path, std::span<const std::uint8_t> extradata,
           bool keep_going = false);

    /// Appends the VOPs of one packet that the demuxer found at `offset` (negative: unknown).
    ///
    /// There are several in "packed bitstreams": a reference VOP and the B-VOP shown before it.
    void append(std::int64_t offset, std::span<const std::uint8_t> packet);

    /// Appends VOPs from a container's own table, reading no more of each than its headers. What
    /// the table places beyond the end of the file is entered as absent.
    void append_table(std::span<const std::uint64_t> offsets, std::span<const std::uint32_t> sizes,
                      const Interrupt& interrupt = {});

    /// Appends `count` VOPs that a container promises and does not hold.
    void append_absent(std::size_t count);

    /// Indexes the file as an elementary stream: every VOP with the headers before it.
    void scan(const Interrupt& interrupt = {});

    /// Reads the packet of VOP `index`. Safe to call from several threads.
    void read(std::size_t index, Packet& packet) const;

    /// A decoder for one thread.
    [[nodiscard]] DecoderPool::Loan decoder() const { return DecoderPool::Loan(decoders_); }

    /// VOPs so far.
    [[nodiscard]] std::size_t size() const {
        const std::shared_lock guard(lock_);
        return vops_.size();
    }
    [[nodiscard]] VopEntry vop(std::size_t index) const {
        const std::shared_lock guard(lock_);
        return vops_.at(index);
    }
    /// The references of a B-VOP; none for other VOPs, and where they are lost.
    [[nodiscard]] std::optional<References> references_of(std::size_t index) const {
        const std::shared_lock guard(lock_);
        return timeline_.find(index);
    }
    /// Whether there is no B-VOP, so that VOPs are shown in coding order.
    [[nodiscard]] bool low_delay() const;

    /// The VOPs in the order they are shown: a reference VOP when the next one comes (7.6.7).
    [[nodiscard]] std::vector<std::size_t> display_order() const;

    /// The layer that a VOP belongs to; the reference stays good.
    [[nodiscard]] const VideoObjectLayer& layer_of(std::size_t index) const {
        const std::shared_lock guard(lock_);
        return layers_.at(vops_.at(index).layer);
    }
    /// A layer that gives the size of the picture, which all layers share; null before the first.
    [[nodiscard]] const VideoObjectLayer* any_layer() const {
        const std::shared_lock guard(lock_);
        return layers_.empty() ? nullptr : &layers_.front();
    }
    /// What did not end the indexing, in the order of the stream.
    [[nodiscard]] std::vector<IndexFault> faults() const {
        const std::shared_lock guard(lock_);
        return faults_;
    }

  private:
    void index_packet(VopEntry entry, std::span<const std::uint8_t> packet);
    void index(VopEntry entry, std::span<const std::uint8_t> packet);
    void enter(VopEntry entry, const Headers& headers);
    void enter_fault(VopEntry entry, std::span<const std::uint8_t> packet,
                     const SyntaxError& error);
    void enter_absent(std::size_t count);
    std::optional<std::uint64_t> find_packet(std::int64_t offset,
                                             std::span<const std::uint8_t> packet);
    bool head_describes(VopEntry entry);
    void enter_layer(const VideoObjectLayer& layer);
    void set_clock(VopEntry& entry, const Headers& headers);
    void append_by_table(std::span<const std::uint64_t> offsets,
                         std::span<const std::uint32_t> sizes, bool by_heads,
                         const Interrupt& interrupt);
    [[nodiscard]] const VideoObjectLayer* active_layer() const {
        return layers_.empty() ? nullptr : &layers_[active_layer_];
    }

    File file_;
    bool keep_going_;
    mutable std::shared_mutex lock_;  ///< guards all below but the decoders
    std::deque<VideoObjectLayer> layers_;
    std::size_t active_layer_ = 0;
    bool layer_known_ = true;  ///< false after a layer whose header cannot be read
    std::vector<VopEntry> vops_;
    std::vector<IndexFault> faults_;
    std::vector<std::uint8_t> kept_;
    Timeline timeline_;
    std::size_t moved_out_ = 0;  ///< VOPs that came in the packets of others, gaps not yet seen
    bool alone_ = false;         ///< the VOP being entered has a packet to itself
    Packet scratch_;
    mutable DecoderPool decoders_;
};

}  // namespace mic::mpeg4
