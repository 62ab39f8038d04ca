//! TCP Fast Open (RFC 7413): data travels with the SYN, between hosts that have met before.
//!
//! ```text
//!   the first time                                   from then on
//!   client                          server           client                                server
//!     │ ── SYN, cookie? ─────────────► │               │ ── SYN, cookie, data ──────────────► │  reads
//!     │ ◄───────── SYN,ACK, cookie ─── │               │ ◄──────── SYN,ACK, data too ──────── │
//!     │ ── ACK, data ────────────────► │ reads         │ ◄─────────────── the answer ──────── │
//!   one round trip before the server reads           none
//! ```
//!
//! The cookie proves that the client has received something at its address, so that nobody makes a server work, or
//! answer at length, in another's name.
//!
//! | what | place |
//! |---|---|
//! | what a host is told to do | here, [`FastOpen`] |
//! | how a server makes and checks cookies | [`cookie`] |
//! | what a client remembers of its peers | [`peers`] |
//! | a connection that begins so, at either end | `connection/early.rs` |
//! | how many a listener has | `engine/listener.rs` |
//!
//! Where the RFC leaves a choice, Linux's is taken: cookies are SipHash-2-4 of both addresses, data in a SYN leaves room
//! for 40 octets of options, a SYN that is sent again carries neither data nor option (§4.1.3.1, §4.2.1).

pub(crate) mod cookie;
pub(crate) mod peers;

use std::time::Duration;

use crate::transport::FastOpenKeys;

/// What a host does of TCP Fast Open (RFC 7413). By itself a client asks for cookies when it is given data to open with,
/// and a listener grants none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FastOpen {
    /// As a client: an open with data asks for a cookie, or sends the data with the one that it has.
    pub client: bool,
    /// As a client: data goes with the SYN and no cookie, to a server that is known to want none (Linux's
    /// `TCP_FASTOPEN_NO_COOKIE`).
    pub without_cookie: bool,
    /// As a client: how long a peer that has granted no cookie, and a path that seems to lose such SYNs, are left alone
    /// (§4.1.3.1). Zero tries each time, and a cookie once in the form of the experiments before the RFC, as Linux does.
    pub rest: Duration,
    /// As a listener: connections that may be open before their handshake is over (Linux's `TCP_FASTOPEN`). 0 grants no
    /// cookies and takes none.
    pub queue: usize,
    /// As a listener: data in a SYN is taken without a cookie. Anybody can then make this host work in another's name.
    pub takes_without_cookie: bool,
    /// As a listener: what cookies are made with; `None` takes a random key of the host's.
    pub keys: Option<FastOpenKeys>,
}

impl Default for FastOpen {
    fn default() -> FastOpen {
        FastOpen {
            client: true,
            without_cookie: false,
            rest: Duration::from_secs(15 * 60),
            queue: 0,
            takes_without_cookie: false,
            keys: None,
        }
    }
}
