//! Single and double brackets: `[node.NAME]` is one table, `[[link]]` one of a list.
//!
//! Mixed up they are good TOML that means something else, and what a reader of values says of it leads astray.

use toml::de::{DeTable, DeValue};

use super::error::Fault;

/// Tables by name.
const NAMED: [&str; 3] = ["node", "router", "switch"];
/// Lists of tables.
pub(super) const LISTS: [&str; 7] = ["link", "step", "expect", "predict", "break", "fault", "budget"];

/// Refuses what stands in the wrong brackets.
pub(super) fn check(root: &DeTable<'_>) -> Result<(), Fault> {
    for (key, value) in root {
        let what = key.get_ref().as_ref();
        if LISTS.contains(&what) && matches!(value.get_ref(), DeValue::Table(_)) {
            let message = format!("a lab has a list of them; write `[[{what}]]`, with two brackets");
            return Err(Fault::new(key.span(), message));
        }
        if !NAMED.contains(&what) {
            continue;
        }
        if matches!(value.get_ref(), DeValue::Array(_)) {
            return Err(Fault::new(key.span(), format!("each has a name; write `[{what}.NAME]`, with one bracket")));
        }
        let DeValue::Table(named) = value.get_ref() else { continue };
        for (name, value) in named {
            if matches!(value.get_ref(), DeValue::Array(_)) {
                let message = format!("there is one `{0}`; write `[{what}.{0}]`, with one bracket", name.get_ref());
                return Err(Fault::new(name.span(), message));
            }
        }
    }
    Ok(())
}
