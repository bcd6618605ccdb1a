//! Text in shared memory.

/// A short text that fits into shared memory.
#[derive(Clone, Copy)]
pub struct ShortText {
    length: usize,
    bytes: [u8; Self::CAPACITY],
}

impl ShortText {
    const CAPACITY: usize = 600;

    /// As much of `text` as fits.
    pub fn new(text: &str) -> Self {
        let length = text.floor_char_boundary(Self::CAPACITY);
        let mut bytes = [0; Self::CAPACITY];
        bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        Self { length, bytes }
    }

    /// The text; `None` when it is empty.
    pub fn get(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.bytes[..self.length]);
        Some(text.into_owned()).filter(|text| !text.is_empty())
    }
}

impl Default for ShortText {
    fn default() -> Self {
        Self::new("")
    }
}

impl std::fmt::Debug for ShortText {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        self.get().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let long = "\u{e9}".repeat(ShortText::CAPACITY);
        let kept = ShortText::new(&format!("x{long}"))
            .get()
            .expect("not empty");
        assert_eq!(kept.len(), ShortText::CAPACITY - 1);
        assert!(kept.ends_with('\u{e9}'));
        assert_eq!(ShortText::new("").get(), None);
    }
}
