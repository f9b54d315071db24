#pragma once
/// Long loops that can be told to end, by Ctrl-C for one.

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <utility>

namespace mic {

/// What `Interrupt::check` throws to leave a loop.
struct Interrupted {};

/// Asks the caller, a few times a second, whether to go on.
///
/// Every thread of a loop calls `check` between two VOPs. Only the thread that made the object
/// asks the caller, who may have to be asked there (a Python interpreter's signals); the others
/// see what was answered.
class Interrupt {
  public:
    Interrupt() = default;
    /// @param asked returns true to end the loop.
    explicit Interrupt(std::function<bool()> asked) : asked_(std::move(asked)) {}

    /// @throws Interrupted when the caller wants the loop to end.
    void check() const {
        if (stopped_.load(std::memory_order_relaxed))
            throw Interrupted();
        if (!asked_ || std::this_thread::get_id() != owner_)
            return;
        const auto now = std::chrono::steady_clock::now();
        if (now < next_)
            return;
        next_ = now + std::chrono::milliseconds(50);
        if (asked_()) {
            stopped_ = true;
            throw Interrupted();
        }
    }

  private:
    std::function<bool()> asked_;
    std::thread::id owner_ = std::this_thread::get_id();
    mutable std::chrono::steady_clock::time_point next_{};
    mutable std::atomic<bool> stopped_{false};
};

}  // namespace mic
