#pragma once
/// Threads that are kept between calls, and that a fork does not leave behind.

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

namespace mic {

/// Threads that help their callers.
///
/// They are started when a call first wants them, and wait between calls. A caller never depends
/// on them: it does its own work as if alone, and waits for those alone who have begun to help.
/// So any number of callers share the pool, and none waits for another one's work.
///
/// Before a fork, those that wait are sent home: parent and child go on with one thread less to
/// know about (Python 3.12 warns of forks while there are others), and either starts new ones when
/// it next wants them. What helps another thread of the parent meanwhile goes on there; the child,
/// where that other thread is no more either, does not miss it.
class ThreadPool {
  public:
    /// @param most threads that are ever started; more than processors would help nobody.
    explicit ThreadPool(std::size_t most) : most_(most) {}
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    /// The pool of this process; it is never destroyed, as its threads may outlive `main`.
    static ThreadPool& shared();

    /// Calls `work` on this thread and on at most `helpers` others, and returns once all of them
    /// have. It must not throw, and must do with fewer calls than that.
    ///
    /// @param waiting called on this thread every 50 ms while others are still at work.
    void run(std::size_t helpers, const std::function<void()>& work,
             const std::function<void()>& waiting);

    /// Sends waiting threads home and keeps all others out until `after_fork`.
    void before_fork();
    void after_fork();

    /// Instead of `after_fork` in the child, where a new pool is to take the place of this one.
    ///
    /// The forking thread is the only one there. Of what others were at, nothing can be touched,
    /// not even to wake them: a condition variable may be locked inside. Nor can their threads be
    /// joined, so this one is not to be destroyed.
    void give_up();

  private:
    /// What one caller wants done; it lives on the caller's stack.
    struct Call {
        const std::function<void()>& work;
        std::size_t open;             ///< helpers that may still join
        std::size_t running = 0;      ///< helpers that have not ended
        std::condition_variable end;  ///< none is running any more
    };
    /// A thread of the pool.
    struct Helper {
        std::thread thread;
        bool gone = false;  ///< has left, and can be joined
    };
    void help(Helper& self);
    void start();
    void join_gone();

    std::size_t most_;
    std::mutex lock_;  ///< guards all below, and what callers wrote of their calls
    std::condition_variable called_;
    std::condition_variable left_;
    std::list<Call*> calls_;  ///< those with open places, the oldest first
    std::list<Helper> helpers_;
    std::size_t open_ = 0;  ///< places of all calls
    std::size_t busy_ = 0;  ///< helpers at work
    bool forking_ = false;
};

}  // namespace mic
