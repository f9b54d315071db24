/// Groups of pictures: backwards along the dependency, then forwards through what was found.

#include "pictures.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "coded_vop.hpp"
#include "parallel.hpp"
#include "reconstruct.hpp"

namespace mic::mpeg4 {
namespace {

/// The requests of one group, by ascending VOP.
using GroupRequests = std::multimap<std::size_t, const PictureRequest*>;

/// What the threads find out, in the order of the VOPs.
class Findings {
  public:
    void add_error(std::size_t vop, int first_missing, const SyntaxError& error) {
        const std::lock_guard guard(lock_);
        errors_.emplace(vop, BatchError{0, vop, first_missing, error});
    }
    void add_work(std::uint64_t reconstructed, std::uint64_t total) {
        const std::lock_guard guard(lock_);
        report_.reconstructed += reconstructed;
        report_.total += total;
    }
    [[nodiscard]] PicturesReport report() const {
        PicturesReport report = report_;
        for (const auto& [vop, error] : errors_)
            report.errors.push_back(error);
        return report;
    }

  private:
    std::mutex lock_;
    std::map<std::size_t, BatchError> errors_;
    PicturesReport report_;
};

/// One thread's share: whole groups of pictures, one after the other.
class GroupReader {
  public:
    GroupReader(const Stream& stream, std::span<const std::size_t> breaks, bool keep_going,
                const Interrupt& interrupt, Findings& findings)
        : stream_(stream),
          layer_(*stream.any_layer()),
          breaks_(breaks),
          keep_going_(keep_going),
          interrupt_(interrupt),
          findings_(findings),
          reader_(layer_),
          needs_{Needs(layer_), Needs(layer_)},
          pictures_{Picture(layer_), Picture(layer_)} {}

    /// All requests of the group that starts at VOP `first`.
    void run(std::size_t first, const GroupRequests& requests) {
        const std::size_t last = requests.rbegin()->first;
        reconstructed_ = 0;
        std::vector<std::optional<CodedVop>> kept(last - first + 1);
        const std::optional<std::size_t> walked = walk(first, last, requests, kept);
        if (!walked || (!stream_.vop(first).starts_chain() && !start_from_nothing(first)))
            return;
        bool begun = false;
        std::uint64_t total = 0;
        auto next = requests.begin();
        for (std::size_t vop = first; vop <= last; ++vop) {
            interrupt_.check();
            if (takes_part(vop))
                total += static_cast<std::uint64_t>(layer_.mb_count());
            if (vop < *walked && !read_whole(vop, kept[vop - first]))
                return;
            if (std::binary_search(breaks_.begin(), breaks_.end(), vop))
                pictures_[current_].mark_all_broken();
            if (auto& coded = kept[vop - first]) {
                if (!begun && !coded->intra)  // its header is lost: nothing is from another group
                    forget();
                begun = true;
                reconstructed_ += coded->macroblocks.size();
                reconstructor_.apply(*coded, stream_.layer_of(vop), pictures_[current_],
                                     pictures_[1 - current_]);
                current_ = 1 - current_;
                coded.reset();
            }
            for (; next != requests.end() && next->first == vop; ++next)
                deliver(*next->second);
        }
        findings_.add_work(reconstructed_, total);
    }

  private:
    /// Backwards from `last`: parses the VOPs that anything wanted depends on, for just that.
    ///
    /// Returns the first VOP walked to: those before it are to be reconstructed whole, because
    /// nearly all of each is needed or more would be kept than `kKeptBytes`. None after damage
    /// that stops the reading.
    std::optional<std::size_t> walk(std::size_t first, std::size_t last,
                                    const GroupRequests& requests,
                                    std::vector<std::optional<CodedVop>>& kept) {
        const int nearly_all = layer_.mb_count() - layer_.mb_count() / 16;
        std::size_t bytes = 0;
        Needs *needed = &needs_[0], *before = &needs_[1];
        needed->clear();
        for (std::size_t vop = last + 1; vop-- > first;) {
            const auto [from, to] = requests.equal_range(vop);
            for (auto request = from; request != to; ++request)
                mark(request->second->box, *needed);
            const int count = needed->macroblocks();
            interrupt_.check();
            if (count == 0 || !takes_part(vop))
                continue;
            if (count >= nearly_all || bytes > kKeptBytes)
                return vop + 1;
            CodedVop& coded = kept[vop - first].emplace();
            if (!read(vop, *needed, coded))
                return std::nullopt;
            bytes += coded.bytes();
            before->clear();
            mark_references(stream_.layer_of(vop), coded, *before);
            std::swap(needed, before);
        }
        return first;
    }
    /// Whether a VOP changes the picture that the next one is predicted from.
    [[nodiscard]] bool takes_part(std::size_t vop) const {
        const VopEntry entry = stream_.vop(vop);
        return entry.coded && !entry.is_bidirectional();
    }
    static void mark(const Box& box, Needs& needs) {
        const Box chroma = box.chroma();
        needs.mark_luma(box.left, box.top, box.width, box.height);
        needs.mark_chroma(chroma.left, chroma.top, chroma.width, chroma.height);
    }
    /// Parses a VOP of which everything is wanted; false after damage that stops the reading.
    bool read_whole(std::size_t vop, std::optional<CodedVop>& coded) {
        if (!takes_part(vop))
            return true;
        needs_[0].mark_all();
        return read(vop, needs_[0], coded.emplace());
    }
    bool read(std::size_t vop, const Needs& needed, CodedVop& coded) {
        std::optional<SyntaxError> unreadable;
        try {
            stream_.read(vop, packet_);
        } catch (const SyntaxError& error) {
            unreadable = error;
            packet_.prepare(0);
        }
        VopResult result = reader_.read(packet_, stream_.layer_of(vop), needed, coded);
        if (unreadable)
            result.error = unreadable;
        if (result.error)
            findings_.add_error(vop, result.first_missing, *result.error);
        return !result.error || keep_going_;
    }
    /// The stream does not start with an I-VOP: what the first VOPs are predicted from is lost.
    bool start_from_nothing(std::size_t first) {
        forget();
        if (!stream_.vop(first).damaged)  // otherwise its own error says so
            findings_.add_error(first, 0,
                                SyntaxError(Fault::damaged, "6.1.3 I-VOP", 0,
                                            "the stream does not start with an I-VOP"));
        return keep_going_;
    }
    void forget() {
        for (Picture& picture : pictures_)
            picture.forget();
    }
    void deliver(const PictureRequest& request) const {
        const Picture& picture = pictures_[current_];
        for (std::size_t k = 0; k < 3; ++k) {
            const Box box = k == 0 ? request.box : request.box.chroma();
            for (int row = 0; row < box.height; ++row)
                std::copy_n(picture.planes[k].at(box.left, box.top + row), box.width,
                            request.planes[k] + std::ptrdiff_t{row} * box.width);
        }
        if (request.broken == nullptr)
            return;
        const Box& box = request.box;
        std::uint8_t* to = request.broken;
        for (int y = box.top; y < box.top + box.height; ++y)
            for (int x = box.left; x < box.left + box.width; ++x)
                *to++ = picture.any_broken ? picture.broken[static_cast<std::size_t>(
                                                 y / 16 * layer_.mb_width() + x / 16)]
                                           : std::uint8_t{0};
    }

    const Stream& stream_;
    const VideoObjectLayer& layer_;
    std::span<const std::size_t> breaks_;
    bool keep_going_;
    const Interrupt& interrupt_;
    Findings& findings_;
    VopReader reader_;
    Reconstructor reconstructor_;
    std::array<Needs, 2> needs_;
    std::array<Picture, 2> pictures_;
    std::size_t current_ = 0;
    std::uint64_t reconstructed_ = 0;
    Packet packet_;
};

}  // namespace

PicturesReport reconstruct_pictures(const Stream& stream, std::span<const PictureRequest> requests,
                                    std::span<const std::size_t> breaks, std::size_t threads,
                                    bool keep_going, const Interrupt& interrupt) {
    GroupRequests by_vop;
    for (const PictureRequest& request : requests)
        by_vop.emplace(request.vop, &request);
    std::vector<std::pair<std::size_t, GroupRequests>> jobs;  // by the first VOP of the group
    std::size_t looked_at = 0;  // VOPs before this one need not be looked at again
    for (const auto& [vop, request] : by_vop) {
        std::size_t first = vop;
        while (first > looked_at && !stream.vop(first).starts_chain())
            --first;
        if (jobs.empty() || stream.vop(first).starts_chain())
            if (jobs.empty() || jobs.back().first != first)
                jobs.push_back({first, {}});
        jobs.back().second.emplace(vop, request);
        looked_at = vop;
    }
    Findings findings;
    parallel_for(jobs.size(), threads, interrupt, [&] {
        return [&, reader = std::make_unique<GroupReader>(stream, breaks, keep_going, interrupt,
                                                          findings)](std::size_t job) {
            reader->run(jobs[job].first, jobs[job].second);
        };
    });
    return findings.report();
}

}  // namespace mic::mpeg4
