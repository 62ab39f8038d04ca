//! What a learner reads.
