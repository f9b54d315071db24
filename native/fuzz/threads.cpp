/// Tries the pool of threads: many callers at once, errors on the way, forks at every moment.
///
/// A program of its own, for the sanitizers; it ends with status 0, or where something is wrong.

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include "../parallel.hpp"

namespace {

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

/// Each job is done once, and each worker made where it is used.
void share_out(std::size_t count, std::size_t threads) {
    std::vector<int> done(count);
    std::atomic<std::size_t> workers{0};
    mic::parallel_for(count, threads, {}, [&] {
        ++workers;
        return [&, owner = std::this_thread::get_id()](std::size_t job) {
            require(owner == std::this_thread::get_id(), "a worker belongs to one thread");
            ++done[job];
        };
    });
    require(std::ranges::all_of(done, [](int times) { return times == 1; }), "each job once");
    require(workers <= std::min(count, threads), "no more workers than threads or jobs");
}

struct Failure {};

void fail(std::size_t count, std::size_t threads) {
    std::atomic<std::size_t> done{0};
    try {
        mic::parallel_for(count, threads, {}, [&] {
            return [&](std::size_t job) {
                if (job == count / 2)
                    throw Failure();
                ++done;
            };
        });
        require(false, "an exception is thrown again");
    } catch (const Failure&) {
        require(done < count, "the job that failed is not done");
    }
}

void interrupt() {
    // The second time it is asked, by one who waits for the others.
    int asked = 0;
    const mic::Interrupt interrupt([&] { return ++asked == 2; });
    try {
        mic::parallel_for(1000000, 2, interrupt, [] {
            return [](std::size_t) { std::this_thread::sleep_for(std::chrono::milliseconds(1)); };
        });
        require(false, "an interrupted loop ends");
    } catch (const mic::Interrupted&) {
    }
}

/// A child that calls the pool as its parent does.
void fork_once() {
    const pid_t child = fork();
    require(child >= 0, "fork works");
    if (child == 0) {
        alarm(60);  // a child that hangs is killed, and seen below
        for (int k = 0; k < 3; ++k)
            share_out(20, 3);
        _exit(0);
    }
    int status = 0;
    require(waitpid(child, &status, 0) == child && status == 0, "the child ends well");
}

/// The threads of this process, of which a sanitizer may have one; 0 where nobody tells.
std::ptrdiff_t threads_of_process() {
    if (!std::filesystem::exists("/proc/self/task"))
        return 0;
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
}

}  // namespace

int main() {
    alarm(300);
    std::thread([] {}).join();  // now a sanitizer has what threads it wants
    const std::ptrdiff_t alone = threads_of_process();
    for (std::size_t count : {0U, 1U, 2U, 3U, 100U})
        for (std::size_t threads : {1U, 2U, 3U, 8U})
            share_out(count, threads);
    for (int k = 0; k < 20; ++k)
        fail(10, 3);
    interrupt();
    share_out(100, 3);
    fork_once();
    // No thread of the pool stayed while none had anything to do.
    require(threads_of_process() == alone, "waiting threads are sent home before a fork");

    std::vector<std::thread> callers;
    for (int caller = 0; caller < 4; ++caller)
        callers.emplace_back([caller] {
            for (int k = 0; k < 100; ++k) {
                share_out(10, 2 + static_cast<std::size_t>(k) % 3);
                if (k % 10 == 0)
                    fail(10, 3);
                if (k % 10 == caller)
                    fork_once();
            }
        });
    for (std::thread& caller : callers)
        caller.join();
    std::puts("ok");
    return 0;
}
