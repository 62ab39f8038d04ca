//! The live driver.
