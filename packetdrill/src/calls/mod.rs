//! The functions that packetdrill calls, each the libc function of its name over the stack.
//!
//! # Safety
//! All of them: the first argument is what [`handle`] made and [`free`] has not taken back; the others are as the manual
//! page of the function says. They come from packetdrill, which passes them on from a script.

pub(crate) mod network;
pub(crate) mod options;
pub(crate) mod sockets;
pub(crate) mod transfer;
pub(crate) mod waiting;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use libc::{c_int, ssize_t};
use wireglass::drill::posix::{Errno, Reply, Request};

use crate::instance::Instance;
use crate::interface::Data;
use crate::memory;

/// A pointer for packetdrill to keep.
pub(crate) fn handle(instance: Arc<Instance>) -> Data {
    Arc::into_raw(instance).cast_mut().cast()
}

/// Takes the pointer back.
pub(crate) unsafe extern "C" fn free(data: Data) {
    if !data.is_null() {
        // SAFETY: the pointer is `handle`'s, and packetdrill uses it no more.
        drop(unsafe { Arc::from_raw(data.cast_const().cast::<Instance>()) });
    }
}

/// The instance behind the pointer.
///
/// # Safety
/// As the [module](self) says; the reference must not outlive the call.
pub(crate) unsafe fn instance<'a>(data: Data) -> Option<&'a Instance> {
    // SAFETY: null, or made by `handle` and not yet freed.
    unsafe { data.cast_const().cast::<Instance>().as_ref() }
}

/// Makes a call; whatever goes wrong within the library is a failed call, never the end of packetdrill.
///
/// # Safety
/// As the [module](self) says.
pub(super) unsafe fn ask(data: Data, request: Request) -> Result<Reply, Errno> {
    // SAFETY: as the caller says.
    let instance = unsafe { instance(data) }.ok_or(Errno::EBADF)?;
    catch_unwind(AssertUnwindSafe(|| instance.call(request))).unwrap_or(Err(Errno::EIO))
}

/// As libc answers: a number, or -1 and `errno`.
pub(super) fn answer(result: Result<Reply, Errno>) -> c_int {
    long_answer(result) as c_int
}

/// As [`answer`], for what counts octets.
pub(super) fn long_answer(result: Result<Reply, Errno>) -> ssize_t {
    match result {
        Ok(reply) => reply.value as ssize_t,
        Err(errno) => {
            memory::set_errno(errno.0);
            -1
        }
    }
}
