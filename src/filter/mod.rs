//! Wireshark display filters, a subset.
