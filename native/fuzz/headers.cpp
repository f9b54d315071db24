/// Fuzzes `read_headers`: any bytes, with and without a layer in force before them.

#include "common.hpp"

using namespace mic::mpeg4;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    VideoObjectLayer before;
    before.width = before.height = 16;
    before.vop_time_increment_bits = 1 + input.byte() % 16;
    const Packet packet(input.take(input.size()));
    for (const VideoObjectLayer* layer : {static_cast<const VideoObjectLayer*>(nullptr),
                                          static_cast<const VideoObjectLayer*>(&before)}) {
        try {
            const Headers headers = read_headers(packet, layer);
            if (headers.layer) {
                const VideoObjectLayer& found = *headers.layer;
                fuzz::require(found.width >= 1 && found.width <= kMaxSide, "width in range");
                fuzz::require(found.height >= 1 && found.height <= kMaxSide, "height in range");
                fuzz::require(
                    found.vop_time_increment_bits >= 1 && found.vop_time_increment_bits <= 16,
                    "vop_time_increment_bits in range");
                for (const auto& matrix : {found.intra_matrix, found.nonintra_matrix})
                    for (const std::uint8_t weight : matrix)
                        fuzz::require(weight > 0, "no weight of a matrix is zero");
            }
            if (headers.vop && headers.vop->vop_coded) {
                fuzz::require(headers.vop->vop_quant >= 1 && headers.vop->vop_quant <= 31,
                              "vop_quant in range");
                fuzz::require(headers.vop->data_position <= 8 * packet.bytes().size(),
                              "macroblocks begin inside the packet");
            }
        } catch (const SyntaxError& error) {
            fuzz::require(error.clause != nullptr && *error.clause != 0, "an error has a clause");
            fuzz::require(error.bit_offset <= 8 * (packet.bytes().size() + Packet::kPadding),
                          "an error is near the packet");
        }
    }
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t room, unsigned seed) {
    return fuzz::mutate_bits(data, size, room, seed);
}
