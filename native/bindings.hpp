#pragma once
/// What the parts of mic._native share: arrays and their checks, errors, signals.

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
#include "interrupt.hpp"
#include "mpeg4.hpp"
#include "stream.hpp"

namespace nb = nanobind;

namespace mic::mpeg4::binding {

template <typename T>
using Array = nb::ndarray<T, nb::c_contig, nb::device::cpu>;
template <typename T>
using MaybeArray = std::optional<Array<T>>;

/// The array's memory, after checking that it is what the parser is about to fill.
template <typename T>
T* checked(const MaybeArray<T>& array, const char* name, const std::vector<std::size_t>& shape) {
    if (!array)
        return nullptr;
    bool fits = array->ndim() == shape.size();
    for (std::size_t k = 0; fits && k < shape.size(); ++k)
        fits = array->shape(k) == shape[k];
    if (!fits)
        throw nb::value_error((std::string(name) + " has the wrong shape").c_str());
    return array->data();
}

/// (source, vop, first_missing, unsupported, clause, bit_offset, message)
using ErrorRecord =
    std::tuple<std::size_t, std::size_t, int, bool, std::string, std::size_t, std::string>;

inline std::vector<ErrorRecord> records_of(const std::vector<BatchError>& errors) {
    std::vector<ErrorRecord> records;
    for (const BatchError& error : errors)
        records.emplace_back(error.source, error.vop, error.first_missing,
                             error.error.fault == Fault::unsupported, error.error.clause,
                             error.error.bit_offset, error.error.what());
    return records;
}

/// Runs `work(interrupt)` without the GIL; a signal, Ctrl-C for one, ends it with its exception.
template <typename Work>
auto interruptible(Work work) {
    std::optional<nb::python_error> raised;
    const mic::Interrupt interrupt([&] {
        const nb::gil_scoped_acquire held;
        if (PyErr_CheckSignals() == 0)
            return false;
        raised.emplace();  // takes what the signal's handler raised
        return true;
    });
    try {
        const nb::gil_scoped_release released;
        return work(interrupt);
    } catch (const mic::Interrupted&) {
        throw nb::python_error(*raised);
    }
}

inline void check_vops(const Stream& stream, const std::vector<std::size_t>& vops) {
    if (!vops.empty() && stream.any_layer() == nullptr)
        throw nb::value_error("the stream has no video object layer");
    const std::size_t count = stream.size();
    for (const std::size_t vop : vops)
        if (vop >= count)
            throw nb::index_error("there is no such VOP");
}

/// Pictures of a region, see pictures.hpp.
void bind_pictures(nb::module_& m);

}  // namespace mic::mpeg4::binding
