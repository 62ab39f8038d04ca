//! Independent judges of captures: tshark and capinfos.

use std::path::Path;
use std::process::Command;

/// What a tool of Wireshark prints.
///
/// # Panics
/// When it is not installed, or fails on the file.
pub(crate) fn judge(tool: &str, arguments: &[&str], file: &Path) -> String {
    let output = Command::new(tool)
        .args(arguments)
        .arg(file)
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        // Nobody's own preferences: this folder does not exist.
        .env("WIRESHARK_CONFIG_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/no-preferences"))
        .output()
        .unwrap_or_else(|error| panic!("{tool}: {error}; install it with `apt install tshark`"));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{tool} {arguments:?} {}: {told}", file.display());
    String::from_utf8(output.stdout).expect("tools print UTF-8 here")
}

/// What tshark prints about a file.
pub(crate) fn tshark(arguments: &[&str], file: &Path) -> String {
    judge("tshark", &[arguments, &["-r"]].concat(), file)
}

/// Fields of every packet, tab-separated, a line each.
pub(crate) fn fields(names: &[&str], file: &Path) -> Vec<String> {
    let mut arguments = vec!["-n", "-T", "fields"];
    arguments.extend(names.iter().flat_map(|name| ["-e", name]));
    tshark(&arguments, file).lines().map(str::to_owned).collect()
}

/// The gate that every capture of ours must pass without a line.
pub(crate) fn complaints(file: &Path) -> String {
    let check = |protocol: &str| format!("{protocol}.check_checksum:TRUE");
    let (ip, tcp, udp) = (check("ip"), check("tcp"), check("udp"));
    // A kernel now and then writes 0xffff where 0 would do: in one's complement the same number, and a right checksum
    // (RFC 1624 §3), which Wireshark remarks upon all the same. One packet in 65,536 has it.
    // And an ICMP error quotes the beginning of a packet, to which Wireshark holds the checksum of the whole.
    // A sender's own file has both copies of a segment that was lost; where it is a piece of a TLS record, Wireshark puts the
    // second one beside the first only with this preference.
    let in_order = "tcp.reassemble_out_of_order:TRUE";
    let filter = "_ws.malformed || _ws.expert.group == \"Malformed\" || ip.len > 1500 \
                  || (_ws.expert.group == \"Checksum\" && !tcp.checksum.ffff && !icmp) \
                  || icmp.checksum.status == \"Bad\" || ip.checksum.status == \"Bad\"";
    tshark(&["-o", in_order, "-o", &ip, "-o", &tcp, "-o", &udp, "-Y", filter], file)
}
