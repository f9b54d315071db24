/// Chains of VOPs: one decoder, one set of planes, one accumulator a thread; memory stays flat.

#include "clip.hpp"

#include <algorithm>
#include <map>
#include <mutex>

#include "aligned.hpp"
#include "errors.hpp"
#include "groups.hpp"
#include "parallel.hpp"

namespace mic::mpeg4 {
namespace {

/// One VOP: its residual in planes, or by macroblock with what accumulation needs besides.
class Frame {
  public:
    Frame(const Stream& stream, int scale) : decoder_(stream.decoder()) {
        planes_.scale = macroblocks_.scale = scale;
    }

    /// Parses the residual in planes of whole macroblocks.
    VopResult parse_planes(const Stream& stream, std::size_t vop) {
        if (samples_.empty())
            allocate_planes(stream.layer_of(vop));
        return read_and_decode(stream, vop, buffer_, *decoder_, planes_);
    }
    /// Parses residual, vectors and types; after an error the damaged macroblocks are missing.
    VopResult parse_macroblocks(const Stream& stream, std::size_t vop) {
        if (types_.empty())
            allocate_macroblocks(stream.layer_of(vop));
        return read_and_decode(stream, vop, buffer_, *decoder_, macroblocks_);
    }
    /// Parses one VOP that has no residual, to know whether it is what it says.
    VopResult check(const Stream& stream, std::size_t vop) {
        return read_and_decode(stream, vop, buffer_, *decoder_, {});
    }
    [[nodiscard]] const std::array<Plane, 3>& planes() const { return planes_.residual; }
    [[nodiscard]] PredictedVop macroblocks() const {
        return {samples_.data(), coded_.data(), motion_.data(), types_.data()};
    }
    [[nodiscard]] Packet& packet() { return buffer_.packet; }

  private:
    // Not before a VOP has something to put there: a picture may be large and never coded.
    void allocate_planes(const VideoObjectLayer& layer) {
        std::array<std::size_t, 3> sizes{};
        for (std::size_t k = 0; k < 3; ++k) {
            const int block = (k == 0 ? 16 : 8) / planes_.scale;
            const int width = layer.mb_width() * block, height = layer.mb_height() * block;
            sizes[k] = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
            planes_.residual[k] = {nullptr, width, width, height};
        }
        samples_.resize(sizes[0] + sizes[1] + sizes[2]);
        std::int16_t* next = samples_.data();
        for (std::size_t k = 0; k < 3; next += sizes[k++])
            planes_.residual[k].data = next;
    }
    void allocate_macroblocks(const VideoObjectLayer& layer) {
        const auto count = static_cast<std::size_t>(layer.mb_count());
        types_.resize(count);
        coded_.resize(count);
        motion_.resize(8 * count);
        samples_.resize(count * samples_of_macroblock(macroblocks_.scale));
        macroblocks_.by_macroblock = samples_.data();
        macroblocks_.coded = coded_.data();
        macroblocks_.motion = motion_.data();
        macroblocks_.type = types_.data();
    }

    DecoderPool::Loan decoder_;
    AlignedVector<std::int16_t> samples_;
    std::vector<std::int16_t> motion_;
    std::vector<std::uint8_t> types_;
    std::vector<std::uint8_t> coded_;
    VopOutput planes_;
    VopOutput macroblocks_;
    ReadBuffer buffer_;
};

/// Errors from several threads, handed out in the order of the VOPs.
class Errors {
  public:
    void add(std::size_t vop, int first_missing, const SyntaxError& error) {
        const std::lock_guard guard(lock_);
        errors_.emplace(vop, BatchError{0, vop, first_missing, error});
    }
    [[nodiscard]] std::vector<BatchError> in_order() const {
        std::vector<BatchError> out;
        for (const auto& [vop, error] : errors_)
            out.push_back(error);
        return out;
    }

  private:
    std::mutex lock_;
    std::map<std::size_t, BatchError> errors_;
};

/// Fills one row of the output: `write(k, plane)` writes plane k as far as its size goes.
template <typename T, typename Write>
void deliver(const Write& write, const VideoObjectLayer& layer, const SumOutput<T>& output,
             std::size_t row, std::vector<T>& scratch) {
    std::array<PlaneOf<T>, 3> to;
    std::array<std::size_t, 3> sizes{};
    for (std::size_t k = 0; k < 3; ++k) {
        const int width = scaled_side(layer.width, output.scale, k > 0);
        const int height = scaled_side(layer.height, output.scale, k > 0);
        to[k] = {nullptr, width, width, height};
        sizes[k] = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
    }
    scratch.resize(output.pixels == nullptr ? 0 : sizes[0] + sizes[1] + sizes[2]);
    T* next = scratch.data();
    for (std::size_t k = 0; k < 3; ++k) {
        if (output.pixels != nullptr) {
            to[k].data = next;
            next += sizes[k];
        } else if (output.planes[k] != nullptr) {
            to[k].data = output.planes[k] + row * sizes[k];
        } else {
            continue;
        }
        write(k, to[k]);
    }
    if (output.pixels != nullptr)
        interleave(to, output.space, output.pixels + row * sizes[0] * 3);
}

/// One thread's share of `accumulate`: whole groups of pictures, one after the other.
template <typename T>
class Chain {
  public:
    Chain(const Stream& stream, const SumOutput<T>& output, const ChainOptions& options,
          const Interrupt& interrupt, Errors& errors)
        : stream_(stream),
          output_(output),
          options_(options),
          interrupt_(interrupt),
          errors_(errors),
          frame_(stream, output.scale),
          accumulator_(*stream.any_layer(), output.scale, output.displacement != nullptr) {}

    /// From the I-VOP `first` through the VOPs of `rows`: ascending, with the rows they go to.
    void run(std::size_t first, const std::multimap<std::size_t, std::size_t>& rows) {
        layer_ = stream_.vop(first).layer;
        accumulator_.set_layer(stream_.layer_of(first));
        accumulator_.lose();  // until an I-VOP comes
        auto next = rows.begin();
        for (std::size_t vop = first; next != rows.end(); ++vop) {
            interrupt_.check();
            if (!step(vop) && !options_.keep_going)
                return;
            for (; next != rows.end() && next->first == vop; ++next)
                write(next->second);
        }
    }

  private:
    /// False where the VOP is damaged.
    bool step(std::size_t vop) {
        const VopEntry entry = stream_.vop(vop);
        if (entry.is_bidirectional())
            return true;              // nothing is predicted from it
        if (entry.layer != layer_) {  // only an I-VOP can start one
            layer_ = entry.layer;
            accumulator_.set_layer(stream_.layer_of(vop));
            accumulator_.lose();
        }
        if (std::binary_search(options_.breaks.begin(), options_.breaks.end(), vop))
            accumulator_.lose();
        if (entry.starts_chain() && options_.with_intra_vop)
            return start_from_samples(vop);
        if (entry.starts_chain() || !entry.coded) {
            const VopResult result = frame_.check(stream_, vop);
            if (result.error)
                return lose(vop, *result.error);
            // Behind a VOP that is not coded the picture before is shown again, and so its sums.
            if (entry.coded)
                accumulator_.reset();
            return true;
        }
        try {
            expect_plain_compensation(stream_.layer_of(vop));
        } catch (const SyntaxError& error) {
            return lose(vop, error);
        }
        const VopResult result = frame_.parse_macroblocks(stream_, vop);
        if (result.error)
            errors_.add(vop, result.first_missing, *result.error);
        accumulator_.advance(frame_.macroblocks());
        return !result.error;
    }
    /// Nothing of the VOP is known, and no chain leads through it.
    bool lose(std::size_t vop, const SyntaxError& error) {
        errors_.add(vop, 0, error);
        accumulator_.lose();
        return false;
    }
    /// False where the I-VOP is damaged; then every chain is broken.
    bool start_from_samples(std::size_t vop) {
        // Of whole macroblocks: vectors that point outside the picture read what is coded there.
        VideoObjectLayer layer = stream_.layer_of(vop);
        layer.width = 16 * layer.mb_width();
        layer.height = 16 * layer.mb_height();
        std::array<std::vector<std::uint8_t>, 3> samples;
        IntraOutput to;
        for (std::size_t k = 0; k < 3; ++k) {
            samples[k].resize(static_cast<std::size_t>(scaled_side(layer.width, 1, k > 0)) *
                              static_cast<std::size_t>(scaled_side(layer.height, 1, k > 0)));
            to.samples[k] = samples[k].data();
        }
        try {
            stream_.read(vop, frame_.packet());
            decode_intra_vop(frame_.packet(), layer, to);
        } catch (const SyntaxError& error) {
            return lose(vop, error);
        }
        accumulator_.reset({samples[0].data(), samples[1].data(), samples[2].data()});
        return true;
    }
    void write(std::size_t row) {
        const VideoObjectLayer& layer = *stream_.any_layer();
        const auto sums = [&](std::size_t k, const PlaneOf<T>& to) {
            accumulator_.write_sums(k, to);
        };
        deliver(sums, layer, output_, row, scratch_);
        for (std::size_t k = 0; k < 2; ++k) {
            const int width = scaled_side(layer.width, output_.scale, k > 0);
            const int height = scaled_side(layer.height, output_.scale, k > 0);
            if (output_.broken[k] != nullptr)
                accumulator_.write_broken(
                    k, {output_.broken[k] + row * static_cast<std::size_t>(width) *
                                                static_cast<std::size_t>(height),
                        width, width, height});
        }
        if (output_.displacement != nullptr)
            write_displacement(row);
    }
    void write_displacement(std::size_t row) {
        const VideoObjectLayer& layer = *stream_.any_layer();
        const int width = scaled_side(layer.width, output_.scale, false);
        const int height = scaled_side(layer.height, output_.scale, false);
        const std::size_t size =
            static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
        scratch_.resize(2 * size);
        for (std::size_t axis = 0; axis < 2; ++axis)
            accumulator_.write_displacement(axis,
                                            {scratch_.data() + axis * size, width, width, height});
        T* to = output_.displacement + row * 2 * size;
        for (std::size_t k = 0; k < size; ++k) {
            *to++ = scratch_[k];
            *to++ = scratch_[size + k];
        }
    }

    const Stream& stream_;
    const SumOutput<T>& output_;
    const ChainOptions& options_;
    const Interrupt& interrupt_;
    Errors& errors_;
    Frame frame_;
    std::size_t layer_ = 0;  ///< of the VOP before
    Accumulator<T> accumulator_;
    std::vector<T> scratch_;
};

}  // namespace

template <typename T>
std::vector<BatchError> accumulate(const Stream& stream, std::span<const std::size_t> vops,
                                   const SumOutput<T>& output, const ChainOptions& options,
                                   const Interrupt& interrupt) {
    Groups groups = groups_of(stream, vops);
    std::vector<Groups::value_type*> jobs;
    for (auto& group : groups)
        jobs.push_back(&group);
    Errors errors;
    parallel_for(jobs.size(), options.threads, interrupt, [&] {
        return [&, chain = std::make_unique<Chain<T>>(stream, output, options, interrupt, errors)](
                   std::size_t job) { chain->run(jobs[job]->first, jobs[job]->second); };
    });
    return errors.in_order();
}

std::vector<BatchError> sum_segments(const Stream& stream, std::span<const std::size_t> bounds,
                                     const SumOutput<std::int32_t>& output, std::size_t threads,
                                     bool keep_going, const Interrupt& interrupt) {
    const VideoObjectLayer& layer = *stream.any_layer();
    Errors errors;
    parallel_for(bounds.size() - 1, threads, interrupt, [&] {
        auto frame = std::make_unique<Frame>(stream, output.scale);
        return [&, frame = std::move(frame), sums = std::array<std::vector<std::int32_t>, 3>(),
                scratch = std::vector<std::int32_t>()](std::size_t segment) mutable {
            bool started = false;
            for (std::size_t vop = bounds[segment]; vop < bounds[segment + 1]; ++vop) {
                interrupt.check();
                const VopEntry entry = stream.vop(vop);
                // Neither has a residual; a picture may be large, and adding zeros take long.
                const bool empty = entry.starts_chain() || !entry.coded;
                const VopResult result =
                    empty ? frame->check(stream, vop) : frame->parse_planes(stream, vop);
                if (result.error) {
                    errors.add(vop, result.first_missing, *result.error);
                    if (!keep_going)
                        return;
                }
                if (empty)
                    continue;
                for (std::size_t k = 0; k < 3; ++k) {
                    const Plane& plane = frame->planes()[k];
                    const std::ptrdiff_t count = plane.stride * plane.height;
                    if (started)
                        std::transform(sums[k].begin(), sums[k].end(), plane.data, sums[k].begin(),
                                       [](std::int32_t a, std::int16_t b) { return a + b; });
                    else
                        sums[k].assign(plane.data, plane.data + count);
                }
                started = true;
            }
            if (!started)
                return;
            const auto write = [&](std::size_t k, const PlaneOf<std::int32_t>& to) {
                const std::int32_t* from = sums[k].data();
                for (int y = 0; y < to.height; ++y, from += frame->planes()[k].stride)
                    std::copy_n(from, to.width, to.data + y * to.stride);
            };
            deliver(write, layer, output, segment, scratch);
        };
    });
    return errors.in_order();
}

template std::vector<BatchError> accumulate(const Stream&, std::span<const std::size_t>,
                                            const SumOutput<std::int16_t>&, const ChainOptions&,
                                            const Interrupt&);
template std::vector<BatchError> accumulate(const Stream&, std::span<const std::size_t>,
                                            const SumOutput<float>&, const ChainOptions&,
                                            const Interrupt&);

}  // namespace mic::mpeg4
