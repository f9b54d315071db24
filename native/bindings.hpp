#pragma once
/// What the parts of mic._native share: arrays and their checks, errors, signals.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>
#if defined(__APPLE__)
#include <pthread.h>
#else
#include <sys/syscall.h>
#endif
#include <unistd.h>

#include <chrono>
#include <optional>
#include <string>
#include <thread>
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

/// Whether the interpreter is going down: other threads than its main one must not come back.
inline bool is_finalising() {
#if PY_VERSION_HEX >= 0x030D0000
    return Py_IsFinalizing() != 0;
#else
    return _Py_IsFinalizing() != 0;
#endif
}

/// Whether the calling thread is the process's first, which Python hands signals to. Asked without
/// Python: running its code from a daemon thread at the interpreter's end would crash the process.
inline bool is_main_thread() {
#if defined(__APPLE__)
    return pthread_main_np() != 0;
#else
    return static_cast<pid_t>(syscall(SYS_gettid)) == getpid();
#endif
}

/// Gives the GIL away as nb::gil_scoped_release does. At the interpreter's end a daemon thread
/// waits here for the process to go, as from Python 3.14 on: before, taking the GIL then ends the
/// thread by unwinding it, and where no exception may pass that ends the process with a crash.
class Released {
  public:
    Released() : state_(PyEval_SaveThread()) {}
    Released(const Released&) = delete;
    Released& operator=(const Released&) = delete;
    ~Released() {
        if (is_finalising())
            wait();
        try {
            PyEval_RestoreThread(state_);
        } catch (...) {  // not an exception, but the thread's end, which glibc carries out as one
            wait();
        }
    }

  private:
    [[noreturn]] static void wait() {
        for (;;)
            std::this_thread::sleep_for(std::chrono::hours(1));
    }

    PyThreadState* state_;
};

/// Runs `work(interrupt)` without the GIL; a signal, Ctrl-C for one, ends it with its exception.
template <typename Work>
auto interruptible(Work work) {
    std::optional<nb::python_error> raised;
    const auto asked = [&] {
        const nb::gil_scoped_acquire held;
        if (PyErr_CheckSignals() == 0)
            return false;
        raised.emplace();  // takes what the signal's handler raised
        return true;
    };
    // Signals reach the main thread only, so no other needs to ask.
    const mic::Interrupt interrupt = is_main_thread() ? mic::Interrupt(asked) : mic::Interrupt();
    try {
        const Released released;
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
