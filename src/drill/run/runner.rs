//! The story of a run: one event after the other.

use super::calls::{self, CallError, Check, Descriptor, Descriptors, Effect, Environment, Kind, Mismatch, Plan};
use super::settings::Settings;
use super::time::Due;
use super::transcript::{Happening, Transcript};
use super::verdict::{Cause, Failure, Outcome, Verdict};
use super::world::{Restless, World};
use super::Options;
use crate::capture::Record;
use crate::drill::language::python::Python;
use crate::drill::language::script::{At, Body, Call, Event, PacketSpec, Script, What};
use crate::drill::language::shell;
use crate::drill::packets::build::build;
use crate::drill::packets::compare::Exactness;
use crate::drill::packets::connections::Connections;
use crate::drill::packets::mapping::{Connection, UnknownEcho};
use crate::drill::posix::{self, Blocked, Errno, Posix, Reply, Request, Sysctls, Written};
use crate::packet::Medium;
use crate::stack::{Interface, StackConfig, TcpConfig};
use crate::time::Instant;
