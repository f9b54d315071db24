#pragma once
/// Residuals accumulated along the motion since the I-VOP, without decoding a sample.
///
/// With MC the (linear) motion compensation of VOP t and r its residual, A_t = MC_t(A_{t-1}) + r_t
/// from A = 0 at the I-VOP. The decoded frame is MC_t(...MC_1(I)) + A_t, up to the rounding and
/// the clipping of each step, wherever `broken` is not set.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "aligned.hpp"
#include "blocks.hpp"
#include "interpolate.hpp"
#include "mpeg4.hpp"

namespace mic::mpeg4 {

/// Which motion compensation is carried along.
enum class Accumulation : std::uint8_t {
    /// CoViAR's: vectors truncated towards zero to whole samples of each plane, so that one
    /// look-up at the accumulated displacement leads from any VOP into the I-VOP. Chroma uses the
    /// mean of the macroblock's four vectors. Integers throughout (std::int16_t, saturating).
    coviar,
    /// The standard's: half- or quarter-sample interpolation (7.6.2) with its chroma vectors
    /// (7.6.5), as exact linear maps in float, nothing rounded. Planes of reduced size interpolate
    /// bilinearly at the scaled vectors, chroma at the mean of the four.
    standard,
};

/// What a P-VOP does to the sums.
struct PredictedVop {
    const std::int16_t* residual;  ///< as VopOutput::by_macroblock
    const std::uint8_t* coded;     ///< as VopOutput::coded
    const std::int16_t* motion;    ///< as VopOutput::motion
    const std::uint8_t* types;     ///< as VopOutput::type
};

/// The running sums of one clip; T is std::int16_t for coviar, float for standard.
///
/// There is one copy of the sums, macroblock by macroblock (blocks.hpp). Most of a face's
/// surroundings stand still, so a macroblock that is predicted from its own place is left there;
/// the values of one that moves wait until no later macroblock can look up the old ones.
template <typename T>
class Accumulator {
  public:
    /// @param displacement whether to carry the displacement planes as well.
    Accumulator(const VideoObjectLayer& layer, int scale, bool displacement);

    /// The VOPs to come belong to this layer, which has the size of the one before.
    void set_layer(const VideoObjectLayer& layer) { layer_ = layer; }

    /// An I-VOP: all sums become zero, nothing is broken.
    void reset();

    /// The same, but starting from the I-VOP's own samples, planes of whole macroblocks: the
    /// sums are then the carried I-VOP plus the residuals. Full size only.
    void reset(const std::array<const std::uint8_t*, 3>& samples);

    /// The I-VOP is lost: sums become zero, every chain is broken.
    void lose();

    /// The next P-VOP.
    void advance(const PredictedVop& vop);

    /// Writes Y, Cb or Cr, from the picture's upper left corner, as much as `to` is large.
    void write_sums(std::size_t plane, const PlaneOf<T>& to) const;

    /// Writes where in the I-VOP the chain of each luma sample starts, relative to it: x (axis 0)
    /// or y in samples of the luma plane.
    void write_displacement(std::size_t axis, const PlaneOf<T>& to) const;

    /// Writes, per luma (plane 0) or per chroma sample (1): 1 where the chain to the I-VOP is
    /// broken by an intra or missing macroblock, on the way or now. The sums are zero at the
    /// break, and go on from it.
    void write_broken(std::size_t plane, const PlaneOf<std::uint8_t>& to) const;

  private:
    /// What a P-VOP does to a macroblock.
    enum class Fate : std::uint8_t {
        still,   ///< predicted from its own place: only the residual is added
        moved,   ///< new values wait in the pending rows
        marked,  ///< moved, and so are marks of broken samples
        broken,  ///< intra or missing
    };
    template <int kSide>
    void advance_all(const PredictedVop& vop);
    template <int kSide>
    void gather(int index, const PredictedVop& vop);
    template <int kSide>
    void settle(int index, const PredictedVop& vop);
    template <int kSide, bool kSamples, typename U, int kBlock>
    void carry_luma(const BlockPlane<U, kBlock>& from, int x, int y, const std::int16_t* v,
                    const Target<U>& to);
    template <int kSide, typename U>
    void carry_chroma(const BlockPlane<U, kSide>& from, int x, int y,
                      const std::array<const std::int16_t*, 4>& v, bool four, const Target<U>& to);
    template <int kSide, int kBlock>
    void carry_displacement(std::size_t axis, int x, int y, const std::int16_t* v,
                            const Target<T>& to);
    template <int kSide>
    int plan(const std::int16_t* motion, const std::uint8_t* types);
    template <int kSide>
    [[nodiscard]] bool reaches_marks(int index, const std::array<const std::int16_t*, 4>& v) const;
    template <int kSide>
    [[nodiscard]] BlockPlane<T, kSide> luma_plane(std::size_t offset) const;
    template <int kSide>
    [[nodiscard]] BlockPlane<T, kSide / 2> chroma_plane(std::size_t plane) const;
    template <int kSide, int kBlock>
    [[nodiscard]] BlockPlane<std::uint8_t, kBlock> marks_plane() const;
    [[nodiscard]] bool is_still(const std::array<const std::int16_t*, 4>& v) const;

    VideoObjectLayer layer_;
    int scale_;
    int scale_bits_;
    bool with_displacement_;
    AlignedVector<T> sums_;               ///< a `Slot` for each macroblock
    AlignedVector<std::uint8_t> broken_;  ///< marks of luma, then of chroma, for each macroblock
    std::vector<std::uint8_t> marked_;    ///< macroblocks with broken samples
    std::vector<Fate> fates_;
    int held_ = 1;  ///< rows of macroblocks that wait
    AlignedVector<T> pending_;
    AlignedVector<std::uint8_t> pending_marks_;
};

extern template class Accumulator<std::int16_t>;
extern template class Accumulator<float>;

}  // namespace mic::mpeg4
