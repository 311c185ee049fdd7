//! Medians, spreads and ratios of what was measured in rounds.

use std::fmt;

/// The middle of some values, with the lowest and the highest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    /// The median.
    pub(super) median: f64,
    /// The lowest value.
    pub(super) low: f64,
    /// The highest value.
    pub(super) high: f64,
}

impl Spread {
    /// The spread of `values`; none of no values.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len().is_multiple_of(2) {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        } else {
            sorted[middle]
        };
        Some(Self { median, low, high })
    }

    /// The ratio of the medians of `ours` to `theirs`; its spread is that of the ratios of the rounds,
    /// whose measurements stood beside each other.
    pub(super) fn ratio(ours: &[f64], theirs: &[f64]) -> Option<Self> {
        let rounds: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| a / b).collect();
        let spread = Self::of(&rounds)?;
        Some(Self { median: Self::of(ours)?.median / Self::of(theirs)?.median, ..spread })
    }
}

/// `12.3 (11.9–12.8)`, with digits as the size asks for; a precision sets them.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(if self.median >= 100.0 { 0 } else { 1 });
        let Self { median, low, high } = self;
        write!(f, "{median:.digits$} ({low:.digits$}–{high:.digits$})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_count_lies_between() {
        assert_eq!(Spread::of(&[]), None);
        let spread = Spread::of(&[4.0, 1.0, 3.0, 2.0]);
        assert_eq!(spread, Some(Spread { median: 2.5, low: 1.0, high: 4.0 }));
    }

    #[test]
    fn a_ratio_is_that_of_medians_and_spreads_over_rounds() {
        let ratio = Spread::ratio(&[20.0, 30.0, 10.0], &[10.0, 10.0, 10.0]).unwrap();
        assert_eq!(ratio, Spread { median: 2.0, low: 1.0, high: 3.0 });
        assert_eq!(format!("{ratio:.2}"), "2.00 (1.00–3.00)");
    }
}
