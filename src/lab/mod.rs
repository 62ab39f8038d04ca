//! Lab definitions and their runs.
