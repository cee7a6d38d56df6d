//! Colours as a file's profile means them, turned into sRGB as browsers do.

use moxcms::{
    Chromaticity, CicpProfile, ColorPrimaries, ColorProfile, DataColorSpace, Layout, MatrixCoefficients,
    ToneReprCurve, TransformOptions, XyY,
};

use super::Failure;

/// What a file says of its colours.
pub(super) enum Icc {
    /// An ICC profile.
    Profile(Vec<u8>),
    /// Primaries and transfer function by the numbers of ITU-T H.273.
    CodePoints(u8, u8),
    /// An exponent (light to value) and the chromaticities (x, y) of white, red, green and blue; sRGB's if not given.
    Gamma(f32, Option<[(f64, f64); 4]>),
}

impl Icc {
    fn profile(&self) -> Option<ColorProfile> {
        match self {
            Icc::Profile(bytes) => ColorProfile::new_from_slice(bytes).ok(),
            Icc::CodePoints(primaries, transfer) => {
                let profile = ColorProfile::new_from_cicp(CicpProfile {
                    color_primaries: (*primaries).try_into().ok()?,
                    transfer_characteristics: (*transfer).try_into().ok()?,
                    matrix_coefficients: MatrixCoefficients::Identity,
                    full_range: true,
                });
                profile.red_trc.is_some().then_some(profile)
            }
            Icc::Gamma(gamma, chromaticities) => {
                if !(0.01..=100.0).contains(gamma) {
                    return None;
                }
                let mut profile = ColorProfile::new_srgb();
                profile.cicp = None;
                let curve = ToneReprCurve::Parametric(vec![1.0 / gamma]);
                profile.red_trc = Some(curve.clone());
                profile.green_trc = Some(curve.clone());
                profile.blue_trc = Some(curve);
                if let Some([white, red, green, blue]) = chromaticities {
                    let point = |(x, y): &(f64, f64)| Chromaticity { x: *x as f32, y: *y as f32 };
                    let primaries =
                        ColorPrimaries { red: point(red), green: point(green), blue: point(blue) };
                    profile.update_rgb_colorimetry(XyY { x: white.0, y: white.1, yb: 1.0 }, primaries);
                }
                Some(profile)
            }
        }
    }
}

impl Icc {
    /// Whether this is a profile for printing inks that can be read.
    pub(super) fn is_for_inks(&self) -> bool {
        self.profile().is_some_and(|profile| profile.color_space == DataColorSpace::Cmyk)
    }
}

/// Whether a profile's primaries are none: those of every colour space add up to about the white of D50, and how a program
/// clips the colours of damaged ones is its own choice. Of old profiles the white is the screen's own, a little beside it.
fn is_absurd(profile: &ColorProfile) -> bool {
    let of = [profile.red_colorant, profile.green_colorant, profile.blue_colorant];
    let sum = of.iter().fold([0.0; 3], |sum, c| [sum[0] + c.x, sum[1] + c.y, sum[2] + c.z]);
    let white = [0.9642, 1.0, 0.8249];
    profile.color_space == DataColorSpace::Rgb
        && profile.is_matrix_shaper()
        && (sum.iter().zip(white).any(|(sum, white): (&f64, f64)| (sum - white).abs() > 0.4)
            || of.iter().any(|c| [c.x, c.y, c.z].iter().any(|value| value.abs() > 2.0)))
}

/// Turns RGBA pixels into sRGB. A profile that is damaged, or for another kind of picture (`grey`: the picture's values
/// are shades of grey), is left out of account, as browsers do.
///
/// # Errors
/// If the profile can be read, but describes no colours.
pub(super) fn to_srgb(pixels: &mut Vec<u8>, profile: &Icc, grey: bool) -> Result<(), Failure> {
    let Some(profile) = profile.profile() else { return Ok(()) };
    if is_absurd(&profile) {
        return Err(Failure::Broken("its colour profile is damaged".to_owned()));
    }
    let (layout, bytes) = match profile.color_space {
        DataColorSpace::Rgb => (Layout::Rgba, 4),
        DataColorSpace::Gray if grey => (Layout::GrayAlpha, 2),
        _ => return Ok(()),
    };
    let srgb = ColorProfile::new_srgb();
    let Ok(transform) =
        profile.create_transform_8bit(layout, &srgb, Layout::Rgba, TransformOptions::default())
    else {
        return Ok(());
    };
    let source = match bytes {
        4 => pixels.clone(),
        _ => pixels.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[3]]).collect(),
    };
    let mut changed = vec![0; pixels.len()];
    if transform.transform(&source, &mut changed).is_ok() {
        *pixels = changed;
    }
    Ok(())
}
