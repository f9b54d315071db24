/// Chains of VOPs: one decoder, one set of planes, one accumulator a thread; memory stays flat.

#include "clip.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <numeric>

#include "parallel.hpp"

namespace mic::mpeg4 {
namespace {

/// Planes of one VOP in whole macroblocks, and what accumulation needs with them.
class Frame {
  public:
    Frame(const Stream& stream, int scale) : Frame(stream.decoder(), *stream.layer(), scale) {}
    Frame(DecoderPool::Loan decoder, const VideoObjectLayer& layer, int scale)
        : decoder_(std::move(decoder)),
          motion_(static_cast<std::size_t>(layer.mb_count()) * 8),
          types_(static_cast<std::size_t>(layer.mb_count())) {
        output_.scale = scale;
        for (std::size_t k = 0; k < 3; ++k) {
            const int block = (k == 0 ? 16 : 8) / scale;
            const int width = layer.mb_width() * block, height = layer.mb_height() * block;
            samples_[k].resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
            output_.residual[k] = {samples_[k].data(), width, width, height};
        }
    }

    /// Parses one VOP; its error, if any, has the damaged macroblocks marked missing.
    ///
    /// With motion, residuals of macroblocks that are not coded are stale: the types say which.
    VopResult parse(const Stream& stream, std::size_t vop, bool with_motion) {
        output_.motion = with_motion ? motion_.data() : nullptr;
        output_.leave_not_coded = with_motion;
        output_.type = types_.data();
        return read_and_decode(stream, vop, packet_, *decoder_, output_);
    }
    [[nodiscard]] const std::array<Plane, 3>& residual() const { return output_.residual; }
    [[nodiscard]] const std::int16_t* motion() const { return motion_.data(); }
    [[nodiscard]] const std::uint8_t* types() const { return types_.data(); }
    [[nodiscard]] Packet& packet() { return packet_; }

  private:
    DecoderPool::Loan decoder_;
    std::array<std::vector<std::int16_t>, 3> samples_;
    std::vector<std::int16_t> motion_;
    std::vector<std::uint8_t> types_;
    VopOutput output_;
    Packet packet_;
};

/// Errors from several threads, handed out in the order of the VOPs.
class Errors {
  public:
    void add(std::size_t vop, const VopResult& result) {
        const std::lock_guard guard(lock_);
        errors_.emplace(vop, BatchError{0, vop, result.first_missing, *result.error});
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

/// Copies planes of whole macroblocks to one row of the output, cut to the picture's size.
template <typename T>
void deliver(const std::array<PlaneOf<const T>, 3>& from, const VideoObjectLayer& layer,
             const SumOutput<T>& output, std::size_t row, std::vector<T>& scratch) {
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
        for (int y = 0; y < to[k].height; ++y)
            std::copy_n(from[k].data + y * from[k].stride, to[k].width,
                        to[k].data + y * to[k].stride);
    }
    if (output.pixels != nullptr)
        interleave(to, output.space, output.pixels + row * sizes[0] * 3);
}

template <typename T>
std::array<PlaneOf<const T>, 3> planes_of(const std::array<Surface<T>, 3>& surfaces) {
    std::array<PlaneOf<const T>, 3> planes;
    for (std::size_t k = 0; k < 3; ++k)
        planes[k] = {surfaces[k].samples.data(), surfaces[k].width, surfaces[k].width,
                     surfaces[k].height};
    return planes;
}

/// One thread's share of `accumulate`: whole groups of pictures, one after the other.
template <typename T>
class Chain {
  public:
    Chain(const Stream& stream, const SumOutput<T>& output, bool with_intra_vop, bool keep_going,
          Errors& errors)
        : stream_(stream),
          output_(output),
          with_intra_vop_(with_intra_vop),
          keep_going_(keep_going),
          errors_(errors),
          frame_(stream, output.scale),
          accumulator_(*stream.layer(), output.scale, output.displacement != nullptr) {}

    /// From the I-VOP `first` through the VOPs of `rows`: ascending, with the rows they go to.
    void run(std::size_t first, const std::multimap<std::size_t, std::size_t>& rows) {
        accumulator_.lose();  // until an I-VOP comes
        auto next = rows.begin();
        for (std::size_t vop = first; next != rows.end(); ++vop) {
            if (!step(vop))
                return;
            for (; next != rows.end() && next->first == vop; ++next)
                write(next->second);
        }
    }

  private:
    bool step(std::size_t vop) {
        const VopEntry& entry = stream_.vops()[vop];
        if (entry.coded && !entry.damaged && entry.coding_type == VopCodingType::intra) {
            accumulator_.reset();
            return !with_intra_vop_ || start_from_samples(vop) || keep_going_;
        }
        if (!entry.coded)
            return true;  // the picture before is shown again, and so are its sums
        const VopResult result = frame_.parse(stream_, vop, true);
        if (result.error) {
            errors_.add(vop, result);
            if (!keep_going_)
                return false;
        }
        accumulator_.advance(frame_.residual(), frame_.motion(), frame_.types());
        return true;
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
            VopResult result;
            result.error = error;
            errors_.add(vop, result);
            accumulator_.lose();
            return false;
        }
        accumulator_.reset({samples[0].data(), samples[1].data(), samples[2].data()});
        return true;
    }
    void write(std::size_t row) {
        const VideoObjectLayer& layer = *stream_.layer();
        deliver(planes_of(accumulator_.sums()), layer, output_, row, scratch_);
        for (std::size_t k = 0; k < 2; ++k) {
            const int width = scaled_side(layer.width, output_.scale, k > 0);
            const int height = scaled_side(layer.height, output_.scale, k > 0);
            for (int y = 0; y < height && output_.broken[k] != nullptr; ++y)
                std::copy_n(accumulator_.broken()[k].at(0, y), width,
                            output_.broken[k] + (row * static_cast<std::size_t>(height) +
                                                 static_cast<std::size_t>(y)) *
                                                    static_cast<std::size_t>(width));
        }
        if (output_.displacement != nullptr)
            write_displacement(row);
    }
    void write_displacement(std::size_t row) {
        const VideoObjectLayer& layer = *stream_.layer();
        const int width = scaled_side(layer.width, output_.scale, false);
        const int height = scaled_side(layer.height, output_.scale, false);
        const auto& [dx, dy] = accumulator_.displacement();
        T* to = output_.displacement +
                row * 2 * static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
        for (int y = 0; y < height; ++y)
            for (int x = 0; x < width; ++x) {
                *to++ = *dx.at(x, y);
                *to++ = *dy.at(x, y);
            }
    }

    const Stream& stream_;
    const SumOutput<T>& output_;
    bool with_intra_vop_;
    bool keep_going_;
    Errors& errors_;
    Frame frame_;
    Accumulator<T> accumulator_;
    std::vector<T> scratch_;
};

}  // namespace

template <typename T>
std::vector<BatchError> accumulate(const Stream& stream, std::span<const std::size_t> vops,
                                   const SumOutput<T>& output, bool with_intra_vop,
                                   std::size_t threads, bool keep_going) {
    // Group of pictures, by its first VOP, to the rows wanted from it.
    std::map<std::size_t, std::multimap<std::size_t, std::size_t>> groups;
    for (std::size_t row = 0; row < vops.size(); ++row) {
        std::size_t first = vops[row];
        const auto starts_group = [&](const VopEntry& entry) {
            return entry.coded && !entry.damaged && entry.coding_type == VopCodingType::intra;
        };
        while (first > 0 && !starts_group(stream.vops()[first]))
            --first;
        groups[first].emplace(vops[row], row);
    }
    std::vector<std::pair<std::size_t, std::multimap<std::size_t, std::size_t>>> jobs(
        groups.begin(), groups.end());
    Errors errors;
    parallel_for(jobs.size(), threads, [&] {
        return [&, chain = std::make_unique<Chain<T>>(stream, output, with_intra_vop, keep_going,
                                                      errors)](std::size_t job) {
            chain->run(jobs[job].first, jobs[job].second);
        };
    });
    return errors.in_order();
}

std::vector<BatchError> sum_segments(const Stream& stream, std::span<const std::size_t> bounds,
                                     const SumOutput<std::int32_t>& output, std::size_t threads,
                                     bool keep_going) {
    const VideoObjectLayer& layer = *stream.layer();
    Errors errors;
    parallel_for(bounds.size() - 1, threads, [&] {
        auto frame = std::make_unique<Frame>(stream, output.scale);
        return [&, frame = std::move(frame), sums = std::array<std::vector<std::int32_t>, 3>(),
                scratch = std::vector<std::int32_t>()](std::size_t segment) mutable {
            for (std::size_t k = 0; k < 3; ++k) {
                const Plane& plane = frame->residual()[k];
                sums[k].assign(
                    static_cast<std::size_t>(plane.width) * static_cast<std::size_t>(plane.height),
                    0);
            }
            for (std::size_t vop = bounds[segment]; vop < bounds[segment + 1]; ++vop) {
                const VopResult result = frame->parse(stream, vop, false);
                if (result.error) {
                    errors.add(vop, result);
                    if (!keep_going)
                        return;
                }
                for (std::size_t k = 0; k < 3; ++k)
                    std::transform(sums[k].begin(), sums[k].end(), frame->residual()[k].data,
                                   sums[k].begin(),
                                   [](std::int32_t a, std::int16_t b) { return a + b; });
            }
            std::array<PlaneOf<const std::int32_t>, 3> planes;
            for (std::size_t k = 0; k < 3; ++k) {
                const Plane& plane = frame->residual()[k];
                planes[k] = {sums[k].data(), plane.stride, plane.width, plane.height};
            }
            deliver(planes, layer, output, segment, scratch);
        };
    });
    return errors.in_order();
}

template std::vector<BatchError> accumulate(const Stream&, std::span<const std::size_t>,
                                            const SumOutput<std::int16_t>&, bool, std::size_t,
                                            bool);
template std::vector<BatchError> accumulate(const Stream&, std::span<const std::size_t>,
                                            const SumOutput<float>&, bool, std::size_t, bool);

}  // namespace mic::mpeg4
