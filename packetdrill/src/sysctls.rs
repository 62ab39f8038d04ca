//! The sysctls of the network namespace that packetdrill runs in: a script sets them with shell commands, and the kernel
//! keeps them for a stack that it does not know.

use std::fs;
use std::path::Path;

use wireglass::drill::posix::{MEANINGFUL, Sysctls};

use crate::marks::Marks;

/// Where the kernel shows them.
pub(crate) const FOLDER: &str = "/proc/sys/net/ipv4";

/// Takes over what `folder` holds now.
pub(crate) fn read(folder: &Path, sysctls: &mut Sysctls, marks: &mut Marks) {
    for name in MEANINGFUL {
        let Ok(value) = fs::read_to_string(folder.join(name)) else { continue };
        // Which congestion control a namespace has by itself is the kernel's choice, and it may refuse the script's: all that
        // scripts ask for is among these.
        if *name == "tcp_congestion_control" && !["reno", "cubic"].contains(&value.trim()) {
            continue;
        }
        match sysctls.set(name, &value) {
            Ok(()) => {}
            Err(error) => marks.unsupported(&error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_namespaces_values_are_taken_over() {
        let folder = std::env::temp_dir().join(format!("wireglass-sysctls-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a temporary folder can be made");
        let files = [("tcp_sack", "0\n"), ("tcp_rmem", "4096\t540000\t15728640\n"), ("tcp_reordering", "10\n")];
        for (name, value) in files.into_iter().chain([("tcp_congestion_control", "bbr\n")]) {
            fs::write(folder.join(name), value).expect("it can be written");
        }
        let (mut sysctls, mut marks) = (Sysctls::default(), Marks::new(Some(folder.join("marks"))));
        read(&folder, &mut sysctls, &mut marks);
        assert_eq!((sysctls.sack, sysctls.receive_memory[2]), (false, 15_728_640));
        assert_eq!(sysctls.congestion, Sysctls::default().congestion);
        assert_eq!(marks.said().len(), 1, "{:?}", marks.said());
        assert!(marks.said()[0].contains("tcp_reordering"));
        let written = fs::read_to_string(folder.join("marks")).expect("the mark was written");
        assert!(written.starts_with("unsupported: "), "{written}");
        fs::remove_dir_all(&folder).expect("it can be removed");
    }
}
