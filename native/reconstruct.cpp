/// Prediction, inverse transform, sum and clipping, block by block.

#include "reconstruct.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace mic::mpeg4 {
namespace {

constexpr std::uint8_t kGrey = 128;

/// 7.6.2: one block by `predictor`; windows that reach outside the picture are copied first.
template <int kSide>
void predict_block(const Surface<std::uint8_t>& from, const Source& source, int unit,
                   Predictor predictor, bool rounding_type, Surface<std::uint8_t>& to, int x,
                   int y) {
    const auto run = [&](const auto& window) {
        predictor({window.row(0), window.stride(), source.fraction_x / unit,
                   source.fraction_y / unit, rounding_type, to.at(x, y), to.width});
    };
    if (source.whole())
        run(Window<std::uint8_t, kSide>(from, source.x, source.y));
    else
        run(Window<std::uint8_t, kSide + 1>(from, source.x, source.y));
}

/// A block that stays as it was.
template <int kSide>
void copy_block(const Surface<std::uint8_t>& from, Surface<std::uint8_t>& to, int x, int y) {
    for (int row = 0; row < kSide; ++row)
        std::memcpy(to.at(x, y + row), from.at(x, y + row), kSide);
}

void fill_block(Surface<std::uint8_t>& to, int x, int y, int side, std::uint8_t value) {
    for (int row = 0; row < side; ++row)
        std::memset(to.at(x, y + row), value, static_cast<std::size_t>(side));
}

/// 7.4.5: one row of eight samples, the transform's output added to `base` and clipped.
template <bool kAdd>
void finish_row(const std::int16_t* residual, std::uint8_t* to) {
#if defined(__SSE2__)
    // Compilers do not find the packing with saturation behind std::clamp.
    __m128i sum = _mm_loadu_si128(reinterpret_cast<const __m128i*>(residual));
    auto* const at = reinterpret_cast<__m128i*>(to);
    if constexpr (kAdd)
        sum = _mm_adds_epi16(sum, _mm_unpacklo_epi8(_mm_loadl_epi64(at), _mm_setzero_si128()));
    _mm_storel_epi64(at, _mm_packus_epi16(sum, sum));
#else
    for (int column = 0; column < 8; ++column) {
        const int base = kAdd ? to[column] : 0;
        to[column] = static_cast<std::uint8_t>(std::clamp(base + residual[column], 0, 255));
    }
#endif
}

template <bool kAdd>
void finish_block(const std::int16_t* residual, std::ptrdiff_t stride, std::uint8_t* to,
                  std::ptrdiff_t to_stride) {
    for (int row = 0; row < 8; ++row)
        finish_row<kAdd>(residual + row * stride, to + row * to_stride);
}

}  // namespace

Picture::Picture(const VideoObjectLayer& layer)
    : broken(static_cast<std::size_t>(layer.mb_count())) {
    for (std::size_t k = 0; k < 3; ++k) {
        const int side = k == 0 ? 16 : 8;
        planes[k] = Surface<std::uint8_t>(side * layer.mb_width(), side * layer.mb_height());
    }
}

void Picture::forget() {
    for (auto& plane : planes)
        std::fill(plane.samples.begin(), plane.samples.end(), kGrey);
    mark_all_broken();
}

void Picture::mark_all_broken() {
    std::fill(broken.begin(), broken.end(), std::uint8_t{1});
    any_broken = true;
}

/// 7.6: the prediction of the wanted blocks of an inter macroblock.
void Reconstructor::predict(const CodedMacroblock& macroblock, const VideoObjectLayer& layer,
                            bool rounding_type, const Picture& from, Picture& to) {
    const int mb_x = macroblock.mb_x, mb_y = macroblock.mb_y;
    const int x = 16 * mb_x, y = 16 * mb_y;
    const bool four = macroblock.type == MacroblockType::inter4v;
    const BlockMask luma = macroblock.wanted & kLuma;
    const Vector v = macroblock.vectors[0];
    const Surface<std::uint8_t>& luma_from = from.planes[0];
    Surface<std::uint8_t>& luma_to = to.planes[0];
    if (!four && (v.x | v.y) == 0) {
        if (luma == kLuma) {
            copy_block<16>(luma_from, luma_to, x, y);
        } else {
            for (unsigned rest = luma; rest != 0; rest &= rest - 1) {
                const int block = std::countr_zero(rest);
                copy_block<8>(luma_from, luma_to, x + block % 2 * 8, y + block / 2 * 8);
            }
        }
        if ((macroblock.wanted & kChroma) != 0)
            for (std::size_t k = 1; k < 3; ++k)
                copy_block<8>(from.planes[k], to.planes[k], x / 2, y / 2);
        return;
    }
    const Sources sources(layer);
    const bool quarter = layer.quarter_sample;
    const int unit = quarter ? 1 : 2;  // quarter samples a step of the interpolation
    const Predictor of_8 = quarter ? predictors_.quarter_8 : predictors_.half_8;
    const Predictor of_16 = quarter ? predictors_.quarter_16 : predictors_.half_16;
    if (four || (luma != kLuma && !quarter)) {
        for (unsigned rest = luma; rest != 0; rest &= rest - 1) {
            const int block = std::countr_zero(rest);
            const int right = block % 2 * 8, down = block / 2 * 8;
            Source source = Sources::luma(mb_x, mb_y, v);
            if (four)
                source = sources.luma_block(mb_x, mb_y, block,
                                            macroblock.vectors[static_cast<std::size_t>(block)]);
            else
                source = {source.x + right, source.y + down, source.fraction_x, source.fraction_y};
            predict_block<8>(luma_from, source, unit, of_8, rounding_type, luma_to, x + right,
                             y + down);
        }
    } else if (luma != 0) {
        predict_block<16>(luma_from, Sources::luma(mb_x, mb_y, v), unit, of_16, rounding_type,
                          luma_to, x, y);
    }
    if ((macroblock.wanted & kChroma) != 0) {
        const Source source = sources.chroma(mb_x, mb_y, macroblock.vectors, four);
        for (std::size_t k = 1; k < 3; ++k)
            predict_block<8>(from.planes[k], source, 1, predictors_.half_8, rounding_type,
                             to.planes[k], x / 2, y / 2);
    }
}

/// 7.4.5: inverse transform of the blocks with coefficients, added to what is predicted.
void Reconstructor::add_texture(const CodedMacroblock& macroblock, Picture& to) {
    const int mb_x = macroblock.mb_x, mb_y = macroblock.mb_y;
    const bool intra = is_intra(macroblock.type);
    for (std::size_t pair = 0; pair < 3; ++pair) {
        const int last = macroblock.last_position[pair];
        if (last < 0)
            continue;
        alignas(32) std::array<std::int16_t, 128> samples;
        std::int16_t* coefficients = coefficients_.values.data() + pair * kPairSize;
        inverse_pair_(coefficients, last, samples.data(), samples.data() + 8, 16);
        std::memset(coefficients, 0, kPairSize * sizeof(std::int16_t));
        for (std::size_t half = 0; half < 2; ++half) {
            const bool wanted = pair == 2 || (macroblock.wanted >> (2 * pair + half) & 1) != 0;
            if (!wanted)
                continue;
            Surface<std::uint8_t>& plane = to.planes[pair == 2 ? 1 + half : 0];
            std::uint8_t* at = pair == 2 ? plane.at(8 * mb_x, 8 * mb_y)
                                         : plane.at(16 * mb_x + 8 * static_cast<int>(half),
                                                    16 * mb_y + 8 * static_cast<int>(pair));
            if (intra)
                finish_block<false>(samples.data() + 8 * half, 16, at, plane.width);
            else
                finish_block<true>(samples.data() + 8 * half, 16, at, plane.width);
        }
    }
}

/// What is missing is broken, and so is what is predicted from a broken macroblock.
void Reconstructor::mark_broken(const CodedVop& vop, const VideoObjectLayer& layer,
                                const Picture& from, Picture& to) {
    const bool inherits = from.any_broken && !vop.intra;
    const auto is_missing = [](const CodedMacroblock& macroblock) {
        return macroblock.type == MacroblockType::missing;
    };
    if (to.any_broken)
        std::fill(to.broken.begin(), to.broken.end(), std::uint8_t{0});
    to.any_broken =
        inherits || std::any_of(vop.macroblocks.begin(), vop.macroblocks.end(), is_missing);
    if (!to.any_broken)
        return;
    for (const CodedMacroblock& macroblock : vop.macroblocks) {
        bool broken = is_missing(macroblock);
        const auto look = [&](int x, int y, int width, int height, int side) {
            const auto macroblock_at = [side](int sample, int count) {
                return std::clamp(sample, 0, side * count - 1) / side;
            };
            const int columns = layer.mb_width(), rows = layer.mb_height();
            for (int row = macroblock_at(y, rows); row <= macroblock_at(y + height - 1, rows);
                 ++row)
                for (int column = macroblock_at(x, columns);
                     column <= macroblock_at(x + width - 1, columns); ++column)
                    broken = broken ||
                             from.broken[static_cast<std::size_t>(row * columns + column)] != 0;
        };
        if (inherits && !broken && !is_intra(macroblock.type))
            visit_references(
                layer, macroblock.mb_x, macroblock.mb_y, macroblock.wanted, macroblock.vectors,
                macroblock.type == MacroblockType::inter4v,
                [&](int x, int y, int width, int height) { look(x, y, width, height, 16); },
                [&](int x, int y, int width, int height) { look(x, y, width, height, 8); });
        to.broken[static_cast<std::size_t>(macroblock.mb_y * layer.mb_width() + macroblock.mb_x)] =
            broken ? 1 : 0;
    }
}

void Reconstructor::apply(const CodedVop& vop, const VideoObjectLayer& layer, const Picture& from,
                          Picture& to) {
    const Token* token = vop.tokens.data();
    for (const CodedMacroblock& macroblock : vop.macroblocks) {
        const int x = 16 * macroblock.mb_x, y = 16 * macroblock.mb_y;
        for (const Token* end = token + macroblock.tokens; token != end; ++token)
            coefficients_.values[token->place] = token->coefficient;
        if (macroblock.type == MacroblockType::missing && vop.intra) {
            fill_block(to.planes[0], x, y, 16, kGrey);
            for (std::size_t k = 1; k < 3; ++k)
                fill_block(to.planes[k], x / 2, y / 2, 8, kGrey);
        } else if (!is_intra(macroblock.type)) {
            predict(macroblock, layer, vop.rounding_type, from, to);
        }
        add_texture(macroblock, to);
    }
    mark_broken(vop, layer, from, to);
}

}  // namespace mic::mpeg4
