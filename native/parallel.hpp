#pragma once
/// Independent jobs on a few threads.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace mic {

/// Calls `make_worker()` once a thread and its result with each of 0 .. count - 1 once.
///
/// Jobs start in order, so all jobs below one that ran have run as well. The first exception, if
/// any, is thrown again once all threads have stopped.
template <typename MakeWorker>
void parallel_for(std::size_t count, std::size_t threads, MakeWorker make_worker) {
    std::atomic<std::size_t> next{0};
    std::exception_ptr failure;
    std::mutex failure_lock;
    const auto work = [&] {
        try {
            auto worker = make_worker();
            for (std::size_t job = next++; job < count; job = next++)
                worker(job);
        } catch (...) {
            next = count;
            const std::lock_guard lock(failure_lock);
            if (!failure)
                failure = std::current_exception();
        }
    };
    std::vector<std::jthread> others;
    const std::size_t used = std::min(threads, count);
    for (std::size_t k = 1; k < used; ++k)
        others.emplace_back(work);
    work();
    others.clear();  // joins
    if (failure)
        std::rethrow_exception(failure);
}

}  // namespace mic
