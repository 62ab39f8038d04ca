//! Tests of the library as a whole, in one binary so that CI links once.

mod filter;
