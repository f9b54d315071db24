/// mic._native: the parser for Python. Arrays belong to the caller; the GIL is released.

#include "bindings.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "batch.hpp"
#include "clip.hpp"
#include "mpeg4.hpp"
#include "stream.hpp"

using namespace nb::literals;
using namespace mic::mpeg4;
using namespace mic::mpeg4::binding;

namespace {

/// A contiguous read-only view of any bytes-like object.
class Buffer {
  public:
    explicit Buffer(nb::handle object) {
        if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_SIMPLE) != 0)
            throw nb::python_error();
    }
    ~Buffer() { PyBuffer_Release(&view_); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    [[nodiscard]] std::span<const std::uint8_t> bytes() const {
        return {static_cast<const std::uint8_t*>(view_.buf), static_cast<std::size_t>(view_.len)};
    }

  private:
    Py_buffer view_{};
};

void check_scale(int scale) {
    if (scale != 1 && scale != 2 && scale != 4 && scale != 8)
        throw nb::value_error("scale must be 1, 2, 4 or 8");
}

/// The shape of a plane in an array.
struct Sides {
    std::size_t height, width;

    Sides(const VideoObjectLayer& layer, int scale, bool chroma)
        : height(static_cast<std::size_t>(scaled_side(layer.height, scale, chroma))),
          width(static_cast<std::size_t>(scaled_side(layer.width, scale, chroma))) {}
};

std::vector<ErrorRecord> decode(
    const std::vector<std::tuple<const Stream*, std::vector<std::size_t>>>& sources, int scale,
    int space, const MaybeArray<std::int16_t>& y, const MaybeArray<std::int16_t>& cb,
    const MaybeArray<std::int16_t>& cr, const MaybeArray<std::int16_t>& pixels,
    const MaybeArray<std::int16_t>& motion, const MaybeArray<std::int16_t>& backward,
    const MaybeArray<std::uint8_t>& type, const MaybeArray<std::uint8_t>& quantiser,
    const MaybeArray<std::uint32_t>& bits, std::size_t threads, bool keep_going) {
    std::vector<Request> requests;
    const VideoObjectLayer* layer = nullptr;
    for (std::size_t source = 0; source < sources.size(); ++source) {
        const auto& [stream, vops] = sources[source];
        check_vops(*stream, vops);
        for (const std::size_t vop : vops)
            requests.push_back({stream, source, vop});
        if (vops.empty())
            continue;
        if (layer == nullptr)
            layer = stream->any_layer();
        if (stream->any_layer()->width != layer->width ||
            stream->any_layer()->height != layer->height)
            throw nb::value_error("the streams of a batch must have one size");
    }
    if (requests.empty())
        return {};
    check_scale(scale);
    const Sides luma(*layer, scale, false), chroma(*layer, scale, true);
    const std::size_t n = requests.size(), rows = static_cast<std::size_t>(layer->mb_height()),
                      columns = static_cast<std::size_t>(layer->mb_width());
    BatchOutput output;
    output.scale = scale;
    output.space = static_cast<ColourSpace>(space);
    output.planes = {checked(y, "y", {n, luma.height, luma.width}),
                     checked(cb, "cb", {n, chroma.height, chroma.width}),
                     checked(cr, "cr", {n, chroma.height, chroma.width})};
    if ((output.planes[0] == nullptr) != (output.planes[1] == nullptr) ||
        (output.planes[0] == nullptr) != (output.planes[2] == nullptr))
        throw nb::value_error("y, cb and cr come together");
    output.pixels = checked(pixels, "pixels", {n, luma.height, luma.width, 3});
    output.motion = checked(motion, "motion", {n, 2 * rows, 2 * columns, 2});
    output.backward = checked(backward, "backward", {n, 2 * rows, 2 * columns, 2});
    output.type = checked(type, "type", {n, rows, columns});
    output.quantiser = checked(quantiser, "quantiser", {n, rows, columns});
    output.bits = checked(bits, "bits", {n, rows, columns});
    return records_of(interruptible([&](const mic::Interrupt& interrupt) {
        return decode_batch(requests, output, threads, keep_going, interrupt);
    }));
}

/// What the sums have in common: the shapes of their arrays for `n` rows.
template <typename T>
SumOutput<T> sum_output(const Stream& stream, std::size_t n, int scale, int space,
                        const MaybeArray<T>& y, const MaybeArray<T>& cb, const MaybeArray<T>& cr,
                        const MaybeArray<T>& pixels) {
    check_scale(scale);
    const Sides luma(*stream.any_layer(), scale, false), chroma(*stream.any_layer(), scale, true);
    SumOutput<T> output;
    output.scale = scale;
    output.space = static_cast<ColourSpace>(space);
    output.planes = {checked(y, "y", {n, luma.height, luma.width}),
                     checked(cb, "cb", {n, chroma.height, chroma.width}),
                     checked(cr, "cr", {n, chroma.height, chroma.width})};
    output.pixels = checked(pixels, "pixels", {n, luma.height, luma.width, 3});
    return output;
}

template <typename T>
std::vector<ErrorRecord> accumulate_into(
    const Stream& stream, const std::vector<std::size_t>& vops, int scale, int space,
    const MaybeArray<T>& y, const MaybeArray<T>& cb, const MaybeArray<T>& cr,
    const MaybeArray<T>& pixels, const MaybeArray<T>& displacement,
    const MaybeArray<std::uint8_t>& broken, const MaybeArray<std::uint8_t>& broken_chroma,
    const std::vector<std::size_t>& breaks, bool with_intra_vop, std::size_t threads,
    bool keep_going) {
    check_vops(stream, vops);
    if (vops.empty())
        return {};
    const std::size_t n = vops.size();
    SumOutput<T> output = sum_output(stream, n, scale, space, y, cb, cr, pixels);
    const Sides luma(*stream.any_layer(), scale, false);
    output.displacement = checked(displacement, "displacement", {n, luma.height, luma.width, 2});
    const Sides chroma(*stream.any_layer(), scale, true);
    output.broken = {checked(broken, "broken", {n, luma.height, luma.width}),
                     checked(broken_chroma, "broken_chroma", {n, chroma.height, chroma.width})};
    for (const std::size_t vop : vops)
        if (stream.vop(vop).is_bidirectional())
            throw nb::value_error("a B-VOP has no accumulated residual");
    if (with_intra_vop && scale != 1)
        throw nb::value_error("the I-VOP's samples can be carried at full size only");
    if (!std::is_sorted(breaks.begin(), breaks.end()))
        throw nb::value_error("breaks must ascend");
    const ChainOptions options{with_intra_vop, threads, keep_going, breaks};
    return records_of(interruptible([&](const mic::Interrupt& interrupt) {
        return accumulate<T>(stream, vops, output, options, interrupt);
    }));
}

std::vector<ErrorRecord> sum_segments_into(const Stream& stream,
                                           const std::vector<std::size_t>& bounds, int scale,
                                           int space, const MaybeArray<std::int32_t>& y,
                                           const MaybeArray<std::int32_t>& cb,
                                           const MaybeArray<std::int32_t>& cr,
                                           const MaybeArray<std::int32_t>& pixels,
                                           std::size_t threads, bool keep_going) {
    if (bounds.size() < 2 || !std::is_sorted(bounds.begin(), bounds.end()) ||
        bounds.back() > stream.size() || stream.any_layer() == nullptr)
        throw nb::value_error("bounds must ascend from 0 to the number of VOPs");
    const auto output = sum_output(stream, bounds.size() - 1, scale, space, y, cb, cr, pixels);
    return records_of(interruptible([&](const mic::Interrupt& interrupt) {
        return sum_segments(stream, bounds, output, threads, keep_going, interrupt);
    }));
}

void decode_intra(const Stream& stream, std::size_t vop,
                  const MaybeArray<std::int16_t>& coefficients, const MaybeArray<std::uint8_t>& y,
                  const MaybeArray<std::uint8_t>& cb, const MaybeArray<std::uint8_t>& cr) {
    check_vops(stream, {vop});
    const VideoObjectLayer& layer = stream.layer_of(vop);
    const Sides luma(layer, 1, false), chroma(layer, 1, true);
    IntraOutput output;
    output.coefficients = checked(coefficients, "coefficients",
                                  {static_cast<std::size_t>(layer.mb_height()),
                                   static_cast<std::size_t>(layer.mb_width()), 6, 8, 8});
    output.samples = {checked(y, "y", {luma.height, luma.width}),
                      checked(cb, "cb", {chroma.height, chroma.width}),
                      checked(cr, "cr", {chroma.height, chroma.width})};
    const Released released;
    Packet packet;
    stream.read(vop, packet);
    decode_intra_vop(packet, layer, output);
}

/// The Python exception class that SyntaxError becomes; it lives in the module, not in a global.
void raise_syntax_error(const std::exception_ptr& pointer, void* type) {
    try {
        std::rethrow_exception(pointer);
    } catch (const SyntaxError& error) {
        const nb::tuple arguments = nb::make_tuple(error.fault == Fault::unsupported, error.clause,
                                                   error.bit_offset, std::string(error.what()));
        PyErr_SetObject(static_cast<PyObject*>(type), arguments.ptr());
    }
}

}  // namespace

NB_MODULE(_native, m) {
    // Daemon threads hold streams when the interpreter ends.
    nb::set_leak_warnings(false);
    m.doc() = "MPEG-4 Part 2 residuals, vectors and modes without reconstructing a pixel.";
    nb::object error = nb::steal(PyErr_NewExceptionWithDoc(
        "mic_bitstream._native.SyntaxError",
        "args: (unsupported, clause, bit_offset, message), see mic_bitstream.", PyExc_Exception,
        nullptr));
    m.attr("SyntaxError") = error;
    nb::register_exception_translator(raise_syntax_error, error.ptr());

    nb::class_<Stream>(m, "Stream", "The index of one clip: where its VOPs lie.")
        .def(
            "__init__",
            [](Stream* self, const nb::bytes& path, nb::handle extradata, bool keep_going) {
                const Buffer buffer(extradata);
                new (self)
                    Stream(std::string(path.c_str(), path.size()), buffer.bytes(), keep_going);
            },
            "path"_a, "extradata"_a = nb::bytes(""), "keep_going"_a = false)
        .def(
            "append",
            [](Stream& self, std::int64_t offset, nb::handle packet) {
                const Buffer buffer(packet);
                self.append(offset, buffer.bytes());
            },
            "offset"_a, "packet"_a, "Appends the VOP of one packet found at a file offset.")
        .def(
            "append_table",
            [](Stream& self, const Array<const std::uint64_t>& offsets,
               const Array<const std::uint32_t>& sizes) {
                if (offsets.ndim() != 1 || sizes.ndim() != 1 || offsets.size() != sizes.size())
                    throw nb::value_error("offsets and sizes must have one length");
                interruptible([&](const mic::Interrupt& interrupt) {
                    self.append_table({offsets.data(), offsets.size()},
                                      {sizes.data(), sizes.size()}, interrupt);
                });
            },
            "offsets"_a, "sizes"_a, "Appends the VOPs of a container's sample table.")
        .def("append_absent", &Stream::append_absent, "count"_a,
             "Appends VOPs that the container promises and does not hold.")
        .def(
            "scan",
            [](Stream& self) {
                interruptible([&](const mic::Interrupt& interrupt) { self.scan(interrupt); });
            },
            "Indexes an elementary stream.")
        .def("__len__", &Stream::size)
        .def_prop_ro(
            "faults",
            [](const Stream& self) {
                std::vector<BatchError> errors;
                for (const IndexFault& fault : self.faults())
                    errors.push_back({0, fault.vop, 0, fault.error});
                return records_of(errors);
            },
            "What was met while indexing and did not end it, as `decode` returns errors.")
        .def(
            "steps",
            [](const Stream& self, const Array<std::int32_t>& out) {
                if (out.ndim() != 1 || out.size() > self.size())
                    throw nb::value_error("out must have one number a VOP");
                for (std::size_t vop = 0; vop < out.size(); ++vop)
                    out.data()[vop] = self.vop(vop).step;
            },
            "out"_a,
            "Fills in the ticks from the VOP shown before to each I- or P-VOP, -2**31 for others "
            "and where the clock does not tell.")
        .def_prop_ro(
            "size",
            [](const Stream& self) {
                const VideoObjectLayer* layer = self.any_layer();
                return layer == nullptr ? std::make_tuple(0, 0)
                                        : std::make_tuple(layer->width, layer->height);
            },
            "(width, height) in samples; (0, 0) before any layer was found.")
        .def_prop_ro(
            "ticks",
            [](const Stream& self) {
                const VideoObjectLayer* layer = self.any_layer();
                return layer == nullptr ? std::make_tuple(0, 0)
                                        : std::make_tuple(layer->vop_time_increment_resolution,
                                                          layer->fixed_vop_time_increment);
            },
            "(vop_time_increment_resolution, fixed_vop_time_increment or 0).")
        .def_prop_ro(
            "coding_types",
            [](const Stream& self) {
                std::string types;
                const std::size_t count = self.size();
                for (std::size_t k = 0; k < count; ++k) {
                    const VopEntry vop = self.vop(k);
                    types += vop.damaged  ? '?'
                             : !vop.coded ? 'N'
                                          : "IPB"[static_cast<std::size_t>(vop.coding_type)];
                }
                return types;
            },
            "One letter a VOP: I, P, B, N (not coded) or ? (its header is damaged).")
        .def(
            "is_bidirectional",
            [](const Stream& self, std::size_t vop) {
                check_vops(self, {vop});
                return self.vop(vop).is_bidirectional();
            },
            "vop"_a, "Whether VOP `vop` is a B-VOP, coded or not.")
        .def(
            "is_quarter_sample",
            [](const Stream& self, std::size_t vop) {
                check_vops(self, {vop});
                return self.layer_of(vop).quarter_sample;
            },
            "vop"_a, "Whether the vectors of VOP `vop` are coded in quarter samples.")
        .def_prop_ro("low_delay", &Stream::low_delay, "Whether there is no B-VOP.")
        .def_prop_ro("display_order", &Stream::display_order,
                     "Numbers of the VOPs in the order in which they are shown.");

    m.def("decode", &decode, "sources"_a, nb::kw_only(), "scale"_a = 1, "space"_a = 0,
          "y"_a = nb::none(), "cb"_a = nb::none(), "cr"_a = nb::none(), "pixels"_a = nb::none(),
          "motion"_a = nb::none(), "backward"_a = nb::none(), "type"_a = nb::none(),
          "quantiser"_a = nb::none(), "bits"_a = nb::none(), "threads"_a = 1,
          "keep_going"_a = false,
          "Parses VOPs of one or several streams into arrays with one row a VOP; returns what\n"
          "failed: (source, vop, first_missing, unsupported, clause, bit_offset, message).");

    const auto def_accumulate = [&m](const char* name, auto function, const char* doc) {
        m.def(name, function, "stream"_a, "vops"_a, nb::kw_only(), "scale"_a = 1, "space"_a = 0,
              "y"_a = nb::none(), "cb"_a = nb::none(), "cr"_a = nb::none(),
              "pixels"_a = nb::none(), "displacement"_a = nb::none(), "broken"_a = nb::none(),
              "broken_chroma"_a = nb::none(), "breaks"_a = std::vector<std::size_t>(),
              "with_intra_vop"_a = false, "threads"_a = 1, "keep_going"_a = false, doc);
    };
    def_accumulate("accumulate_standard", &accumulate_into<float>,
                   "Residuals accumulated by the standard's interpolation, float32.");
    def_accumulate("accumulate_coviar", &accumulate_into<std::int16_t>,
                   "Residuals accumulated at whole samples, as CoViAR does, int16.");
    m.def("sum_segments", &sum_segments_into, "stream"_a, "bounds"_a, nb::kw_only(), "scale"_a = 1,
          "space"_a = 0, "y"_a = nb::none(), "cb"_a = nb::none(), "cr"_a = nb::none(),
          "pixels"_a = nb::none(), "threads"_a = 1, "keep_going"_a = false,
          "Sums residuals over [bounds[k], bounds[k + 1]), int32.");
    m.def("decode_intra", &decode_intra, "stream"_a, "vop"_a, nb::kw_only(),
          "coefficients"_a = nb::none(), "y"_a = nb::none(), "cb"_a = nb::none(),
          "cr"_a = nb::none(), "Parses an I-VOP: dequantised coefficients and samples.");
    bind_pictures(m);
}
