//! Names that stand for addresses in a filter.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// Which addresses a name stands for: the nodes of a lab, by the names its author gave them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(BTreeMap<String, Vec<IpAddr>>);

impl Names {
    /// Adds an address to those of `name`.
    pub fn insert(&mut self, name: impl Into<String>, address: IpAddr) {
        let addresses = self.0.entry(name.into()).or_default();
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }

    /// The addresses of `name`, in the order they were given; `None` when nobody has this name.
    pub fn lookup(&self, name: &str) -> Option<&[IpAddr]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// Whose address this is; the first by alphabet when several share it.
    pub fn name_of(&self, address: IpAddr) -> Option<&str> {
        self.0.iter().find(|(_, addresses)| addresses.contains(&address)).map(|(name, _)| name.as_str())
    }

    /// Every name, by alphabet.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[IpAddr])> {
        self.0.iter().map(|(name, addresses)| (name.as_str(), addresses.as_slice()))
    }
}
