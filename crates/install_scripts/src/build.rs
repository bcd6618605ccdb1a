//! The build: a number that tells one state of the parts from another.

use crate::part::Part;
use crate::sources::Sources;

/// Stands in a part where the build is to be in the scripts.
pub const PLACEHOLDER: &str = "@signal_hub_build@";

/// The same for parts that differ in comments and layout alone, whatever compiler this is built
/// with. 16 hexadecimal digits.
pub fn of(sources: &Sources) -> String {
    let mut hash = Fnv::new();
    let updates = sources.updates.iter().flat_map(|update| &update.parts);
    for part in sources.parts.iter().chain(updates) {
        add(&mut hash, &sources.folder, part);
    }
    for query in &sources.queries {
        hash.add(&query.text);
    }
    format!("{:016x}", hash.0)
}

fn add(hash: &mut Fnv, folder: &std::path::Path, part: &Part) {
    let file = part.file.strip_prefix(folder).unwrap_or(&part.file);
    hash.add(&file.to_string_lossy());
    hash.add(&format!("{:?}", part.kind));
    for statement in &part.statements {
        hash.add(&statement.essence());
    }
}

/// FNV-1a. Nobody has to be kept from making two states alike, and the hasher of the standard
/// library may change with the compiler.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, text: &str) {
        // A byte that is in no text keeps ("ab", "c") and ("a", "bc") apart.
        for byte in text.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
