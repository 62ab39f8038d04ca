//! The shell commands of a script, looked at before the shell runs them.
//!
//! They run in the network namespace that packetdrill lives in, and change its kernel. Its sysctls reach the stack
//! ([`sysctls`](crate::sysctls)); a queue, a route, a device's offloads, a table below `/proc` never do. A script with such
//! a command asks for what no stack outside the kernel can have. What a command means is decided in
//! `wireglass::drill::language::shell`.
//!
//! packetdrill starts Python for a script's code in the same way. That is no command of the script's.

use wireglass::drill::language::shell::{Directive, directives};
use wireglass::drill::posix::Sysctls;

use crate::marks::Marks;

/// What packetdrill's own command for the code of a script has in it: the file that it has written the code to.
const CODE: &str = " /tmp/code_";

/// Marks what `block` asks for in vain. Returns whether it makes the host forget what it has learnt of its peers.
pub(crate) fn look(block: &str, marks: &mut Marks) -> bool {
    let mut forgets = false;
    if block.contains(CODE) {
        return forgets;
    }
    for directive in directives(block) {
        match directive {
            Directive::Sysctl { name, value } => {
                if let Err(error) = Sysctls::default().set(&name, &value) {
                    marks.unsupported(&error.to_string());
                }
            }
            Directive::Connections { command, .. } | Directive::Unsupported { command } => {
                marks.unsupported(&format!("the command `{command}`"));
            }
            Directive::ForgetPeers { .. } => forgets = true,
            Directive::Ignore { .. } => {}
        }
    }
    forgets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(block: &str) -> Vec<String> {
        let mut marks = Marks::new(Some("/dev/null".into()));
        look(block, &mut marks);
        marks.said().to_vec()
    }

    #[test]
    fn a_command_that_cannot_reach_the_stack_is_marked() {
        for command in
            ["tc qdisc replace dev tun0 root fq", "grep x /proc/net/tcp", "ip route change 10.0.0.0/8 via 10.0.0.1"]
        {
            assert_eq!(marked(command), [format!("the command `{command}`")]);
        }
        assert_eq!(marked("sysctl -q net.ipv4.tcp_reordering=10").len(), 1);
    }

    #[test]
    fn a_flush_is_told() {
        let mut marks = Marks::new(Some("/dev/null".into()));
        assert!(look("ip tcp_metrics flush all", &mut marks));
        assert!(!look("sysctl -q net.ipv4.tcp_sack=0", &mut marks));
    }

    #[test]
    fn a_command_that_reaches_it_or_changes_nothing_is_not() {
        for command in [
            "sysctl -q net.ipv4.tcp_sack=0",
            "../common/defaults.sh",
            "ip tcp_metrics flush all",
            "python3 /tmp/code_x1",
        ] {
            assert_eq!(marked(command), Vec::<String>::new(), "{command}");
        }
    }
}
