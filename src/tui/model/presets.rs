//! Presets for the draft, read from `assets/presets.toml`.

use toml::de::{DeTable, DeValue};

use crate::abi::cap::CapMask;
use crate::abi::mask::MaskExpr;

const DATA: &str = include_str!("../../../assets/presets.toml");

/// One preset, cut to the capabilities of this kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Its name.
    pub name: String,
    /// Its description.
    pub says: String,
    /// The draft: bset, inheritable.
    pub masks: [CapMask; 2],
}

/// Every preset, in the order of the file. Capabilities that this kernel does not know are left out.
pub fn all(known: CapMask) -> Vec<Preset> {
    // The file is compiled in, and a test parses all of it.
    read(DATA, known).unwrap_or_default()
}

fn read(data: &str, known: CapMask) -> Option<Vec<Preset>> {
    let table = DeTable::parse(data).ok()?.into_inner();
    let DeValue::Array(presets) = table.get("preset")?.get_ref() else { return None };
    presets.iter().map(|preset| one(preset.get_ref(), known)).collect()
}

fn one(value: &DeValue<'_>, known: CapMask) -> Option<Preset> {
    let text = |key| value.get(key)?.get_ref().as_str().map(str::to_owned);
    let mask = |key| {
        // Parse with every name, then cut to what this kernel has.
        let all = CapMask::up_to(63);
        let text = text(key)?;
        let expr = MaskExpr::parse(text.as_bytes(), all).ok()?;
        Some(expr.resolve(all, all) & known)
    };
    Some(Preset { name: text("name")?, says: text("says")?, masks: [mask("bset")?, mask("inheritable")?] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::cap::Capability;
    use crate::tui::testing::fixtures::KNOWN;

    #[test]
    fn every_preset_of_the_file_means_something() {
        let all = read(DATA, KNOWN).unwrap();
        let of = |name: &str| all.iter().find(|p| p.name == name).unwrap().masks;
        assert_eq!(all.len(), DATA.matches("[[preset]]").count());
        assert_eq!(of("modules only"), [CapMask::only(Capability::SYS_MODULE); 2]);
        assert_eq!(of("everything but raw I/O and ptrace"), [KNOWN.minus(CapMask::from_bits(1 << 17 | 1 << 19)); 2]);
        assert_eq!((of("nothing"), of("everything")), ([CapMask::EMPTY; 2], [KNOWN; 2]));
        for preset in &all {
            assert!(preset.says.ends_with('.') && preset.says.len() > 40, "{preset:?}");
        }
    }

    #[test]
    fn an_older_kernel_gets_what_it_knows() {
        let old = CapMask::up_to(18);
        let all = read(DATA, old).unwrap();
        assert!(all.iter().flat_map(|p| p.masks).all(|mask| old.contains(mask)));
        assert_eq!(all.iter().find(|p| p.name == "everything").unwrap().masks, [old; 2]);
    }
}
