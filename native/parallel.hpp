#pragma once
/// Independent jobs on a few threads.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "interrupt.hpp"

namespace mic {

/// Calls `make_worker()` once a thread and its result with each of 0 .. count - 1 once.
///
/// Jobs start in order, so all jobs below one that ran have run as well. The first exception, if
/// any, is thrown again once all threads have stopped; so is `Interrupted`, which is looked for
/// before each job and, by the calling thread, while it waits for the others.
template <typename MakeWorker>
void parallel_for(std::size_t count, std::size_t threads, const Interrupt& interrupt,
                  MakeWorker make_worker) {
    std::atomic<std::size_t> next{0};
    std::exception_ptr failure;
    std::mutex lock;
    std::condition_variable ended;
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
    const auto work = [&] {
        auto worker = make_worker();
        for (std::size_t job = next++; job < count; job = next++) {
            interrupt.check();
            worker(job);
        }
    };
    const std::size_t used = std::min(threads, count);
    std::size_t running = used > 1 ? used - 1 : 0;
    std::vector<std::jthread> others;
    for (std::size_t k = 1; k < used; ++k)
        others.emplace_back([&] {
            guarded(work);
            const std::lock_guard guard(lock);
            --running;
            ended.notify_one();
        });
    guarded(work);
    for (;;) {
        std::unique_lock guard(lock);
        if (ended.wait_for(guard, std::chrono::milliseconds(50), [&] { return running == 0; }))
            break;
        guard.unlock();
        guarded([&] { interrupt.check(); });
    }
    others.clear();  // joins
    if (failure)
        std::rethrow_exception(failure);
}

}  // namespace mic
