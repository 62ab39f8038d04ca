//! Recovery's verdicts.
