//! Programs that labs name.
