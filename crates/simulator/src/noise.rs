//! Randomness as a function: the same seed and index always give the same number.
//!
//! Random access, instead of a generator with state, is what makes a reply depend on
//! the time alone and not on the requests that came before it.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

/// A stream of random numbers that can be read at any index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noise(u64);

impl Noise {
    /// The stream called `purpose` of one symbol.
    pub fn new(seed: u64, symbol: &str, purpose: &str) -> Self {
        let absorb = |state, byte| mix(state ^ u64::from(byte));
        // 0xff is in no UTF-8 text: it keeps ("AB", "C") and ("A", "BC") apart.
        let name = symbol.bytes().chain([0xff]).chain(purpose.bytes());
        Self(name.fold(mix(seed), absorb))
    }

    /// 64 random bits.
    pub fn bits(self, index: i64) -> u64 {
        mix(self.0 ^ mix(index.cast_unsigned()))
    }

    /// Uniform in 0 (included) to 1 (excluded).
    pub fn uniform(self, index: i64) -> f64 {
        // The 53 highest bits are what a double holds exactly.
        (self.bits(index) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About normal with mean 0 and deviation 1, never beyond 3.5: the sum of four uniform
    /// numbers (Irwin-Hall distribution), cheap and bounded, so that no price explodes.
    pub fn normal(self, index: i64) -> f64 {
        let bits = self.bits(index);
        let sum: u64 = (0..4).map(|part| (bits >> (16 * part)) & 0xffff).sum();
        // Four uniform numbers have mean 2 and variance 4/12.
        (sum as f64 / 65_536.0 - 2.0) * 3.0_f64.sqrt()
    }
}

/// Output function of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
/// Generators, OOPSLA 2014).
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A random walk on a grid that can be read at any point: independent anchors at the ends
/// of blocks of `2^levels` points, a Brownian bridge between them, built by halving
/// (Levy's construction). Over one block it varies as a Brownian motion does; over many
/// it is pulled back to zero.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    noise: Noise,
    levels: u32,
    deviation: f64,
}

impl Walk {
    /// `deviation` is the standard deviation of the move over one block.
    pub fn new(noise: Noise, levels: u32, deviation: f64) -> Self {
        Self {
            noise,
            levels,
            deviation,
        }
    }

    /// The walk at one grid point.
    pub fn at(&self, point: i64) -> f64 {
        let mut width = 1_i64 << self.levels;
        let mut left = point.div_euclid(width) * width;
        let mut start = self.anchor(left);
        let mut end = self.anchor(left + width);
        let mut spread = self.deviation / 2.0;
        while left != point {
            width /= 2;
            let middle = self.midpoint(left + width, start, end, spread);
            if point < left + width {
                end = middle;
            } else {
                left += width;
                start = middle;
            }
            spread *= FRAC_1_SQRT_2;
        }
        start
    }

    /// The walk at every point of the block that starts at `left`, in one pass.
    pub fn block(&self, left: i64) -> Vec<f64> {
        let size = 1_usize << self.levels;
        let mut values = vec![0.0; size + 1];
        values[0] = self.anchor(left);
        values[size] = self.anchor(left + (1 << self.levels));
        let mut spread = self.deviation / 2.0;
        let mut width = size;
        while width > 1 {
            for start in (0..size).step_by(width) {
                let middle = start + width / 2;
                values[middle] = self.midpoint(
                    left + middle as i64,
                    values[start],
                    values[start + width],
                    spread,
                );
            }
            width /= 2;
            spread *= FRAC_1_SQRT_2;
        }
        values.truncate(size);
        values
    }

    /// Two independent anchors differ by `deviation`.
    fn anchor(&self, point: i64) -> f64 {
        self.noise.normal(point) * self.deviation / SQRT_2
    }

    /// Middle of a bridge: the mean of its ends plus noise of half the deviation that a
    /// free walk would have between them.
    fn midpoint(&self, point: i64, start: f64, end: f64, spread: f64) -> f64 {
        f64::midpoint(start, end) + spread * self.noise.normal(point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_holds_the_same_values_as_single_points() {
        let walk = Walk::new(Noise::new(7, "BTCUSDT", "test"), 6, 0.02);
        for left in [-128, 0, 64 * 1_000_000] {
            let single: Vec<f64> = (left..left + 64).map(|point| walk.at(point)).collect();
            assert_eq!(walk.block(left), single);
        }
    }

    #[test]
    fn a_walk_varies_as_its_deviation_says() {
        let walk = Walk::new(Noise::new(7, "BTCUSDT", "test"), 6, 0.02);
        let blocks = 4_000;
        let square = |move_: f64| move_ * move_;
        let variance = |step: i64| {
            (0..blocks)
                .map(|block| square(walk.at(block * 64 + step) - walk.at(block * 64)))
                .sum::<f64>()
                / blocks as f64
        };
        assert!((variance(64).sqrt() / 0.02 - 1.0).abs() < 0.05);
        assert!((variance(16).sqrt() / 0.01 - 1.0).abs() < 0.05);
    }

    #[test]
    fn streams_of_other_seeds_symbols_and_purposes_differ() {
        let first = Noise::new(1, "BTCUSDT", "price").bits(5);
        assert_eq!(first, Noise::new(1, "BTCUSDT", "price").bits(5));
        assert_ne!(first, Noise::new(2, "BTCUSDT", "price").bits(5));
        assert_ne!(first, Noise::new(1, "ETHUSDT", "price").bits(5));
        assert_ne!(first, Noise::new(1, "BTCUSDT", "size").bits(5));
    }
}
