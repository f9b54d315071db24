/// Fuzzes the whole way of a clip: an elementary stream on disk, its index, a batch of all VOPs,
/// accumulation and segment sums.

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "../batch.hpp"
#include "../clip.hpp"
#include "../headers.hpp"
#include "../pictures.hpp"
#include "../stream.hpp"
#include "common.hpp"

using namespace mic::mpeg4;

namespace {

/// A file in memory; `Stream` opens it by name.
class MemoryFile {
  public:
    MemoryFile() : descriptor_(memfd_create("clip", 0)) {
        fuzz::require(descriptor_ >= 0, "memfd_create works");
    }
    ~MemoryFile() { close(descriptor_); }
    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;

    void assign(std::span<const std::uint8_t> bytes) const {
        fuzz::require(ftruncate(descriptor_, 0) == 0, "the file empties");
        const auto written = pwrite(descriptor_, bytes.data(), bytes.size(), 0);
        fuzz::require(written == static_cast<ssize_t>(bytes.size()), "the file fills");
    }
    [[nodiscard]] std::string path() const {
        return "/proc/self/fd/" + std::to_string(descriptor_);
    }

  private:
    int descriptor_;
};

struct Arrays {
    Arrays(std::size_t vops, const VideoObjectLayer& layer, int scale, ColourSpace space) {
        output.scale = scale;
        output.space = space;
        const auto area = [&](bool chroma) {
            return vops * static_cast<std::size_t>(scaled_side(layer.width, scale, chroma)) *
                   static_cast<std::size_t>(scaled_side(layer.height, scale, chroma));
        };
        if (space == ColourSpace::planes) {
            for (std::size_t k = 0; k < 3; ++k) {
                planes[k].assign(area(k > 0), 0x5aa5);
                output.planes[k] = planes[k].data();
            }
        } else {
            pixels.assign(3 * area(false), 0x5aa5);
            output.pixels = pixels.data();
        }
        type.assign(vops * static_cast<std::size_t>(layer.mb_count()), 0x5a);
        output.type = type.data();
    }

    std::vector<std::int16_t> planes[3];
    std::vector<std::int16_t> pixels;
    std::vector<std::uint8_t> type;
    BatchOutput output;
};

/// Accumulated residuals of all VOPs, which must stay finite whatever the stream says.
template <typename T>
void check_accumulation(const Stream& stream, std::size_t count, int scale, bool with_intra_vop) {
    const VideoObjectLayer& layer = *stream.any_layer();
    const auto area = [&](bool chroma) {
        return count * static_cast<std::size_t>(scaled_side(layer.width, scale, chroma)) *
               static_cast<std::size_t>(scaled_side(layer.height, scale, chroma));
    };
    std::vector<T> planes[3], displacement(2 * area(false));
    std::vector<std::uint8_t> broken(area(false)), broken_chroma(area(true));
    SumOutput<T> output;
    output.scale = scale;
    for (std::size_t k = 0; k < 3; ++k) {
        planes[k].resize(area(k > 0));
        output.planes[k] = planes[k].data();
    }
    output.displacement = displacement.data();
    output.broken = {broken.data(), broken_chroma.data()};
    std::vector<std::size_t> vops;
    for (std::size_t vop = 0; vop < count; ++vop)
        if (!stream.vop(vop).is_bidirectional())
            vops.push_back(vop);
    const std::array<std::size_t, 1> breaks{count / 2};
    ChainOptions options{with_intra_vop && scale == 1, 1, true, {}};
    if (count % 2 == 1)
        options.breaks = breaks;
    accumulate<T>(stream, vops, output, options);
    for (const auto& plane : planes)
        for (const T sample : plane)
            fuzz::require(std::isfinite(static_cast<float>(sample)), "sums stay finite");
}

/// Every VOP is shown once.
void check_order(const Stream& stream) {
    std::vector<std::size_t> order = stream.display_order();
    if (stream.low_delay())
        fuzz::require(std::is_sorted(order.begin(), order.end()), "shown as they are coded");
    std::sort(order.begin(), order.end());
    fuzz::require(order.size() == stream.size(), "as many are shown as there are");
    for (std::size_t k = 0; k < order.size(); ++k)
        fuzz::require(order[k] == k, "each is shown once");
}

/// Plain sums over two segments add up to the sum over one.
void check_segments(const Stream& stream, std::size_t count) {
    const VideoObjectLayer& layer = *stream.any_layer();
    const auto area =
        static_cast<std::size_t>(layer.width) * static_cast<std::size_t>(layer.height);
    std::vector<std::int32_t> one(3 * area), two(6 * area);
    SumOutput<std::int32_t> output;
    output.space = ColourSpace::ycbcr;
    output.pixels = one.data();
    const std::array<std::size_t, 2> whole{0, count};
    sum_segments(stream, whole, output, 1, true);
    output.pixels = two.data();
    const std::array<std::size_t, 3> halves{0, count / 2, count};
    sum_segments(stream, halves, output, 1, true);
    for (std::size_t k = 0; k < one.size(); ++k)
        fuzz::require(one[k] == two[k] + two[one.size() + k], "segments add up");
}

/// Pictures of every VOP in vectors of the exact size, of one box.
struct Regions {
    Regions(const Stream& stream, std::size_t vops, const Box& box) : box(box), rows(vops) {
        std::vector<PictureRequest> requests;
        for (std::size_t vop = 0; vop < vops; ++vop) {
            Row& row = rows[vop];
            row.broken.assign(box.area(), 0x5a);
            for (std::size_t k = 0; k < 3; ++k)
                row.planes[k].assign(k == 0 ? box.area() : box.chroma().area(), 0x5a);
            requests.push_back({vop,
                                box,
                                {row.planes[0].data(), row.planes[1].data(), row.planes[2].data()},
                                row.broken.data()});
        }
        const PicturesReport report = reconstruct_pictures(stream, requests, {}, 1, true);
        fuzz::require(report.reconstructed <= report.total, "no more than everything is done");
        for (const BatchError& error : report.errors)
            fuzz::require(error.vop < vops, "an error names one of the VOPs");
    }

    struct Row {
        std::array<std::vector<std::uint8_t>, 3> planes;
        std::vector<std::uint8_t> broken;
    };
    Box box;
    std::vector<Row> rows;
};

/// A region holds the samples of the whole picture, also where both are concealed.
void check_pictures(const Stream& stream, std::size_t vops, unsigned choice) {
    const VideoObjectLayer& layer = *stream.any_layer();
    const Regions whole(stream, vops, {0, 0, layer.width, layer.height});
    const int left = static_cast<int>(choice) % layer.width;
    const int top = static_cast<int>(choice / 3) % layer.height;
    const Regions part(stream, vops,
                       {left, top, 1 + static_cast<int>(choice / 5) % (layer.width - left),
                        1 + static_cast<int>(choice / 7) % (layer.height - top)});
    const auto index = [](const Box& box, const Box& of, int x, int y) {
        return static_cast<std::size_t>(y + box.top - of.top) *
                   static_cast<std::size_t>(of.width) +
               static_cast<std::size_t>(x + box.left - of.left);
    };
    for (std::size_t vop = 0; vop < vops; ++vop)
        for (std::size_t k = 0; k < 3; ++k) {
            const Box box = k == 0 ? part.box : part.box.chroma();
            const Box of = k == 0 ? whole.box : whole.box.chroma();
            for (int y = 0; y < box.height; ++y)
                for (int x = 0; x < box.width; ++x) {
                    const std::size_t here = index(box, box, x, y), there = index(box, of, x, y);
                    fuzz::require(
                        part.rows[vop].planes[k][here] == whole.rows[vop].planes[k][there],
                        "a region is a part of the picture");
                    fuzz::require(
                        k != 0 || part.rows[vop].broken[here] <= whole.rows[vop].broken[there],
                        "what is broken in a region is broken in the picture");
                }
        }
}

/// The index as a demuxer feeds it: packets with their offsets in the file, headers in the first.
void check_packets(const std::string& path, std::span<const std::uint8_t> bytes, unsigned choice) {
    const std::size_t split = find_start_code(bytes, std::min<std::size_t>(choice, bytes.size()));
    Stream stream(path, bytes.first(split));
    std::size_t at = split;
    const bool packed = choice & 128;
    for (int packets = 0; at < bytes.size() && packets < 8; ++packets) {
        std::size_t next = find_start_code(bytes, at + 3);
        if (packed && next < bytes.size())
            next = find_start_code(bytes, next + 3);
        const auto offset = choice & 64 ? static_cast<std::int64_t>(at) : -1;
        stream.append(offset, bytes.subspan(at, next - at));
        at = next;
    }
    Stream table(path, bytes.first(split));
    std::vector<std::uint64_t> offsets;
    std::vector<std::uint32_t> sizes;
    for (at = split; at < bytes.size() && offsets.size() < 8;) {
        const std::size_t next = find_start_code(bytes, at + 3);
        offsets.push_back(at);
        sizes.push_back(static_cast<std::uint32_t>(next - at));
        at = next;
    }
    table.append_table(offsets, sizes);
    for (std::size_t vop = 0; vop < stream.size(); ++vop) {
        Packet packet;
        stream.read(vop, packet);
    }
}

/// Indexed so that hurt headers do not end it, a clip has at least the VOPs it has otherwise, and
/// each can be read or says why not.
void check_masked(const std::string& path, std::size_t strict) {
    Stream stream(path, {}, true);
    stream.scan();
    fuzz::require(stream.size() >= strict, "masking loses no VOP");
    fuzz::require(!stream.faults().empty() || stream.size() == strict, "what is more has a fault");
    const VideoObjectLayer* layer = stream.any_layer();
    if (layer == nullptr || layer->mb_count() > 64)
        return;
    VopDecoder decoder;
    ReadBuffer buffer;
    std::vector<std::uint8_t> types(static_cast<std::size_t>(layer->mb_count()));
    VopOutput output;
    output.type = types.data();
    for (std::size_t vop = 0; vop < std::min<std::size_t>(stream.size(), 6); ++vop) {
        const VopResult result = read_and_decode(stream, vop, buffer, decoder, output);
        const bool missing = std::count(types.begin(), types.end(),
                                        static_cast<std::uint8_t>(MacroblockType::missing)) > 0;
        fuzz::require(missing == result.error.has_value(), "an error marks what is missing");
        fuzz::require(result.error || !stream.vop(vop).layer_unknown, "no VOP without its layer");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const MemoryFile file;
    fuzz::Input input(data, size);
    const unsigned choice = input.byte();
    const int scale = 1 << choice % 4;
    const auto space = static_cast<ColourSpace>(choice / 4 % 3);
    const auto bytes = input.take(input.size());
    file.assign(bytes);
    try {
        check_packets(file.path(), bytes, choice);
    } catch (const SyntaxError& error) {
        fuzz::require(error.clause != nullptr && *error.clause != 0, "an error has a clause");
    }
    try {
        Stream stream(file.path(), {});
        stream.scan();
        check_masked(file.path(), stream.size());
        if (stream.any_layer() == nullptr || stream.any_layer()->mb_count() > 64)
            return 0;
        const std::size_t vops = std::min<std::size_t>(stream.size(), 6);
        std::vector<Request> requests;
        for (std::size_t vop = 0; vop < vops; ++vop)
            requests.push_back({&stream, 0, vop});
        Arrays forward(vops, *stream.any_layer(), scale, space);
        const auto errors = decode_batch(requests, forward.output, 1, true);
        for (const BatchError& error : errors) {
            fuzz::require(error.vop < vops, "an error names one of the VOPs");
            fuzz::require(error.first_missing < stream.any_layer()->mb_count(),
                          "something is missing");
        }
        // Random access: last VOP first gives the same rows.
        std::reverse(requests.begin(), requests.end());
        Arrays backward(vops, *stream.any_layer(), scale, space);
        fuzz::require(decode_batch(requests, backward.output, 1, true).size() == errors.size(),
                      "order does not matter to errors");
        const auto macroblocks = static_cast<std::size_t>(stream.any_layer()->mb_count());
        for (std::size_t vop = 0; vop < vops; ++vop)
            for (std::size_t k = 0; k < macroblocks; ++k)
                fuzz::require(forward.type[vop * macroblocks + k] ==
                                  backward.type[(vops - 1 - vop) * macroblocks + k],
                              "order does not matter to macroblocks");
        check_order(stream);
        check_segments(stream, vops);
        if (vops > 0)
            check_pictures(stream, vops, choice);
        if (choice & 16)
            check_accumulation<float>(stream, vops, scale, choice & 32);
        else
            check_accumulation<std::int16_t>(stream, vops, scale, choice & 32);
    } catch (const SyntaxError& error) {
        fuzz::require(error.clause != nullptr && *error.clause != 0, "an error has a clause");
    }
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t room, unsigned seed) {
    return fuzz::mutate_bits(data, size, room, seed);
}
