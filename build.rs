//! Makes a change in `labs/` rebuild the binary, which carries the labs in itself (the macro that embeds them does not
//! notice new files), and makes Rust of the services in `proto/`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=labs");
    #[cfg(feature = "grpc")]
    services()?;
    Ok(())
}

/// Reads the services with a compiler that is written in Rust: nobody needs to install `protoc`.
#[cfg(feature = "grpc")]
fn services() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(["bookstore.proto"], ["proto"])?;
    // Connections are ours; tonic's own would open sockets of the operating system.
    tonic_prost_build::configure().build_transport(false).compile_fds(files)?;
    Ok(())
}
