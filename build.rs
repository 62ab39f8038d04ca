//! Makes a change in `labs/` rebuild the binary, which carries the labs in itself; the macro that embeds them does not
//! notice new files.

fn main() {
    println!("cargo:rerun-if-changed=labs");
}
