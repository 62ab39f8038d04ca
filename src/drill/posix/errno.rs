//! Linux's error numbers, and the names that scripts use for them.

use std::fmt;

/// Why a system call failed: one of Linux's numbers, as on x86-64 and nearly everywhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Errno(pub i32);

macro_rules! errors {
    ($($number:literal $name:ident $meaning:literal;)*) => {
        impl Errno {
            $(#[doc = $meaning] pub const $name: Errno = Errno($number);)*
        }

        /// Number, name, meaning.
        const ERRORS: &[(i32, &str, &str)] = &[$(($number, stringify!($name), $meaning)),*];
    };
}

errors! {
    1 EPERM "Operation not permitted";
    2 ENOENT "No such file or directory";
    4 EINTR "Interrupted system call";
    5 EIO "Input/output error";
    9 EBADF "Bad file descriptor";
    11 EAGAIN "Resource temporarily unavailable";
    12 ENOMEM "Cannot allocate memory";
    13 EACCES "Permission denied";
    14 EFAULT "Bad address";
    17 EEXIST "File exists";
    22 EINVAL "Invalid argument";
    24 EMFILE "Too many open files";
    25 ENOTTY "Inappropriate ioctl for device";
    29 ESPIPE "Illegal seek";
    32 EPIPE "Broken pipe";
    33 EDOM "Numerical argument out of domain";
    40 ELOOP "Too many levels of symbolic links";
    42 ENOMSG "No message of desired type";
    71 EPROTO "Protocol error";
    88 ENOTSOCK "Socket operation on non-socket";
    89 EDESTADDRREQ "Destination address required";
    90 EMSGSIZE "Message too long";
    91 EPROTOTYPE "Protocol wrong type for socket";
    92 ENOPROTOOPT "Protocol not available";
    93 EPROTONOSUPPORT "Protocol not supported";
    94 ESOCKTNOSUPPORT "Socket type not supported";
    95 EOPNOTSUPP "Operation not supported";
    97 EAFNOSUPPORT "Address family not supported by protocol";
    98 EADDRINUSE "Address already in use";
    99 EADDRNOTAVAIL "Cannot assign requested address";
    100 ENETDOWN "Network is down";
    101 ENETUNREACH "Network is unreachable";
    103 ECONNABORTED "Software caused connection abort";
    104 ECONNRESET "Connection reset by peer";
    105 ENOBUFS "No buffer space available";
    106 EISCONN "Transport endpoint is already connected";
    107 ENOTCONN "Transport endpoint is not connected";
    110 ETIMEDOUT "Connection timed out";
    111 ECONNREFUSED "Connection refused";
    112 EHOSTDOWN "Host is down";
    113 EHOSTUNREACH "No route to host";
    114 EALREADY "Operation already in progress";
    115 EINPROGRESS "Operation now in progress";
}

impl Errno {
    /// `EAGAIN`; `None` for a number that no call here ends with.
    pub fn name(self) -> Option<&'static str> {
        ERRORS.iter().find(|(number, _, _)| *number == self.0).map(|(_, name, _)| *name)
    }

    /// What a script means by a name; `EWOULDBLOCK` is `EAGAIN`, `ENOTSUP` is `EOPNOTSUPP`, as on Linux.
    pub fn named(name: &str) -> Option<Errno> {
        let name = match name {
            "EWOULDBLOCK" => "EAGAIN",
            "ENOTSUP" => "EOPNOTSUPP",
            _ => name,
        };
        ERRORS.iter().find(|(_, known, _)| *known == name).map(|(number, _, _)| Errno(*number))
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match ERRORS.iter().find(|(number, _, _)| *number == self.0) {
            Some((_, name, meaning)) => write!(f, "{name} ({meaning})"),
            None => write!(f, "errno {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_is_found_by_its_name() {
        for (number, name, _) in ERRORS {
            assert_eq!(Errno::named(name), Some(Errno(*number)));
            assert_eq!(Errno(*number).name(), Some(*name));
        }
        assert_eq!(Errno::named("EWOULDBLOCK"), Some(Errno::EAGAIN));
        assert_eq!(Errno::named("ENONSENSE"), None);
    }

    #[test]
    fn an_error_reads_as_packetdrill_writes_it() {
        assert_eq!(Errno::EINPROGRESS.to_string(), "EINPROGRESS (Operation now in progress)");
        assert_eq!(Errno(9999).to_string(), "errno 9999");
    }
}
