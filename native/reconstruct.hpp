#pragma once
/// Clause 7.4.5 and 7.6: samples of the wanted blocks of a VOP, from those of the one before.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "coded_vop.hpp"
#include "compensate.hpp"
#include "idct.hpp"
#include "mpeg4.hpp"
#include "residual.hpp"
#include "surface.hpp"

namespace mic::mpeg4 {

/// A decoded picture of whole macroblocks, of which only the wanted blocks are meaningful.
struct Picture {
    explicit Picture(const VideoObjectLayer& layer);

    /// As if nothing had been decoded before: mid-grey, and every macroblock broken.
    void forget();
    void mark_all_broken();

    std::array<Surface<std::uint8_t>, 3> planes;  ///< Y, Cb, Cr
    /// By macroblock: 1 if damage may have changed a sample; all 0 unless `any_broken`.
    std::vector<std::uint8_t> broken;
    bool any_broken = false;
};

/// Turns parsed VOPs into samples; owns scratch memory, so keep one a thread.
class Reconstructor {
  public:
    /// 7.6, 7.4.5: writes the wanted blocks of `vop` to `to`.
    ///
    /// Missing macroblocks repeat `from`, or are mid-grey in an I-VOP, and are marked as broken.
    /// @param from what `mark_references` marked must be there; another picture than `to`.
    void apply(const CodedVop& vop, const VideoObjectLayer& layer, const Picture& from,
               Picture& to);

  private:
    void predict(const CodedMacroblock& macroblock, const VideoObjectLayer& layer,
                 bool rounding_type, const Picture& from, Picture& to);
    static void mark_broken(const CodedVop& vop, const VideoObjectLayer& layer,
                            const Picture& from, Picture& to);
    void add_texture(const CodedMacroblock& macroblock, Picture& to);

    MacroblockCoefficients coefficients_;
    InversePair inverse_pair_ = select_inverse_pair();
    Predictors predictors_ = select_predictors();
};

}  // namespace mic::mpeg4
