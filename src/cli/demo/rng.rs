//! A small seeded generator (xorshift64*), so that every demo tells the same story.

/// The generator's state.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// From a seed; 0 is as good as any other.
    pub fn new(seed: u64) -> Rng {
        Rng((seed.wrapping_mul(2) ^ 0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// From 0 (inclusive) to 1 (exclusive).
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A whole number whose expectation is `mean`: its floor, and one more as often as its fraction says.
    pub fn about(&mut self, mean: f64) -> u32 {
        mean.max(0.0) as u32 + u32::from(self.chance(mean.max(0.0).fract()))
    }

    /// Log-normal with this median; the logarithm's deviation is `sigma`.
    pub fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        // Box-Muller; 1 - unit() is never 0.
        let normal = (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos();
        median * (sigma * normal).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_row_and_the_distributions_have_their_middles() {
        let row = |seed| {
            let mut rng = Rng::new(seed);
            (0..4).map(|_| rng.next()).collect::<Vec<_>>()
        };
        assert_eq!(row(7), row(7));
        assert_ne!(row(7), row(8));
        let mut rng = Rng::new(1);
        let mut drawn: Vec<f64> = (0..10_001).map(|_| rng.log_normal(120.0, 0.4)).collect();
        drawn.sort_by(f64::total_cmp);
        assert!((114.0..126.0).contains(&drawn[5_000]), "median {}", drawn[5_000]);
        let total: u32 = (0..10_000).map(|_| rng.about(2.25)).sum();
        assert!((22_000..23_000).contains(&total), "{total}");
    }
}
