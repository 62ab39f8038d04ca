//! The profile of Wireshark: columns Point and Why, colours, buttons, preferences.

use std::path::PathBuf;

use super::super::Failure;
use super::Settings;
use crate::capture;

pub(super) const NAME: &str = "wireglass";

/// Its files, as they lie in `scripts/wireshark-profile/`.
const FILES: [(&str, &str); 4] = [
    ("preferences", include_str!("../../../scripts/wireshark-profile/preferences")),
    ("colorfilters", include_str!("../../../scripts/wireshark-profile/colorfilters")),
    ("dfilter_buttons", include_str!("../../../scripts/wireshark-profile/dfilter_buttons")),
    ("recent", include_str!("../../../scripts/wireshark-profile/recent")),
];

fn folder(settings: &Settings) -> PathBuf {
    settings.folder.join("profiles").join(NAME)
}

pub(super) fn is_installed(settings: &Settings) -> bool {
    folder(settings).join("preferences").is_file()
}

/// Writes its files over those of an earlier version. Returns where they are.
pub(super) fn install(settings: &Settings) -> Result<PathBuf, Failure> {
    let folder = folder(settings);
    let owner = settings.owner.map(|owner| (owner.uid, owner.gid));
    for (name, text) in FILES {
        let path = folder.join(name);
        capture::replace(&path, text.as_bytes(), owner)
            .map_err(|error| Failure::Input(format!("{} cannot be written: {error}", path.display())))?;
    }
    Ok(folder)
}
