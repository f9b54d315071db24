/// mic._native: exact pictures of a region.

#include "bindings.hpp"
#include "colour.hpp"
#include "pictures.hpp"
#include "resample.hpp"

using namespace nb::literals;

namespace mic::mpeg4::binding {
namespace {

/// `boxes` holds (left, top, width, height) for each VOP; the planes of all rows lie one after the
/// other. Returns what failed, the macroblocks reconstructed and those of whole pictures.
std::tuple<std::vector<ErrorRecord>, std::uint64_t, std::uint64_t> reconstruct_into(
    const Stream& stream, const std::vector<std::size_t>& vops,
    const Array<const std::int32_t>& boxes, const Array<std::uint8_t>& y,
    const Array<std::uint8_t>& cb, const Array<std::uint8_t>& cr,
    const MaybeArray<std::uint8_t>& broken, const std::vector<std::size_t>& breaks,
    std::size_t threads, bool keep_going) {
    check_vops(stream, vops);
    if (!std::is_sorted(breaks.begin(), breaks.end()))
        throw nb::value_error("breaks must ascend");
    if (boxes.ndim() != 2 || boxes.shape(0) != vops.size() || boxes.shape(1) != 4)
        throw nb::value_error("boxes has the wrong shape");
    std::vector<PictureRequest> requests;
    std::size_t luma = 0, chroma = 0;
    for (std::size_t row = 0; row < vops.size(); ++row) {
        const std::int32_t* at = boxes.data() + 4 * row;
        const Box box{at[0], at[1], at[2], at[3]};
        const VideoObjectLayer& layer = *stream.any_layer();
        if (box.left < 0 || box.top < 0 || box.width < 1 || box.height < 1 ||
            box.width > layer.width - box.left || box.height > layer.height - box.top)
            throw nb::value_error("a box reaches outside the picture");
        requests.push_back({vops[row],
                            box,
                            {y.data() + luma, cb.data() + chroma, cr.data() + chroma},
                            broken ? broken->data() + luma : nullptr});
        luma += box.area();
        chroma += box.chroma().area();
    }
    if (y.size() != luma || cb.size() != chroma || cr.size() != chroma ||
        (broken && broken->size() != luma))
        throw nb::value_error("y, cb, cr or broken has the wrong size");
    const PicturesReport report = interruptible([&](const mic::Interrupt& interrupt) {
        return reconstruct_pictures(stream, requests, breaks, threads, keep_going, interrupt);
    });
    return {records_of(report.errors), report.reconstructed, report.total};
}

void picture_to_rgb_into(const Array<const std::uint8_t>& y, const Array<const std::uint8_t>& cb,
                         const Array<const std::uint8_t>& cr, int left, int top,
                         const Array<std::uint8_t>& pixels) {
    if (y.ndim() != 2 || cb.ndim() != 2 || cr.ndim() != 2 || y.size() == 0)
        throw nb::value_error("a plane has the wrong shape");
    const auto plane = [](const Array<const std::uint8_t>& array) {
        return PlaneOf<const std::uint8_t>{
            array.data(), static_cast<std::ptrdiff_t>(array.shape(1)),
            static_cast<int>(array.shape(1)), static_cast<int>(array.shape(0))};
    };
    const Box chroma =
        Box{left & 1, top & 1, static_cast<int>(y.shape(1)), static_cast<int>(y.shape(0))}
            .chroma();
    for (const auto* array : {&cb, &cr})
        if (plane(*array).width != chroma.width || plane(*array).height != chroma.height)
            throw nb::value_error("a chroma plane has the wrong shape");
    checked<std::uint8_t>(pixels, "pixels", {y.shape(0), y.shape(1), 3});
    const Released released;
    picture_to_rgb({plane(y), plane(cb), plane(cr)}, (left & 1) != 0, (top & 1) != 0,
                   pixels.data());
}

void resample_into(const Array<const std::uint8_t>& pixels, int step,
                   const std::vector<double>& map, const Array<float>& out) {
    AffineMap affine;
    if (pixels.ndim() != 3 || pixels.shape(2) != 3 || pixels.size() == 0)
        throw nb::value_error("pixels has the wrong shape");
    if (out.ndim() != 3 || out.shape(0) != out.shape(1) || out.shape(2) != 3)
        throw nb::value_error("out has the wrong shape");
    if (map.size() != affine.size() || step < 1 || step > 256)
        throw nb::value_error("map or step is out of its range");
    std::copy(map.begin(), map.end(), affine.begin());
    const Released released;
    resample({pixels.data(), static_cast<int>(pixels.shape(1)), static_cast<int>(pixels.shape(0))},
             step, affine, static_cast<int>(out.shape(0)), out.data());
}

}  // namespace

void bind_pictures(nb::module_& m) {
    m.def("reconstruct", &reconstruct_into, "stream"_a, "vops"_a, nb::kw_only(), "boxes"_a, "y"_a,
          "cb"_a, "cr"_a, "broken"_a = nb::none(), "breaks"_a = std::vector<std::size_t>(),
          "threads"_a = 1, "keep_going"_a = false,
          "Exact samples of a box (left, top, width, height) of each VOP, one after the other in\n"
          "flat planes; returns what failed, macroblocks reconstructed, macroblocks in all.");
    m.def("picture_to_rgb", &picture_to_rgb_into, "y"_a, "cb"_a, "cr"_a, nb::kw_only(), "left"_a,
          "top"_a, "pixels"_a,
          "A decoded picture whose first luma sample is (left, top), as RGB.");
    m.def("resample", &resample_into, "pixels"_a, nb::kw_only(), "step"_a, "map"_a, "out"_a,
          "Bilinear samples, 0 to 1, of an RGB picture reduced by `step`; `map` is affine, from\n"
          "the result's coordinates to those of the reduced picture.");
}

}  // namespace mic::mpeg4::binding
