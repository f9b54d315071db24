/// The index of a clip: clause 6.2.1 start codes delimit, clause 6.2.3 and 6.2.5 headers describe.

#include "stream.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <mutex>
#include <optional>
#include <system_error>

#include "headers.hpp"

namespace mic::mpeg4 {

/// What is held while looking for the end of a VOP.
constexpr std::size_t kMaxPacket = std::size_t{64} << 20;

File::File(const std::string& path) : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0)
        throw std::system_error(errno, std::generic_category(), path);
    struct stat status{};
    if (::fstat(descriptor_, &status) == 0 && status.st_size > 0)
        size_ = static_cast<std::uint64_t>(status.st_size);
}

File::~File() {
    ::close(descriptor_);
}

std::size_t File::read(std::uint64_t offset, std::span<std::uint8_t> to) const {
    std::size_t done = 0;
    while (done < to.size()) {
        const auto count = ::pread(descriptor_, to.data() + done, to.size() - done,
                                   static_cast<off_t>(offset + done));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            throw std::system_error(errno, std::generic_category(), "read");
        if (count == 0)
            break;
        done += static_cast<std::size_t>(count);
    }
    return done;
}

Stream::Stream(const std::string& path, std::span<const std::uint8_t> extradata, bool keep_going)
    : file_(path), keep_going_(keep_going) {
    scratch_.assign(extradata);
    try {
        const Headers headers = read_headers(scratch_, nullptr);
        if (headers.layer)
            enter_layer(*headers.layer);
    } catch (const SyntaxError& error) {
        if (!keep_going_)
            throw;
        faults_.push_back({0, error});  // a VOP may bring its own layer
    }
}

void Stream::enter_layer(const VideoObjectLayer& layer) {
    const auto known = std::find(layers_.begin(), layers_.end(), layer);
    if (known == layers_.end()) {
        if (!layers_.empty() &&
            (layers_[0].width != layer.width || layers_[0].height != layer.height))
            throw SyntaxError(Fault::unsupported, "6.2.3 VideoObjectLayer()", 0,
                              "a change of the picture size within the stream");
        if (layers_.size() > std::numeric_limits<std::uint16_t>::max())
            throw SyntaxError(Fault::unsupported, "6.2.3 VideoObjectLayer()", 0,
                              "more than 65536 different video object layers");
        layers_.push_back(layer);
        active_layer_ = layers_.size() - 1;
    } else {
        active_layer_ = static_cast<std::size_t>(known - layers_.begin());
    }
    layer_known_ = true;
}

/// 6.3.5 modulo_time_base and vop_time_increment, 6.3.4 time_code: the step since the VOP before.
void Stream::set_clock(VopEntry& entry, const Headers& headers) {
    const auto clamped = [](std::int64_t ticks) {
        return static_cast<std::int32_t>(
            std::clamp<std::int64_t>(ticks, -std::numeric_limits<std::int32_t>::max(),
                                     std::numeric_limits<std::int32_t>::max()));
    };
    const std::size_t vop = vops_.size();
    const auto step =
        timeline_.add(vop, headers, layers_[active_layer_].vop_time_increment_resolution);
    // A chain that starts anew, after a cut for instance, may start its time anew.
    if (step && !entry.starts_chain())
        entry.step = clamped(*step);
    if (!entry.is_bidirectional())
        return;
    if (const auto references = timeline_.find(vop)) {
        VopEntry& future = vops_[references->future];
        if (future.step > references->trd - references->trb)  // this one is shown before it
            future.step = references->trd - references->trb;
    }
}

/// Enters a VOP whose headers were read, unless it only fills a gap of a packed bitstream.
void Stream::enter(VopEntry entry, const Headers& headers) {
    if (headers.layer)
        enter_layer(*headers.layer);
    if (!headers.vop)  // headers alone, or the end of the sequence
        return;
    const int resolution = layers_[active_layer_].vop_time_increment_resolution;
    const bool fills_gap = alone_ && moved_out_ > 0 && !headers.vop->vop_coded;
    moved_out_ -= fills_gap ? 1 : 0;
    if (fills_gap || timeline_.is_placeholder(*headers.vop, resolution))
        return;
    entry.coding_type = headers.vop->coding_type;
    entry.coded = headers.vop->vop_coded;
    set_clock(entry, headers);
    entry.layer_unknown = !layer_known_;
    entry.layer = static_cast<std::uint16_t>(active_layer_);
    vops_.push_back(entry);
}

/// A packet holds one VOP, or in a packed bitstream several; headers belong to the VOP they
/// precede.
void Stream::index_packet(VopEntry entry, std::span<const std::uint8_t> packet) {
    std::vector<std::size_t> starts{0};
    std::size_t vops = 0;
    std::size_t after = 0;  // the start code behind the last VOP
    for (std::size_t at = find_start_code(packet, 0); at < packet.size();
         at = find_start_code(packet, at + 3)) {
        if (vops > 0 && after == 0)
            after = at;
        if (!is_vop_start_code(packet[at + 3]))
            continue;
        if (vops++ > 0)
            starts.push_back(after);
        after = 0;
    }
    starts.push_back(packet.size());
    alone_ = vops == 1;
    const std::uint64_t begin = entry.offset;
    for (std::size_t k = 0; k + 1 < starts.size(); ++k) {
        entry.offset = begin + starts[k];
        entry.size = static_cast<std::uint32_t>(starts[k + 1] - starts[k]);
        index(entry, packet.subspan(starts[k], entry.size));
    }
    alone_ = false;
    moved_out_ += vops > 1 ? vops - 1 : 0;
}

void Stream::index(VopEntry entry, std::span<const std::uint8_t> packet) {
    scratch_.assign(packet);
    try {
        enter(entry, read_headers(scratch_, active_layer()));
    } catch (const SyntaxError& error) {
        if (!keep_going_ && (error.fault == Fault::unsupported || layers_.empty()))
            throw;
        enter_fault(entry, packet, error);
    }
}

/// Enters what cannot be read: a VOP, or one behind a header that is no header.
void Stream::enter_fault(VopEntry entry, std::span<const std::uint8_t> packet,
                         const SyntaxError& error) {
    faults_.push_back({vops_.size(), error});
    timeline_.lose();
    std::size_t at = find_start_code(packet, 0);
    bool layer_hurt = false;
    for (; at < packet.size() && !is_vop_start_code(packet[at + 3]);
         at = find_start_code(packet, at + 3))
        layer_hurt = layer_hurt || is_layer_start_code(packet[at + 3]);
    if (at >= packet.size() && find_start_code(packet, 0) < packet.size() && vops_.empty()) {
        layer_known_ = layer_known_ && !layer_hurt;
        return;  // headers alone
    }
    if (at < packet.size() && layer_hurt && !layers_.empty()) {
        // A layer starts with an I-VOP. In front of a P-VOP the start code of one is an accident
        // within the VOP before, and the layer in force stays so.
        scratch_.assign(packet.subspan(at));
        try {
            const Headers headers = read_headers(scratch_, active_layer());
            if (headers.vop && headers.vop->coding_type == VopCodingType::predictive) {
                entry.offset += at;
                entry.size -= static_cast<std::uint32_t>(at);
                return enter(entry, headers);
            }
        } catch (const SyntaxError&) {
            // The VOP is hurt as well, and entered as such.
        }
    }
    layer_known_ = layer_known_ && !layer_hurt;
    entry.damaged = true;
    entry.layer_unknown = !layer_known_;
    entry.layer = static_cast<std::uint16_t>(active_layer_);
    vops_.push_back(entry);
}

void Stream::append(std::int64_t offset, std::span<const std::uint8_t> packet) {
    VopEntry entry;
    entry.size = static_cast<std::uint32_t>(packet.size());
    const std::unique_lock guard(lock_);
    const auto found = offset < 0 ? std::nullopt : find_packet(offset, packet);
    if (found) {
        entry.offset = *found;
    } else {
        entry.kept = true;
        entry.offset = kept_.size();
        kept_.insert(kept_.end(), packet.begin(), packet.end());
    }
    index_packet(entry, packet);
}

/// Where in the file a packet lies whole, if it does. Demuxers report where it starts, or where
/// its chunk header does: 8 bytes before in AVI, 4 in Matroska, more where blocks are laced.
std::optional<std::uint64_t> Stream::find_packet(std::int64_t offset,
                                                 std::span<const std::uint8_t> packet) {
    std::array<std::uint8_t, 64 + 32> window{};  // a header, and how a packet begins
    const auto head = packet.first(std::min<std::size_t>(packet.size(), 32));
    const auto first = static_cast<std::uint64_t>(offset);
    const std::size_t read = file_.read(first, std::span(window));
    const auto end = window.begin() + static_cast<std::ptrdiff_t>(read);
    for (auto at = window.begin();; ++at) {
        at = std::search(at, end, head.begin(), head.end());
        if (at == end)
            return std::nullopt;
        const auto start = first + static_cast<std::uint64_t>(at - window.begin());
        const auto bytes = scratch_.prepare(packet.size());
        if (file_.read(start, bytes) == bytes.size() &&
            std::equal(bytes.begin(), bytes.end(), packet.begin()))
            return start;
    }
}

void Stream::append_absent(std::size_t count) {
    const std::unique_lock guard(lock_);
    enter_absent(count);
}

void Stream::enter_absent(std::size_t count) {
    VopEntry entry;
    entry.absent = entry.damaged = true;
    entry.layer = static_cast<std::uint16_t>(active_layer_);
    vops_.insert(vops_.end(), count, entry);
    timeline_.lose();
}

void Stream::append_table(std::span<const std::uint64_t> offsets,
                          std::span<const std::uint32_t> sizes, const Interrupt& interrupt) {
    const std::unique_lock guard(lock_);
    const std::size_t before = vops_.size();
    const std::size_t faults = faults_.size(), active = active_layer_;
    const bool known = layer_known_;
    const Timeline timeline = timeline_;
    append_by_table(offsets, sizes, true, interrupt);
    // Packed bitstreams show in the VOPs that fill their gaps; heads do not tell what is behind.
    const auto is_coded = [](const VopEntry& entry) { return entry.coded; };
    const auto first = vops_.begin() + static_cast<std::ptrdiff_t>(before);
    if (vops_.size() - before == offsets.size() && std::all_of(first, vops_.end(), is_coded))
        return;
    vops_.resize(before);
    faults_.erase(faults_.begin() + static_cast<std::ptrdiff_t>(faults), faults_.end());
    active_layer_ = active;
    layer_known_ = known;
    timeline_ = timeline;
    append_by_table(offsets, sizes, false, interrupt);
}

/// Appends VOPs by their heads alone where these tell enough, or by their whole packets.
void Stream::append_by_table(std::span<const std::uint64_t> offsets,
                             std::span<const std::uint32_t> sizes, bool by_heads,
                             const Interrupt& interrupt) {
    constexpr std::size_t head_size = 64;  // a P-VOP's header takes some ten bytes
    std::vector<std::uint8_t> whole;
    for (std::size_t k = 0; k < offsets.size(); ++k) {
        interrupt.check();
        VopEntry entry;
        entry.offset = offsets[k];
        entry.size = sizes[k];
        if (entry.offset > file_.size() || entry.size > file_.size() - entry.offset) {
            enter_absent(1);
            continue;
        }
        const auto head = scratch_.prepare(std::min<std::size_t>(head_size, entry.size));
        if (by_heads && file_.read(entry.offset, head) == head.size() && !layers_.empty() &&
            layer_known_ && head_describes(entry))
            continue;
        whole.resize(entry.size);
        file_.read(entry.offset, whole);  // what is gone by now is found out when it is parsed
        index_packet(entry, whole);
    }
}

/// Enters a VOP by the first bytes of its packet, if they hold all its headers and no new layer.
bool Stream::head_describes(VopEntry entry) {
    try {
        const Headers headers = read_headers(scratch_, active_layer());
        if (!headers.vop || headers.layer)
            return false;
        enter(entry, headers);
    } catch (const SyntaxError&) {
        return false;
    }
    return true;
}

void Stream::scan(const Interrupt& interrupt) {
    // One byte more than a small file has, to see at once that it ends there.
    const auto block = static_cast<std::size_t>(
        std::clamp<std::uint64_t>(file_.size() + 1, 1 << 12, std::uint64_t{1} << 20));
    std::vector<std::uint8_t> window;  // a part of the file, from `base` on
    std::uint64_t base = 0;
    std::size_t start = 0;     // of the packet being looked for, in the window
    std::size_t searched = 0;  // start codes before this are known
    bool in_vop = false, more = true;
    const std::unique_lock guard(lock_);
    const auto emit = [&](std::size_t end) {
        VopEntry entry;
        entry.offset = base + start;
        entry.size = static_cast<std::uint32_t>(end - start);
        index(entry, std::span(window).subspan(start, end - start));
        start = end;
    };
    while (more) {
        interrupt.check();
        window.erase(window.begin(), window.begin() + static_cast<std::ptrdiff_t>(start));
        base += start;
        searched -= start;
        start = 0;
        const std::size_t kept = window.size();
        if (kept > kMaxPacket)
            throw SyntaxError(Fault::damaged, "6.2.1 start codes", 0,
                              "no start code within 64 MiB of elementary stream");
        window.resize(kept + block);
        const std::size_t count = file_.read(base + kept, std::span(window).subspan(kept));
        window.resize(kept + count);
        more = count == block;
        for (;;) {
            const std::size_t at = find_start_code(window, searched);
            if (at == window.size())
                break;
            if (in_vop)
                emit(at);
            in_vop = is_vop_start_code(window[at + 3]);
            searched = at + 4;
        }
        // The last three bytes may begin a start code that the next block completes.
        searched = std::max(searched, window.size() - std::min<std::size_t>(3, window.size()));
    }
    if (start < window.size())
        emit(window.size());
}

bool Stream::low_delay() const {
    const std::shared_lock guard(lock_);
    return std::none_of(vops_.begin(), vops_.end(),
                        [](const VopEntry& vop) { return vop.is_bidirectional(); });
}

std::vector<std::size_t> Stream::display_order() const {
    const std::shared_lock guard(lock_);
    std::vector<std::size_t> order;
    std::optional<std::size_t> waiting;
    for (std::size_t vop = 0; vop < vops_.size(); ++vop) {
        if (vops_[vop].is_bidirectional()) {
            order.push_back(vop);
            continue;
        }
        if (waiting)
            order.push_back(*waiting);
        waiting = vop;
    }
    if (waiting)
        order.push_back(*waiting);
    return order;
}

void Stream::read(std::size_t index, Packet& packet) const {
    constexpr const char* clause = "6.2.5 VideoObjectPlane()";
    std::shared_lock guard(lock_);
    const VopEntry entry = vops_.at(index);
    if (entry.absent)
        throw SyntaxError(Fault::damaged, clause, 0,
                          "the container promises this packet and the file does not hold it");
    if (entry.layer_unknown)
        throw SyntaxError(Fault::damaged, "6.2.3 VideoObjectLayer()", 0,
                          "the header of the layer that this VOP belongs to cannot be read");
    const auto bytes = packet.prepare(entry.size);
    if (entry.kept) {
        std::copy_n(kept_.begin() + static_cast<std::ptrdiff_t>(entry.offset), entry.size,
                    bytes.begin());
        return;
    }
    guard.unlock();
    if (file_.read(entry.offset, bytes) != bytes.size())
        throw SyntaxError(Fault::damaged, clause, 0, "the file ends before the packet does");
}

}  // namespace mic::mpeg4
