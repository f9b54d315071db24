/// The pool of threads: one lock, held for bookkeeping alone.

#include "thread_pool.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <new>
#include <system_error>

namespace mic {
namespace {

/// Every signal is blocked while this lives, and in threads that start meanwhile: signals are the
/// caller's affair, who may have blocked some in order to wait for them.
class BlockedSignals {
  public:
    BlockedSignals() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    BlockedSignals(const BlockedSignals&) = delete;
    BlockedSignals& operator=(const BlockedSignals&) = delete;

  private:
    sigset_t before_;
};

/// The pool's memory, which no destructor touches: its threads wait there until the process ends.
alignas(ThreadPool) std::byte memory[sizeof(ThreadPool)];

/// One at least, so that two threads are two wherever they are asked for.
const std::size_t kMost = std::max(2U, std::thread::hardware_concurrency()) - 1;

/// Made when the library is loaded: a function's static could be half made when a thread forks.
extern ThreadPool* const kShared;

ThreadPool* make_pool() {
    return new (memory) ThreadPool(kMost);
}

ThreadPool* make_first_pool() {
    ThreadPool* pool = make_pool();
    pthread_atfork([] { kShared->before_fork(); }, [] { kShared->after_fork(); },
                   [] {
                       kShared->give_up();
                       make_pool();
                   });
    return pool;
}

ThreadPool* const kShared = make_first_pool();

}  // namespace

ThreadPool& ThreadPool::shared() {
    return *kShared;
}

void ThreadPool::run(std::size_t helpers, const std::function<void()>& work,
                     const std::function<void()>& waiting) {
    Call call{work, helpers, 0, {}};
    std::unique_lock guard(lock_);
    const auto place = calls_.insert(calls_.end(), &call);
    open_ += helpers;
    while (!forking_ && helpers_.size() < most_ && helpers_.size() - busy_ < open_) {
        try {
            start();
        } catch (const std::system_error&) {
            break;  // the system gives no more; work gets done all the same
        }
    }
    guard.unlock();
    for (std::size_t k = 0; k < helpers; ++k)
        called_.notify_one();
    work();
    guard.lock();
    if (call.open > 0)
        calls_.erase(place);
    open_ -= call.open;
    while (!call.end.wait_for(guard, std::chrono::milliseconds(50),
                              [&] { return call.running == 0; })) {
        guard.unlock();
        waiting();
        guard.lock();
    }
}

void ThreadPool::start() {
    const BlockedSignals blocked;
    Helper& helper = helpers_.emplace_back();
    try {
        helper.thread = std::thread([this, &helper] { help(helper); });
    } catch (...) {
        helpers_.pop_back();
        throw;
    }
}

void ThreadPool::help(Helper& self) {
    std::unique_lock guard(lock_);
    for (;;) {
        called_.wait(guard, [&] { return !calls_.empty() || forking_; });
        if (calls_.empty())
            break;
        Call& call = *calls_.front();
        if (--call.open == 0)
            calls_.pop_front();
        --open_;
        ++call.running;
        ++busy_;
        guard.unlock();
        call.work();
        guard.lock();
        --busy_;
        if (--call.running == 0)
            call.end.notify_one();  // not after the lock is gone: then the call may be, too
    }
    self.gone = true;
    left_.notify_all();
}

void ThreadPool::before_fork() {
    std::unique_lock guard(lock_);
    // Two threads may fork at once, and the pool sees one fork after the other.
    left_.wait(guard, [&] { return !forking_; });
    forking_ = true;
    called_.notify_all();
    left_.wait(guard, [&] {
        const auto gone = std::ranges::count_if(helpers_, &Helper::gone);
        return helpers_.size() - static_cast<std::size_t>(gone) == busy_;
    });
    join_gone();
    guard.release();  // not unlocked: nobody is to be inside when the process is copied
}

void ThreadPool::after_fork() {
    forking_ = false;
    lock_.unlock();
    left_.notify_all();
}

void ThreadPool::give_up() {
    lock_.unlock();
}

void ThreadPool::join_gone() {
    for (auto helper = helpers_.begin(); helper != helpers_.end();) {
        if (!helper->gone) {
            ++helper;
            continue;
        }
        helper->thread.join();
        helper = helpers_.erase(helper);
    }
}

}  // namespace mic
