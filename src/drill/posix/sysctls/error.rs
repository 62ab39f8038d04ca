//! Why a sysctl is refused.

/// Why a sysctl cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SysctlError {
    /// Nobody here knows what it would mean.
    #[error("sysctl {0} is not known here")]
    Unknown(String),
    /// Not what such a value looks like.
    #[error("sysctl {name} cannot be `{value}`")]
    BadValue {
        /// The sysctl.
        name: String,
        /// What was to be set.
        value: String,
    },
    /// It is known, and the stack cannot do it.
    #[error("sysctl {name}={value}: {why}")]
    Unsupported {
        /// The sysctl.
        name: String,
        /// What was to be set.
        value: String,
        /// What the stack does instead.
        why: &'static str,
    },
}
