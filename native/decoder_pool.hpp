#pragma once
/// The decoders of one stream, for the threads that read it.

#include <array>
#include <atomic>
#include <memory>
#include <utility>

#include "mpeg4.hpp"

namespace mic::mpeg4 {

/// Decoders kept between calls, because their tables take longer to build than a VOP to parse.
///
/// Without a lock: a thread that forks while another one holds it would leave it locked for good
/// in the child.
class DecoderPool {
  public:
    DecoderPool() = default;
    ~DecoderPool();
    DecoderPool(const DecoderPool&) = delete;
    DecoderPool& operator=(const DecoderPool&) = delete;

    /// A decoder on loan, given back on destruction.
    class Loan {
      public:
        explicit Loan(DecoderPool& pool) : pool_(&pool), decoder_(pool.take()) {}
        ~Loan() {
            if (decoder_)
                pool_->give_back(std::move(decoder_));
        }
        Loan(Loan&&) noexcept = default;
        Loan& operator=(Loan&&) = delete;
        VopDecoder& operator*() { return *decoder_; }

      private:
        DecoderPool* pool_;
        std::unique_ptr<VopDecoder> decoder_;
    };

  private:
    std::unique_ptr<VopDecoder> take();
    void give_back(std::unique_ptr<VopDecoder> decoder);

    std::array<std::atomic<VopDecoder*>, 16> idle_{};  ///< owned; what has no place is not kept
};

}  // namespace mic::mpeg4
