//! What the packed kernels ask of a processor: one vector of `f32` lanes, and as many 32-bit integers.
//!
//! Each kernel is written once over [`Vector`] and compiled for every [`Level`] by [`compile_for_levels!`].

/// Adding this to a float below 2^22 in magnitude leaves its nearest integer in the low bits.
const ROUND: f32 = 12_582_912.0;

/// What the processor can do. Can only be made for the processor that it describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level(pub(super) Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Plain Rust, which the compiler may vectorise.
    Portable,
    /// WebAssembly's 128-bit vectors; with fused multiply-add where the module is built with `relaxed-simd`.
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    Wasm,
    /// The vectors that every 64-bit Arm processor has.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, BW, VL and VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// The best that this processor offers.
    pub fn detect() -> Self {
        Self::available()[0]
    }

    /// All that this processor offers, the best first.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut, reason = "wasm32 without vectors has only the portable one")]
        let mut levels = vec![Self(Kind::Portable)];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                levels.insert(0, Self(Kind::Avx2));
            }
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni")
            {
                levels.insert(0, Self(Kind::Avx512));
            }
        }
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        levels.insert(0, Self(Kind::Wasm));
        #[cfg(target_arch = "aarch64")]
        levels.insert(0, Self(Kind::Neon));
        levels
    }

    /// `nr` of Goto and van de Geijn: columns of a matrix that lie together when it is packed, two vectors or one of AVX-512.
    pub(super) fn nr(self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 | Kind::Avx512 => 16,
            _ => 8,
        }
    }
}

/// A vector of `f32`, with the integer operations on vectors of the same size.
///
/// That there is one proves that the processor has its instructions: the functions that make one out of nothing are
/// unsafe, those that need one are not.
pub(super) trait Vector: Copy {
    /// 32-bit integers, or twice as many 16-bit ones.
    type Ints: Copy;
    /// Number of `f32`s.
    const LANES: usize;
    /// Vectors in a panel of a packed matrix.
    const PANEL: usize;
    /// `mr`: rows of a product of floats that are worked on together, as many as the registers hold.
    const MR: usize;
    /// `mr` of a product of integers.
    const INT_MR: usize;
    /// Whether [`Vector::add_dot`] is one instruction, which then has a multiplication's latency.
    const FUSED_DOT: bool;
    /// Whether products take several steps a turn of their loop. Not in WebAssembly: engines unroll short loops by
    /// themselves, while a long one is put in an order that needs more registers than there are.
    const UNROLL: bool;

    /// # Safety
    /// The processor has the instructions, and `from` points to `LANES` values.
    unsafe fn load(from: *const f32) -> Self;
    /// # Safety
    /// `to` points to room for `LANES` values.
    unsafe fn store(self, to: *mut f32);
    /// All lanes `x`.
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn splat(x: f32) -> Self;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    fn min(self, other: Self) -> Self;
    fn max(self, other: Self) -> Self;
    /// `self + a b`, rounded once or twice.
    fn add_product(self, a: Self, b: Self) -> Self;
    /// The sum of the lanes.
    fn sum(self) -> f32;
    /// The largest lane.
    fn largest(self) -> f32;
    /// `2^n` for each lane, an integer of -126..=127.
    fn power_of_two(self) -> Self;
    /// Rounds each lane, within -32768..=32767, to the nearest integer.
    ///
    /// # Safety
    /// `to` points to room for `LANES` values.
    unsafe fn store_i16(self, to: *mut i16);
    /// All zero.
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn zero_ints() -> Self::Ints;
    /// # Safety
    /// The processor has the instructions, and `from` points to `2 * LANES` values.
    unsafe fn load_i8(from: *const i8) -> Self::Ints;
    /// The same two 16-bit integers in every 32 bits.
    ///
    /// # Safety
    /// The processor has the instructions, and `from` points to two values.
    unsafe fn splat_pair(from: *const i16) -> Self::Ints;
    /// Adds the products of 16-bit neighbours, two to each 32-bit sum.
    fn add_dot(sum: Self::Ints, a: Self::Ints, b: Self::Ints) -> Self::Ints;
    fn add_ints(a: Self::Ints, b: Self::Ints) -> Self::Ints;
    fn from_ints(ints: Self::Ints) -> Self;

    /// Another vector, all lanes `x`.
    #[inline(always)]
    fn like(self, x: f32) -> Self {
        // SAFETY: there is a vector already.
        unsafe { Self::splat(x) }
    }

    /// `min(max(x, 0), 6)`.
    #[inline(always)]
    fn relu6(self) -> Self {
        self.max(self.like(0.0)).min(self.like(6.0))
    }

    /// `e^x` with a relative error below 3e-7: Cephes' `expf` (Moshier), without branches; the same steps as in training.
    #[inline(always)]
    fn exp(self) -> Self {
        let x = self.max(self.like(-87.3)).min(self.like(88.3));
        let round = self.like(ROUND);
        let n = x.mul(self.like(std::f32::consts::LOG2_E)).add(round).sub(round);
        let r = x.add_product(n, self.like(-0.693_359_4)).add_product(n, self.like(2.121_944_4e-4));
        let mut p = self.like(1.987_569_1e-4);
        for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5] {
            p = self.like(c).add_product(p, r);
        }
        let p = r.add_product(p.mul(r), r).add(self.like(1.0));
        p.mul(n.power_of_two())
    }
}

/// `N` lanes in plain Rust.
#[derive(Clone, Copy)]
pub(super) struct Plain<const N: usize>(pub [f32; N]);

impl<const N: usize> Plain<N> {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

impl<const N: usize> Vector for Plain<N> {
    type Ints = [[i32; 2]; N];
    const LANES: usize = N;
    const PANEL: usize = 8 / N;
    const MR: usize = 4;
    const INT_MR: usize = 4;
    const FUSED_DOT: bool = false;
    const UNROLL: bool = true;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { from.cast::<[f32; N]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[f32; N]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self([x; N])
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, f32::min)
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, f32::max)
    }
    #[inline(always)]
    fn add_product(self, a: Self, b: Self) -> Self {
        self.add(a.mul(b))
    }
    #[inline(always)]
    fn sum(self) -> f32 {
        self.0.iter().sum()
    }
    #[inline(always)]
    fn largest(self) -> f32 {
        self.0.iter().copied().fold(f32::NEG_INFINITY, f32::max)
    }
    #[inline(always)]
    fn power_of_two(self) -> Self {
        Self(self.0.map(|n| f32::from_bits(((n as i32 + 127) << 23) as u32)))
    }
    #[inline(always)]
    unsafe fn store_i16(self, to: *mut i16) {
        let rounded: [i16; N] = self.0.map(|x| (x + ROUND).to_bits() as i16);
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[i16; N]>().write_unaligned(rounded) }
    }
    #[inline(always)]
    unsafe fn zero_ints() -> Self::Ints {
        [[0; 2]; N]
    }
    #[inline(always)]
    unsafe fn load_i8(from: *const i8) -> Self::Ints {
        // SAFETY: the caller's promise.
        let pairs = unsafe { from.cast::<[[i8; 2]; N]>().read_unaligned() };
        pairs.map(|pair| pair.map(i32::from))
    }
    #[inline(always)]
    unsafe fn splat_pair(from: *const i16) -> Self::Ints {
        // SAFETY: the caller's promise.
        [unsafe { from.cast::<[i16; 2]>().read_unaligned() }.map(i32::from); N]
    }
    #[inline(always)]
    fn add_dot(sum: Self::Ints, a: Self::Ints, b: Self::Ints) -> Self::Ints {
        std::array::from_fn(|i| {
            std::array::from_fn(|j| sum[i][j].wrapping_add(a[i][j].wrapping_mul(b[i][j])))
        })
    }
    #[inline(always)]
    fn add_ints(a: Self::Ints, b: Self::Ints) -> Self::Ints {
        std::array::from_fn(|i| std::array::from_fn(|j| a[i][j].wrapping_add(b[i][j])))
    }
    #[inline(always)]
    fn from_ints(ints: Self::Ints) -> Self {
        Self(ints.map(|[a, b]| a.wrapping_add(b) as f32))
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(super) mod wasm {
    use super::{ROUND, Vector};
    use std::arch::wasm32::*;

    /// Four lanes.
    #[derive(Clone, Copy)]
    pub struct Wasm(v128);

    impl Vector for Wasm {
        type Ints = v128;
        const LANES: usize = 4;
        const PANEL: usize = 2;
        const MR: usize = 4;
        const INT_MR: usize = 4;
        const FUSED_DOT: bool = false;
        const UNROLL: bool = false;

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller's promise.
            Self(unsafe { v128_load(from.cast()) })
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe { v128_store(to.cast(), self.0) }
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            Self(f32x4_splat(x))
        }
        #[inline(always)]
        fn add(self, other: Self) -> Self {
            Self(f32x4_add(self.0, other.0))
        }
        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            Self(f32x4_sub(self.0, other.0))
        }
        #[inline(always)]
        fn mul(self, other: Self) -> Self {
            Self(f32x4_mul(self.0, other.0))
        }
        #[inline(always)]
        fn div(self, other: Self) -> Self {
            Self(f32x4_div(self.0, other.0))
        }
        // The pseudo-minimum is one instruction of x86; the proper one has to mind NaN and the sign of zero.
        #[inline(always)]
        fn min(self, other: Self) -> Self {
            Self(f32x4_pmin(other.0, self.0))
        }
        #[inline(always)]
        fn max(self, other: Self) -> Self {
            Self(f32x4_pmax(other.0, self.0))
        }
        #[inline(always)]
        fn add_product(self, a: Self, b: Self) -> Self {
            #[cfg(target_feature = "relaxed-simd")]
            return Self(f32x4_relaxed_madd(a.0, b.0, self.0));
            #[cfg(not(target_feature = "relaxed-simd"))]
            self.add(a.mul(b))
        }
        #[inline(always)]
        fn sum(self) -> f32 {
            let half = f32x4_add(self.0, i32x4_shuffle::<2, 3, 0, 1>(self.0, self.0));
            f32x4_extract_lane::<0>(half) + f32x4_extract_lane::<1>(half)
        }
        #[inline(always)]
        fn largest(self) -> f32 {
            let half = f32x4_pmax(self.0, i32x4_shuffle::<2, 3, 0, 1>(self.0, self.0));
            f32x4_extract_lane::<0>(half).max(f32x4_extract_lane::<1>(half))
        }
        #[inline(always)]
        fn power_of_two(self) -> Self {
            Self(i32x4_shl(i32x4_add(i32x4_trunc_sat_f32x4(self.0), i32x4_splat(127)), 23))
        }
        #[inline(always)]
        unsafe fn store_i16(self, to: *mut i16) {
            let bits = f32x4_add(self.0, f32x4_splat(ROUND));
            let low = i16x8_shuffle::<0, 2, 4, 6, 0, 2, 4, 6>(bits, bits);
            // SAFETY: the caller's promise.
            unsafe { v128_store64_lane::<0>(low, to.cast()) }
        }
        #[inline(always)]
        unsafe fn zero_ints() -> v128 {
            i32x4_splat(0)
        }
        #[inline(always)]
        unsafe fn load_i8(from: *const i8) -> v128 {
            // SAFETY: the caller's promise.
            unsafe { i16x8_load_extend_i8x8(from) }
        }
        #[inline(always)]
        unsafe fn splat_pair(from: *const i16) -> v128 {
            // SAFETY: the caller's promise.
            unsafe { v128_load32_splat(from.cast()) }
        }
        #[inline(always)]
        fn add_dot(sum: v128, a: v128, b: v128) -> v128 {
            i32x4_add(sum, i32x4_dot_i16x8(a, b))
        }
        #[inline(always)]
        fn add_ints(a: v128, b: v128) -> v128 {
            i32x4_add(a, b)
        }
        #[inline(always)]
        fn from_ints(ints: v128) -> Self {
            Self(f32x4_convert_i32x4(ints))
        }
    }
}

#[cfg(target_arch = "aarch64")]
pub(super) mod neon {
    use super::Vector;
    use std::arch::aarch64::*;

    /// Four lanes.
    #[derive(Clone, Copy)]
    pub struct Neon(float32x4_t);

    // SAFETY of every block: every 64-bit Arm processor has these instructions; pointers are the caller's promise.
    #[allow(clippy::undocumented_unsafe_blocks)]
    impl Vector for Neon {
        type Ints = int32x4_t;
        const LANES: usize = 4;
        const PANEL: usize = 2;
        // 24 of the 32 registers hold sums.
        const MR: usize = 12;
        // A product takes three registers more than one of floats.
        const INT_MR: usize = 8;
        const FUSED_DOT: bool = false;
        const UNROLL: bool = true;

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            Self(unsafe { vld1q_f32(from) })
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { vst1q_f32(to, self.0) }
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            Self(unsafe { vdupq_n_f32(x) })
        }
        #[inline(always)]
        fn add(self, other: Self) -> Self {
            Self(unsafe { vaddq_f32(self.0, other.0) })
        }
        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            Self(unsafe { vsubq_f32(self.0, other.0) })
        }
        #[inline(always)]
        fn mul(self, other: Self) -> Self {
            Self(unsafe { vmulq_f32(self.0, other.0) })
        }
        #[inline(always)]
        fn div(self, other: Self) -> Self {
            Self(unsafe { vdivq_f32(self.0, other.0) })
        }
        #[inline(always)]
        fn min(self, other: Self) -> Self {
            Self(unsafe { vminq_f32(self.0, other.0) })
        }
        #[inline(always)]
        fn max(self, other: Self) -> Self {
            Self(unsafe { vmaxq_f32(self.0, other.0) })
        }
        #[inline(always)]
        fn add_product(self, a: Self, b: Self) -> Self {
            Self(unsafe { vfmaq_f32(self.0, a.0, b.0) })
        }
        #[inline(always)]
        fn sum(self) -> f32 {
            unsafe { vaddvq_f32(self.0) }
        }
        #[inline(always)]
        fn largest(self) -> f32 {
            unsafe { vmaxvq_f32(self.0) }
        }
        #[inline(always)]
        fn power_of_two(self) -> Self {
            let exponent = unsafe { vaddq_s32(vcvtq_s32_f32(self.0), vdupq_n_s32(127)) };
            Self(unsafe { vreinterpretq_f32_s32(vshlq_n_s32::<23>(exponent)) })
        }
        #[inline(always)]
        unsafe fn store_i16(self, to: *mut i16) {
            unsafe { vst1_s16(to, vqmovn_s32(vcvtnq_s32_f32(self.0))) }
        }
        #[inline(always)]
        unsafe fn zero_ints() -> int32x4_t {
            unsafe { vdupq_n_s32(0) }
        }
        #[inline(always)]
        unsafe fn load_i8(from: *const i8) -> int32x4_t {
            unsafe { vreinterpretq_s32_s16(vmovl_s8(vld1_s8(from))) }
        }
        #[inline(always)]
        unsafe fn splat_pair(from: *const i16) -> int32x4_t {
            unsafe { vdupq_n_s32(from.cast::<i32>().read_unaligned()) }
        }
        #[inline(always)]
        fn add_dot(sum: int32x4_t, a: int32x4_t, b: int32x4_t) -> int32x4_t {
            unsafe {
                let (a, b) = (vreinterpretq_s16_s32(a), vreinterpretq_s16_s32(b));
                let low = vmull_s16(vget_low_s16(a), vget_low_s16(b));
                vaddq_s32(sum, vpaddq_s32(low, vmull_high_s16(a, b)))
            }
        }
        #[inline(always)]
        fn add_ints(a: int32x4_t, b: int32x4_t) -> int32x4_t {
            unsafe { vaddq_s32(a, b) }
        }
        #[inline(always)]
        fn from_ints(ints: int32x4_t) -> Self {
            Self(unsafe { vcvtq_f32_s32(ints) })
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    use super::Vector;
    use std::arch::x86_64::*;

    /// A vector whose operations are the processor's.
    macro_rules! vector {
        (
            $(#[$doc:meta])* $name:ident, $float:ty, $ints:ty, $lanes:literal, $panel:literal, $rows:literal, $fused:literal,
            $load:ident $store:ident $splat:ident $add:ident $sub:ident $mul:ident $div:ident $min:ident $max:ident $fmadd:ident
            $set_ints:ident $add_ints:ident $to_ints:ident $from_ints:ident $shift:ident $cast:ident
            sum $sum:expr, largest $largest:expr, store_i16 $store_i16:expr, load_i8 $load_i8:expr, dot $dot:expr
        ) => {
            $(#[$doc])*
            #[derive(Clone, Copy)]
            pub struct $name($float);

            // SAFETY of every block: what makes a vector is promised that the processor has the instructions, everything else
            // is given one; pointers are the caller's promise.
            #[allow(clippy::undocumented_unsafe_blocks)]
            impl Vector for $name {
                type Ints = $ints;
                const LANES: usize = $lanes;
                const PANEL: usize = $panel;
                const MR: usize = $rows;
                const INT_MR: usize = $rows;
                const FUSED_DOT: bool = $fused;
                const UNROLL: bool = true;

                #[inline(always)]
                unsafe fn load(from: *const f32) -> Self {
                    Self(unsafe { $load(from) })
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut f32) {
                    unsafe { $store(to, self.0) }
                }
                #[inline(always)]
                unsafe fn splat(x: f32) -> Self {
                    Self(unsafe { $splat(x) })
                }
                #[inline(always)]
                fn add(self, other: Self) -> Self {
                    Self(unsafe { $add(self.0, other.0) })
                }
                #[inline(always)]
                fn sub(self, other: Self) -> Self {
                    Self(unsafe { $sub(self.0, other.0) })
                }
                #[inline(always)]
                fn mul(self, other: Self) -> Self {
                    Self(unsafe { $mul(self.0, other.0) })
                }
                #[inline(always)]
                fn div(self, other: Self) -> Self {
                    Self(unsafe { $div(self.0, other.0) })
                }
                #[inline(always)]
                fn min(self, other: Self) -> Self {
                    Self(unsafe { $min(self.0, other.0) })
                }
                #[inline(always)]
                fn max(self, other: Self) -> Self {
                    Self(unsafe { $max(self.0, other.0) })
                }
                #[inline(always)]
                fn add_product(self, a: Self, b: Self) -> Self {
                    Self(unsafe { $fmadd(a.0, b.0, self.0) })
                }
                #[inline(always)]
                fn sum(self) -> f32 {
                    unsafe { $sum(self.0) }
                }
                #[inline(always)]
                fn largest(self) -> f32 {
                    unsafe { $largest(self.0) }
                }
                #[inline(always)]
                fn power_of_two(self) -> Self {
                    Self(unsafe { $cast($shift::<23>($add_ints($to_ints(self.0), $set_ints(127)))) })
                }
                #[inline(always)]
                unsafe fn store_i16(self, to: *mut i16) {
                    unsafe { $store_i16(self.0, to) }
                }
                #[inline(always)]
                unsafe fn zero_ints() -> $ints {
                    unsafe { $set_ints(0) }
                }
                #[inline(always)]
                unsafe fn load_i8(from: *const i8) -> $ints {
                    unsafe { $load_i8(from) }
                }
                #[inline(always)]
                unsafe fn splat_pair(from: *const i16) -> $ints {
                    unsafe { $set_ints(from.cast::<i32>().read_unaligned()) }
                }
                #[inline(always)]
                fn add_dot(sum: $ints, a: $ints, b: $ints) -> $ints {
                    unsafe { $dot(sum, a, b) }
                }
                #[inline(always)]
                fn add_ints(a: $ints, b: $ints) -> $ints {
                    unsafe { $add_ints(a, b) }
                }
                #[inline(always)]
                fn from_ints(ints: $ints) -> Self {
                    Self(unsafe { $from_ints(ints) })
                }
            }
        };
    }

    vector! {
        /// Eight lanes.
        Avx2, __m256, __m256i, 8, 2, 6, false,
        _mm256_loadu_ps _mm256_storeu_ps _mm256_set1_ps _mm256_add_ps _mm256_sub_ps _mm256_mul_ps _mm256_div_ps _mm256_min_ps
        _mm256_max_ps _mm256_fmadd_ps
        _mm256_set1_epi32 _mm256_add_epi32 _mm256_cvtps_epi32 _mm256_cvtepi32_ps _mm256_slli_epi32
        _mm256_castsi256_ps
        sum |x: __m256| {
            let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)))
        },
        largest |x: __m256| {
            let x = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_max_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)))
        },
        store_i16 |x: __m256, to: *mut i16| {
            let ints = _mm256_cvtps_epi32(x);
            let packed = _mm_packs_epi32(_mm256_castsi256_si128(ints), _mm256_extracti128_si256::<1>(ints));
            _mm_storeu_si128(to.cast(), packed)
        },
        load_i8 |from: *const i8| _mm256_cvtepi8_epi16(_mm_loadu_si128(from.cast())),
        dot |sum, a, b| _mm256_add_epi32(sum, _mm256_madd_epi16(a, b))
    }

    vector! {
        /// Sixteen lanes.
        Avx512, __m512, __m512i, 16, 1, 12, true,
        _mm512_loadu_ps _mm512_storeu_ps _mm512_set1_ps _mm512_add_ps _mm512_sub_ps _mm512_mul_ps _mm512_div_ps _mm512_min_ps
        _mm512_max_ps _mm512_fmadd_ps
        _mm512_set1_epi32 _mm512_add_epi32 _mm512_cvtps_epi32 _mm512_cvtepi32_ps _mm512_slli_epi32
        _mm512_castsi512_ps
        sum |x: __m512| _mm512_reduce_add_ps(x),
        largest |x: __m512| _mm512_reduce_max_ps(x),
        store_i16 |x: __m512, to: *mut i16| {
            _mm256_storeu_si256(to.cast(), _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(x)))
        },
        load_i8 |from: *const i8| _mm512_cvtepi8_epi16(_mm256_loadu_si256(from.cast())),
        dot |sum, a, b| _mm512_dpwssd_epi32(sum, a, b)
    }
}

/// Compiles the body of a kernel, generic over [`Vector`], for every level, and chooses among them by its first
/// argument.
macro_rules! compile_for_levels {
    ($(#[$meta:meta])* $vis:vis unsafe fn $name:ident($($arg:ident: $type:ty),* $(,)?) = $body:ident;) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        // Browsers optimise function by function, and the first picture waits for it: several small ones are done sooner.
        #[inline(never)]
        $vis unsafe fn $name(level: $crate::kernels::simd::Level, $($arg: $type),*) {
            use $crate::kernels::simd::{self, Kind};
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma")]
            unsafe fn avx512($($arg: $type),*) {
                // SAFETY: the caller's promise.
                unsafe { $body::<simd::x86::Avx512>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2($($arg: $type),*) {
                // SAFETY: the caller's promise.
                unsafe { $body::<simd::x86::Avx2>($($arg),*) }
            }
            // SAFETY: the caller's promise; a level is only made where the processor has it.
            unsafe {
                match level.0 {
                    #[cfg(target_arch = "x86_64")]
                    Kind::Avx512 => avx512($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    Kind::Avx2 => avx2($($arg),*),
                    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
                    Kind::Wasm => $body::<simd::wasm::Wasm>($($arg),*),
                    #[cfg(target_arch = "aarch64")]
                    Kind::Neon => $body::<simd::neon::Neon>($($arg),*),
                    Kind::Portable => $body::<simd::Plain<4>>($($arg),*),
                }
            }
        }
    };
}
pub(super) use compile_for_levels;
