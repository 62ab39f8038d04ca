//! Real programs in a node.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use nix::unistd::Uid;
use tokio::time::timeout;
use wireglass::door::DoorKind;
use wireglass::host::{Exec, ExecError, HolderConfig, HolderError, LinuxNode, NodeSetup, RunAs};

use super::{config, holder, node};

const PATIENCE: Duration = Duration::from_secs(20);

fn shell(script: &str) -> Exec {
    Exec { argv: vec!["sh".into(), "-c".into(), script.into()], ..Exec::default() }
}

/// Runs `test` with a node, inside a runtime.
fn in_a_node(config: HolderConfig, test: impl AsyncFnOnce(LinuxNode)) {
    let Some(holder) = holder(config) else { return };
    let setup = NodeSetup { door: Some(DoorKind::Veth), ..NodeSetup::named("client") };
    let Some((node, _door)) = node(&holder, setup) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { timeout(PATIENCE, test(node)).await.expect("in good time") });
}

/// What a script prints, after it has succeeded.
async fn output(node: &LinuxNode, exec: Exec) -> String {
    let mut child = node.exec(exec).expect("it starts");
    let text = child.stdout.take().expect("not taken yet").rest().await.expect("a pipe");
    let complaints = child.stderr.take().expect("not taken yet").rest().await.expect("a pipe");
    let exit = child.wait().await.expect("the holder tells");
    assert!(exit.success(), "{exit:?}: {complaints}");
    text
}

#[test]
fn a_program_sees_the_labs_names_and_no_other_processes() {
    let server = IpAddr::V4(Ipv4Addr::new(10, 9, 0, 2));
    let config = HolderConfig {
        hosts: vec![(server, "server.lab".into())],
        resolv_conf: Some("nameserver 10.9.0.53\n".into()),
        ..config()
    };
    in_a_node(config, async |node| {
        let text =
            output(&node, shell("cat /etc/hosts /etc/resolv.conf; ls -d /proc/[0-9]*; ls /proc/sys/net/ipv4/conf"))
                .await;
        assert!(text.contains("10.9.0.2\tserver.lab\n"), "{text}");
        assert!(text.contains("nameserver 10.9.0.53\n"), "{text}");
        let processes = text.lines().filter(|line| line.starts_with("/proc/")).count();
        assert!((2..=4).contains(&processes), "the holder's init, the shell and ls: {text}");
        let interfaces: Vec<_> = text.lines().skip_while(|line| *line != "all").collect();
        assert_eq!(interfaces, ["all", "default", "eth0", "lo"]);
    });
    let own = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    assert!(!own.contains("server.lab"), "the host's own file is untouched");
}

#[test]
fn a_program_has_its_own_session_and_no_new_privileges() {
    in_a_node(config(), async |node| {
        let text =
            output(&node, shell("grep NoNewPrivs /proc/self/status; echo $$; cut -d' ' -f5,6,7 /proc/$$/stat")).await;
        let lines: Vec<_> = text.lines().collect();
        let [privileges, pid, process_group_session_terminal] = lines[..] else { panic!("{text}") };
        assert_eq!(privileges.split_whitespace().last(), Some("1"));
        assert_eq!(process_group_session_terminal, format!("{pid} {pid} 0"));
    });
}

#[test]
fn a_program_gets_its_environment_and_directory() {
    in_a_node(config(), async |node| {
        let exec = Exec {
            env: vec![("SSLKEYLOGFILE".into(), "/tmp/keys".into())],
            cwd: Some(PathBuf::from("/usr")),
            ..shell("pwd; echo $SSLKEYLOGFILE; cat")
        };
        assert_eq!(output(&node, exec).await, "/usr\n/tmp/keys\n");
    });
}

#[test]
fn root_runs_programs_as_the_user_who_called_sudo() {
    if !Uid::effective().is_root() {
        return;
    }
    let config = HolderConfig { run_as: Some(RunAs { uid: 65_534, gid: 65_534 }), ..config() };
    in_a_node(config, async |node| {
        let text = output(&node, shell("id -u; id -g; id -G; grep CapEff /proc/self/status")).await;
        assert_eq!(text, "65534\n65534\n65534\nCapEff:\t0000000000000000\n");
    });
}

#[test]
fn the_end_of_a_program_is_told_with_its_code_or_its_signal() {
    in_a_node(config(), async |node| {
        let mut child = node.exec(shell("exit 7")).expect("it starts");
        let exit = child.wait().await.expect("the holder tells");
        assert_eq!((exit.code, exit.signal), (Some(7), None));
        assert_eq!(child.wait().await.expect("it may be asked again"), exit);
        child.kill().expect("killing one that has ended does nothing");

        let mut child = node.exec(shell("sleep 1000 & wait")).expect("it starts");
        child.kill().expect("the holder kills");
        let exit = child.wait().await.expect("the holder tells");
        assert_eq!((exit.code, exit.signal), (None, Some(9)));
        let rest = child.stdout.take().expect("not taken yet").rest().await;
        assert_eq!(rest.expect("the pipe ends, so the whole process group is gone"), "");
    });
}

#[test]
fn standard_output_comes_line_by_line_while_the_program_runs() {
    in_a_node(config(), async |node| {
        let mut child = node
            .exec(shell("echo one; printf 'two\\377\\r\\n'; echo bad >&2; printf end; sleep 1000"))
            .expect("it starts");
        let mut stdout = child.stdout.take().expect("not taken yet");
        assert_eq!(stdout.next_line().await.expect("a pipe").as_deref(), Some("one"));
        assert_eq!(stdout.next_line().await.expect("a pipe").as_deref(), Some("two\u{fffd}"));
        let mut stderr = child.stderr.take().expect("not taken yet");
        assert_eq!(stderr.next_line().await.expect("a pipe").as_deref(), Some("bad"));
        // A wait that is given up in the middle of a line loses nothing of it.
        assert!(timeout(Duration::from_millis(200), stdout.next_line()).await.is_err());
        child.kill().expect("the holder kills");
        assert_eq!(stdout.next_line().await.expect("a pipe").as_deref(), Some("end"));
        assert_eq!(stdout.next_line().await.expect("a pipe"), None);
    });
}

#[test]
fn a_program_that_cannot_run_says_why_and_what_mends_it() {
    in_a_node(config(), async |node| {
        let run = |exec: Exec| node.exec(exec).map(|_| ()).expect_err("it cannot start");
        let named = |program: &str| Exec { argv: vec![program.into()], ..Exec::default() };

        let error = run(Exec { env: vec![("PATH".into(), "/nowhere".into())], ..named("dig") });
        assert!(matches!(&error, ExecError::NotInstalled { program, .. } if program == "dig"), "{error:?}");
        assert!(error.to_string().contains("apt install bind9-dnsutils"), "{error}");
        assert!(matches!(run(named("./no-such-file")), ExecError::NotInstalled { .. }));
        assert!(matches!(run(named("/etc/passwd")), ExecError::NotPermitted { .. }));
        assert_eq!(run(Exec::default()), ExecError::Empty);
        let error = run(Exec { cwd: Some("/no/such/place".into()), ..named("true") });
        assert_eq!(error, ExecError::Directory { directory: "/no/such/place".into() });
    });
}

#[test]
fn a_sysctl_is_the_nodes_own_and_its_error_names_the_key() {
    let Some(holder) = holder(config()) else { return };
    let with = |name: &str, key: &str, value: &str| NodeSetup {
        door: Some(DoorKind::Veth),
        sysctls: vec![(key.to_owned(), value.to_owned())],
        ..NodeSetup::named(name)
    };
    let Some((first, _door)) = node(&holder, with("first", "net.ipv4.tcp_sack", "0")) else { return };
    let Some((second, _door)) = node(&holder, with("second", "net.ipv4.tcp_sack", "1")) else { return };
    for (key, value) in [("kernel.hostname", "x"), ("net.ipv4.no_such_thing", "1"), ("net.ipv4.tcp_sack", "word")] {
        let error = holder.add_node(with("third", key, value)).map(|_| ()).expect_err("no such setting");
        assert!(matches!(&error, HolderError::Sysctl { key: named, .. } if named == key), "{error:?}");
    }
    let error = holder.add_node(NodeSetup::named("first")).map(|_| ()).expect_err("the name is taken");
    assert_eq!(error, HolderError::Duplicate { name: "first".into() });

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let read = || shell("cat /proc/sys/net/ipv4/tcp_sack");
        assert_eq!(output(&first, read()).await, "0\n");
        assert_eq!(output(&second, read()).await, "1\n");
    });
}

#[test]
fn an_address_that_the_kernel_refuses_is_named() {
    let Some(holder) = holder(config()) else { return };
    let addresses = vec![(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 33)];
    let setup = NodeSetup { door: Some(DoorKind::Veth), kernel_addresses: addresses, ..NodeSetup::named("client") };
    let error = holder.add_node(setup).map(|_| ()).expect_err("there is no /33");
    assert!(error.to_string().contains("address 10.0.0.1/33 in node `client`"), "{error}");
}
