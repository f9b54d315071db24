#pragma once
/// Independent jobs on a few threads.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>

#include "interrupt.hpp"
#include "thread_pool.hpp"

namespace mic {

/// Calls `make_worker()` once a thread and its result with each of 0 .. count - 1 once.
///
/// Jobs start in order, so all jobs below one that ran have run as well. The first exception, if
/// any, is thrown again once all threads have ended; so is `Interrupted`, which is looked for
/// before each job and, by the calling thread, while it waits for the others.
template <typename MakeWorker>
void parallel_for(std::size_t count, std::size_t threads, const Interrupt& interrupt,
                  MakeWorker make_worker) {
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
        std::size_t job = next++;
        if (job >= count)
            return;  // a thread that comes late needs no worker
        auto worker = make_worker();
        for (; job < count; job = next++) {
            interrupt.check();
            worker(job);
        }
    };
    const std::size_t used = std::min(threads, count);
    if (used < 2)
        return work();
    std::exception_ptr failure;
    std::mutex lock;
    const auto guarded = [&](const auto& action) {
        try {
            action();
        } catch (...) {
            next = count;
            const std::lock_guard guard(lock);
            if (!failure)
                failure = std::current_exception();
        }
    };
    ThreadPool::shared().run(
        used - 1, [&] { guarded(work); }, [&] { guarded([&] { interrupt.check(); }); });
    if (failure)
        std::rethrow_exception(failure);
}

}  // namespace mic
