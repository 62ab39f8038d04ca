//! Routers, packet by packet.
