/// Frame-parallel parsing: P-VOPs need no other VOP, so each is a job of its own.

#include "batch.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "parallel.hpp"

namespace mic::mpeg4 {
namespace {

/// Residuals of more bytes than this are written past the caches: when the caller comes to read
/// them, the first are gone from there anyway, and nothing else has been driven out.
constexpr std::size_t kCacheBytes = std::size_t{24} << 20;

/// One thread's decoder, packet and, for interleaved output, planes.
class Worker {
  public:
    Worker(const Stream& stream, const VideoObjectLayer& layer, const BatchOutput& output,
           std::size_t rows)
        : output_(output), decoder_(stream.decoder()) {
        std::size_t total = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            const int width = scaled_side(layer.width, output.scale, k > 0);
            const int height = scaled_side(layer.height, output.scale, k > 0);
            planes_[k] = {nullptr, width, width, height};
            sizes_[k] = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
            total += sizes_[k];
        }
        // Planes to interleave are one VOP's, and read again at once.
        streams_ =
            output.planes[0] != nullptr && total * rows * sizeof(std::int16_t) > kCacheBytes;
        macroblocks_ = static_cast<std::size_t>(layer.mb_count());
        if (output.pixels != nullptr) {
            scratch_.resize(total);
            std::int16_t* next = scratch_.data();
            for (std::size_t k = 0; k < 3; ++k) {
                planes_[k].data = next;
                next += sizes_[k];
            }
        }
    }

    VopResult decode(const Request& request, std::size_t row) {
        VopOutput to;
        to.scale = output_.scale;
        to.residual = planes_;
        to.streams_past_cache = streams_;
        if (output_.planes[0] != nullptr)
            for (std::size_t k = 0; k < 3; ++k)
                to.residual[k].data = output_.planes[k] + row * sizes_[k];
        const auto advance = [&](auto* base, std::size_t step) {
            return base == nullptr ? nullptr : base + row * step;
        };
        to.motion = advance(output_.motion, 8 * macroblocks_);
        to.backward = advance(output_.backward, 8 * macroblocks_);
        to.type = advance(output_.type, macroblocks_);
        to.quantiser = advance(output_.quantiser, macroblocks_);
        to.bits = advance(output_.bits, macroblocks_);
        const VopResult result =
            read_and_decode(*request.stream, request.vop, buffer_, *decoder_, to);
        if (output_.pixels != nullptr)
            interleave(planes_, output_.space, output_.pixels + row * sizes_[0] * 3);
        return result;
    }

  private:
    const BatchOutput& output_;
    std::array<Plane, 3> planes_;
    std::array<std::size_t, 3> sizes_{};
    std::size_t macroblocks_ = 0;
    bool streams_ = false;
    std::vector<std::int16_t> scratch_;
    DecoderPool::Loan decoder_;
    ReadBuffer buffer_;
};

}  // namespace

const CoLocated* ReadBuffer::read_references(const Stream& stream, std::size_t vop,
                                             VopDecoder& decoder) {
    const std::optional<References> references = stream.references_of(vop);
    if (!references)
        return nullptr;
    const std::size_t future = references->future;
    if (stream_ != &stream || vop_ != future) {
        stream_ = &stream;
        vop_ = future;
        const auto count = static_cast<std::size_t>(stream.layer_of(future).mb_count());
        type_.resize(count);
        motion_.resize(8 * count);
        VopOutput output;
        output.type = type_.data();
        output.motion = motion_.data();
        // Of an I-VOP too: it may be a P-VOP whose type is hurt. What is damaged gets marked.
        read_and_decode(stream, future, *this, decoder, output);
    }
    co_located_ = {type_.data(), motion_.data(), references->trd, references->trb};
    return &co_located_;
}

VopResult read_and_decode(const Stream& stream, std::size_t vop, ReadBuffer& buffer,
                          VopDecoder& decoder, const VopOutput& output) {
    const VideoObjectLayer& layer = stream.layer_of(vop);
    const CoLocated* references = buffer.read_references(stream, vop, decoder);
    try {
        stream.read(vop, buffer.packet);
    } catch (const SyntaxError& error) {
        buffer.packet.prepare(0);
        VopResult nothing = decoder.decode(buffer.packet, layer, output);
        nothing.error = error;
        return nothing;
    }
    return decoder.decode(buffer.packet, layer, output, references);
}

std::vector<BatchError> decode_batch(std::span<const Request> requests, const BatchOutput& output,
                                     std::size_t threads, bool keep_going,
                                     const Interrupt& interrupt) {
    std::vector<BatchError> errors;
    std::vector<std::size_t> rows;  // of errors
    if (requests.empty())
        return errors;
    std::mutex lock;
    std::atomic<std::size_t> stop_after{requests.size()};
    const VideoObjectLayer& layer = requests.front().stream->layer_of(requests.front().vop);
    parallel_for(requests.size(), threads, interrupt, [&] {
        return [&, worker = Worker(*requests.front().stream, layer, output, requests.size())](
                   std::size_t row) mutable {
            if (row > stop_after)
                return;
            const Request& request = requests[row];
            const VopResult result = worker.decode(request, row);
            if (!result.error)
                return;
            const std::lock_guard guard(lock);
            errors.push_back({request.source, request.vop, result.first_missing, *result.error});
            rows.push_back(row);
            if (!keep_going)
                stop_after = std::min(stop_after.load(), row);
        };
    });
    // Threads finish in any order; the caller sees the order of the requests.
    std::vector<std::size_t> order(rows.size());
    for (std::size_t k = 0; k < order.size(); ++k)
        order[k] = k;
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return rows[a] < rows[b]; });
    std::vector<BatchError> sorted;
    for (const std::size_t k : order)
        sorted.push_back(errors[k]);
    return sorted;
}

}  // namespace mic::mpeg4
