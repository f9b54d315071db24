/// Decoders between calls: a few places, taken and filled by exchange.

#include "decoder_pool.hpp"

namespace mic::mpeg4 {

DecoderPool::~DecoderPool() {
    for (auto& place : idle_)
        delete place.load();
}

std::unique_ptr<VopDecoder> DecoderPool::take() {
    for (auto& place : idle_)
        if (VopDecoder* decoder = place.exchange(nullptr))
            return std::unique_ptr<VopDecoder>(decoder);
    return std::make_unique<VopDecoder>();
}

void DecoderPool::give_back(std::unique_ptr<VopDecoder> decoder) {
    for (auto& place : idle_) {
        VopDecoder* nobody = nullptr;
        if (place.compare_exchange_strong(nobody, decoder.get())) {
            decoder.release();
            return;
        }
    }
}

}  // namespace mic::mpeg4
