//! A call of the script as a request, with what to look at in the answer.

use bytes::Bytes;

use std::time::Duration;

use super::descriptors::{Descriptors, Kind};
use super::messages::{self, Message};
use super::values::{self, Arguments, CallError};
use crate::drill::language::script::{Call, Value};
use crate::drill::packets::compare::Exactness;
use crate::drill::packets::mapping::Protocol;
use crate::drill::packets::pattern;
use crate::drill::posix::{Address, Control, EpollEvent, Memory, OptionValue, Payload, PollFd, Request, names};
use crate::drill::run::settings::{IpVersion, Settings};

/// What calls are made in.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// Families and addresses.
    pub settings: &'a Settings,
    /// The script's descriptors.
    pub descriptors: &'a Descriptors,
    /// How much of an answer counts.
    pub exactness: Exactness,
}

/// A call, ready to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What is asked.
    pub request: Request,
    /// What to look at in the answer besides its number.
    pub check: Check,
    /// What it means for the connections of the script.
    pub effect: Effect,
}

/// What to look at in an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// Its number only.
    Number,
    /// Its number is a new descriptor: of which kind.
    Descriptor(Kind),
    /// The two descriptors of a pipe, by the script's numbers.
    Pipe([i64; 2]),
    /// The value of an option, and its length in octets as the script has it.
    Option(OptionValue, i64),
    /// Whatever the option's value is.
    AnyOption,
    /// The number behind the pointer.
    Number32(i32),
    /// `revents` of each descriptor.
    Poll(Vec<i16>),
    /// The first event.
    Epoll(EpollEvent),
    /// Octets that stand at a place of a stream, of a descriptor by the script's number.
    Received {
        /// The descriptor.
        fd: i64,
        /// Whether the octets stay where they are.
        is_peek: bool,
        /// Whether the octets are known.
        is_followed: bool,
        /// `msg_flags` and ancillary data of `recvmsg`.
        message: Option<(i32, Vec<Control>)>,
    },
    /// Octets sent, of a descriptor by the script's number.
    Sent(i64),
}

/// What a call means for the connections of the script, apart from its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// It makes a socket.
    Socket(Protocol),
    /// It makes a socket listen.
    Listen(i64),
    /// It hands over a connection.
    Accept,
    /// Before it is made: it connects a socket.
    Connect(i64),
    /// Before it is made: it undoes a connection.
    Disconnect(i64),
    /// It closes a descriptor.
    Close(i64),
}

impl Plan {
    fn plain(request: Request) -> Plan {
        Plan { request, check: Check::Number, effect: Effect::None }
    }
}

/// What a call asks for.
///
/// # Errors
/// [`CallError`] when it cannot be made.
pub fn plan(call: &Call, environment: Environment<'_>) -> Result<Plan, CallError> {
    let planner = Planner { arguments: Arguments { call: &call.name, values: &call.arguments }, environment };
    match call.name.as_str() {
        "socket" => planner.socket(),
        "bind" => planner.bind(),
        "listen" => planner.listen(),
        "accept" | "accept4" => planner.accept(),
        "connect" => planner.connect(),
        "read" | "recv" | "recvfrom" | "readv" | "recvmsg" => planner.receive(),
        "write" | "send" | "sendto" | "writev" | "sendmsg" => planner.send(),
        "shutdown" => planner.shutdown(),
        "close" => planner.close(),
        "getsockopt" => planner.get_option(),
        "setsockopt" => planner.set_option(),
        "fcntl" => planner.fcntl(),
        "ioctl" => planner.ioctl(),
        "poll" => planner.poll(),
        "epoll_create" => planner.epoll_create(),
        "epoll_ctl" => planner.epoll_control(),
        "epoll_wait" => planner.epoll_wait(),
        "pipe" => planner.pipe(),
        "splice" => planner.splice(),
        other => Err(CallError::Unsupported(format!("the system call {other}(){}", did_you_mean(other)))),
    }
}

/// The known call whose name a slip of one or two letters would make `unknown`.
fn did_you_mean(unknown: &str) -> String {
    const NAMES: [&str; 25] = [
        "socket",
        "bind",
        "listen",
        "accept",
        "connect",
        "read",
        "recv",
        "recvfrom",
        "readv",
        "recvmsg",
        "write",
        "send",
        "sendto",
        "writev",
        "sendmsg",
        "shutdown",
        "close",
        "getsockopt",
        "setsockopt",
        "fcntl",
        "ioctl",
        "epoll_create",
        "epoll_ctl",
        "epoll_wait",
        "splice",
    ];
    let slips = NAMES.iter().map(|name| (strsim::damerau_levenshtein(unknown, name), name));
    let closest = slips.filter(|(slips, name)| *slips <= 2 && slips * 2 < name.len()).min();
    closest.map_or_else(String::new, |(_, name)| format!("; did you mean {name}()?"))
}

struct Planner<'a> {
    arguments: Arguments<'a>,
    environment: Environment<'a>,
}

impl Planner<'_> {
    /// The live number of a descriptor, and the script's.
    fn descriptor(&self, script: i64) -> Result<i32, CallError> {
        let descriptor = self.environment.descriptors.get(script);
        let unknown = || CallError::script(format!("there is no open descriptor {script} in this script"));
        descriptor.map(|descriptor| descriptor.live).ok_or_else(unknown)
    }

    fn first(&self) -> Result<(i64, i32), CallError> {
        let script = self.arguments.number(0)?;
        Ok((script, self.descriptor(script)?))
    }

    fn socket(&self) -> Result<Plan, CallError> {
        self.arguments.count(3..=3)?;
        let domain = match (self.arguments.value(0)?, self.environment.settings.ip_version) {
            (Value::Ellipsis, IpVersion::V4) => names::AF_INET,
            (Value::Ellipsis, IpVersion::V4Mapped | IpVersion::V6) => names::AF_INET6,
            (written, _) => values::int(written)?,
        };
        let (kind, protocol) = (self.arguments.int(1)?, self.arguments.int(2)?);
        let is_stream = kind & 0xf == names::SOCK_STREAM;
        let spoken = match protocol {
            names::IPPROTO_ICMP | names::IPPROTO_ICMPV6 => Protocol::Icmp,
            _ if is_stream => Protocol::Tcp,
            _ => Protocol::Udp,
        };
        Ok(Plan {
            request: Request::Socket { domain, kind, protocol },
            check: Check::Descriptor(if is_stream { Kind::Stream } else { Kind::Datagram }),
            effect: Effect::Socket(spoken),
        })
    }

    fn bind(&self) -> Result<Plan, CallError> {
        self.arguments.count(3..=3)?;
        let settings = self.environment.settings;
        let address = messages::address(self.arguments.value(1)?, settings.of_sockets(settings.ends().bound))?;
        Ok(Plan::plain(Request::Bind { fd: self.first()?.1, address }))
    }

    fn listen(&self) -> Result<Plan, CallError> {
        self.arguments.count(2..=2)?;
        let (script, fd) = self.first()?;
        let request = Request::Listen { fd, backlog: self.arguments.int(1)? };
        Ok(Plan { effect: Effect::Listen(script), ..Plan::plain(request) })
    }

    fn accept(&self) -> Result<Plan, CallError> {
        self.arguments.count(3..=4)?;
        let flags = if self.arguments.values.len() == 4 { self.arguments.int(3)? } else { 0 };
        Ok(Plan {
            request: Request::Accept { fd: self.first()?.1, flags },
            check: Check::Descriptor(Kind::Stream),
            effect: Effect::Accept,
        })
    }

    fn far(&self, index: usize) -> Result<Address, CallError> {
        let settings = self.environment.settings;
        messages::address(self.arguments.value(index)?, settings.of_sockets(settings.ends().far))
    }

    /// What it means that a call names an address.
    fn connecting(script: i64, to: Option<Address>) -> Effect {
        match to {
            Some(Address::Internet(_)) => Effect::Connect(script),
            Some(Address::Unspecified) => Effect::Disconnect(script),
            Some(Address::Other(_) | Address::Short | Address::Bad) | None => Effect::None,
        }
    }

    fn connect(&self) -> Result<Plan, CallError> {
        self.arguments.count(3..=3)?;
        let (script, fd) = self.first()?;
        let address = self.far(1)?;
        let effect = Planner::connecting(script, Some(address));
        Ok(Plan { effect, ..Plan::plain(Request::Connect { fd, address }) })
    }

    fn receive(&self) -> Result<Plan, CallError> {
        let arguments = self.arguments;
        let (script, fd) = self.first()?;
        let memory = |is_good: bool| if is_good { Memory::Good } else { Memory::Bad };
        let mut told = None;
        let (length, flags, memory) = match arguments.call {
            "read" => (arguments.length(2)?, 0, memory(arguments.is_good_pointer(1)?)),
            "recv" | "recvfrom" => (arguments.length(2)?, arguments.int(3)?, memory(arguments.is_good_pointer(1)?)),
            "readv" => (messages::vector(arguments.value(1)?, arguments.number(2)?)?, 0, Memory::Good),
            _ => {
                let message = messages::message(arguments.value(1)?)?;
                told = Some((message.flags, message.control.unwrap_or_default()));
                (message.octets, arguments.int(2)?, Memory::Good)
            }
        };
        let descriptor = self.environment.descriptors.get(script);
        let passes_by = names::MSG_OOB | names::MSG_ERRQUEUE;
        let check = Check::Received {
            fd: script,
            is_peek: flags & names::MSG_PEEK != 0,
            is_followed: flags & passes_by == 0 && descriptor.is_some_and(|descriptor| descriptor.is_followed),
            message: told,
        };
        Ok(Plan { check, ..Plan::plain(Request::Receive { fd, length, flags, memory }) })
    }

    fn send(&self) -> Result<Plan, CallError> {
        let arguments = self.arguments;
        let (script, fd) = self.first()?;
        let (mut flags, mut to, mut control, mut is_good) = (0, None, Vec::new(), true);
        let octets = match arguments.call {
            "write" => arguments.length(2)?,
            "send" => arguments.length(2)?,
            "sendto" => {
                to = Some(self.far(4)?);
                arguments.length(2)?
            }
            "writev" => messages::vector(arguments.value(1)?, arguments.number(2)?)?,
            _ => {
                let Message { has_name, octets, control: ancillary, .. } = messages::message(arguments.value(1)?)?;
                control = ancillary.unwrap_or_default();
                let settings = self.environment.settings;
                to = has_name.then(|| Address::Internet(settings.of_sockets(settings.ends().far)));
                flags = arguments.int(2)?;
                octets
            }
        };
        if matches!(arguments.call, "write" | "send" | "sendto") {
            is_good = arguments.is_good_pointer(1)?;
        }
        if matches!(arguments.call, "send" | "sendto") {
            flags = arguments.int(3)?;
        }
        let descriptor = self.environment.descriptors.get(script);
        let position = descriptor.map_or(0, |descriptor| match descriptor.kind {
            Kind::Stream => descriptor.written,
            Kind::Datagram | Kind::Other => 0,
        });
        let data =
            if is_good { Payload::Data(Bytes::from(pattern::octets(position, octets))) } else { Payload::Bad(octets) };
        Ok(Plan {
            check: Check::Sent(script),
            effect: Planner::connecting(script, to),
            request: Request::Send { fd, data, flags, to, control },
        })
    }

    fn shutdown(&self) -> Result<Plan, CallError> {
        self.arguments.count(2..=2)?;
        Ok(Plan::plain(Request::Shutdown { fd: self.first()?.1, how: self.arguments.int(1)? }))
    }

    fn close(&self) -> Result<Plan, CallError> {
        self.arguments.count(1..=1)?;
        let (script, fd) = self.first()?;
        Ok(Plan { effect: Effect::Close(script), ..Plan::plain(Request::Close { fd }) })
    }

    fn get_option(&self) -> Result<Plan, CallError> {
        self.arguments.count(5..=5)?;
        let (level, name) = (self.arguments.int(1)?, self.arguments.int(2)?);
        let is_buffer = level == names::SOL_SOCKET && matches!(name, names::SO_RCVBUF | names::SO_SNDBUF);
        let expected = self.arguments.value(3)?;
        // How many octets of a buffer are told is a system's own choice, as its windows are.
        let check = if expected == &Value::Ellipsis || is_buffer && self.environment.exactness == Exactness::ByMeaning {
            Check::AnyOption
        } else {
            let length = values::number(values::only(self.arguments.value(4)?)?)?;
            Check::Option(messages::option(expected, length)?, length)
        };
        Ok(Plan { check, ..Plan::plain(Request::GetSockOpt { fd: self.first()?.1, level, name }) })
    }

    fn set_option(&self) -> Result<Plan, CallError> {
        self.arguments.count(5..=5)?;
        let (level, name) = (self.arguments.int(1)?, self.arguments.int(2)?);
        let value = messages::option(self.arguments.value(3)?, self.arguments.number(4)?)?;
        Ok(Plan::plain(Request::SetSockOpt { fd: self.first()?.1, level, name, value }))
    }

    fn fcntl(&self) -> Result<Plan, CallError> {
        self.arguments.count(2..=3)?;
        let argument = if self.arguments.values.len() == 3 { self.arguments.number(2)? } else { 0 };
        Ok(Plan::plain(Request::Fcntl { fd: self.first()?.1, command: self.arguments.int(1)?, argument }))
    }

    fn ioctl(&self) -> Result<Plan, CallError> {
        self.arguments.count(2..=3)?;
        let fd = self.first()?.1;
        let request = u64::from(self.arguments.int(1)? as u32);
        let Some(pointer) = self.arguments.values.get(2) else {
            return Ok(Plan::plain(Request::Ioctl { fd, request, argument: 0, memory: Memory::Good }));
        };
        if pointer == &Value::Name("NULL".to_owned()) {
            return Ok(Plan::plain(Request::Ioctl { fd, request, argument: 0, memory: Memory::Bad }));
        }
        let number = values::int(values::only(pointer)?)?;
        let is_input = request == names::FIONBIO as u64;
        Ok(Plan {
            check: if is_input { Check::Number } else { Check::Number32(number) },
            ..Plan::plain(Request::Ioctl {
                fd,
                request,
                argument: if is_input { number } else { 0 },
                memory: Memory::Good,
            })
        })
    }

    /// A time to wait in milliseconds; negative is for ever.
    fn timeout(&self, index: usize) -> Result<Option<Duration>, CallError> {
        Ok(u64::try_from(self.arguments.number(index)?).ok().map(Duration::from_millis))
    }

    fn poll(&self) -> Result<Plan, CallError> {
        self.arguments.count(3..=3)?;
        let elements = values::list(self.arguments.value(0)?)?;
        if usize::try_from(self.arguments.number(1)?) != Ok(elements.len()) {
            return Err(CallError::script("poll() announces another count of descriptors than there are"));
        }
        let (mut fds, mut revents) = (Vec::new(), Vec::new());
        for element in elements {
            let members = values::record(element)?;
            let part = |name: &str| {
                let missing = || CallError::script(format!("a descriptor of poll() without {name}"));
                values::number(values::member(members, name).ok_or_else(missing)?)
            };
            fds.push(PollFd { fd: self.descriptor(part("fd")?)?, events: part("events")? as i16, revents: 0 });
            revents.push(part("revents")? as i16);
        }
        let request = Request::Poll { fds, timeout: self.timeout(2)? };
        Ok(Plan { check: Check::Poll(revents), ..Plan::plain(request) })
    }

    fn epoll_create(&self) -> Result<Plan, CallError> {
        self.arguments.count(1..=1)?;
        let request = Request::EpollCreate { size: self.arguments.int(0)? };
        Ok(Plan { check: Check::Descriptor(Kind::Other), ..Plan::plain(request) })
    }

    /// `{events=EPOLLIN, fd=4}`. The data are the script's own and come back as they went.
    fn event(value: &Value) -> Result<EpollEvent, CallError> {
        let members = values::record(value)?;
        let mut event = EpollEvent { events: 0, data: 0 };
        for (name, value) in members {
            match name.as_str() {
                "events" => event.events = values::int(value)? as u32,
                "fd" | "ptr" | "u32" | "u64" => event.data = values::number(value)? as u64,
                other => return Err(CallError::script(format!("an epoll event has no member `{other}`"))),
            }
        }
        Ok(event)
    }

    fn epoll_control(&self) -> Result<Plan, CallError> {
        self.arguments.count(4..=4)?;
        Ok(Plan::plain(Request::EpollCtl {
            epoll: self.first()?.1,
            operation: self.arguments.int(1)?,
            fd: self.descriptor(self.arguments.number(2)?)?,
            event: match self.arguments.value(3)? {
                Value::Record(_) => Some(Planner::event(self.arguments.value(3)?)?),
                _ => None,
            },
        }))
    }

    fn epoll_wait(&self) -> Result<Plan, CallError> {
        self.arguments.count(4..=4)?;
        let check = Check::Epoll(Planner::event(self.arguments.value(1)?)?);
        let request =
            Request::EpollWait { epoll: self.first()?.1, most: self.arguments.int(2)?, timeout: self.timeout(3)? };
        Ok(Plan { check, ..Plan::plain(request) })
    }

    fn pipe(&self) -> Result<Plan, CallError> {
        self.arguments.count(1..=1)?;
        match values::list(self.arguments.value(0)?)? {
            [reading, writing] => {
                let ends = [values::number(reading)?, values::number(writing)?];
                Ok(Plan { check: Check::Pipe(ends), ..Plan::plain(Request::Pipe) })
            }
            _ => Err(CallError::script("pipe() makes two descriptors")),
        }
    }

    fn splice(&self) -> Result<Plan, CallError> {
        self.arguments.count(6..=6)?;
        let request = Request::Splice {
            from: self.first()?.1,
            to: self.descriptor(self.arguments.number(2)?)?,
            length: self.arguments.length(4)?,
            flags: self.arguments.int(5)? as u32,
        };
        Ok(Plan::plain(request))
    }
}
