//! Describing a network.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::plan::{NamedLink, NamedNode, Plan};
use super::{Link, Network};
use crate::filter::{FilterError, Names};
use crate::stack::{StackKind, TcpConfig};

/// Virtual time that a run may take where nobody says.
const LIMIT: Duration = Duration::from_secs(3_600);
/// Nodes that there are addresses for.
const MOST_NODES: usize = 65_000;

/// Why there is no such network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Odds are no odds.
    #[error("odds are between 0 and 1, not {0}")]
    Odds(String),
    /// A rule's filter makes no sense.
    #[error("the filter `{filter}` of a rule is not understood: {error}")]
    Filter {
        /// The filter.
        filter: String,
        /// Where, and what was expected.
        error: FilterError,
    },
    /// A rule's filter asks for events.
    #[error("the filter `{0}` of a rule asks about events; a link sees packets only")]
    NotAPacket(String),
    /// A node's name cannot be one.
    #[error("`{0}` cannot be a node's name: letters, digits, `-` and `_` make one, and its captures are called so")]
    Name(String),
    /// A link from a node to itself.
    #[error("a link leads from one node to another, not from `{0}` to itself; a node reaches itself without")]
    Loop(String),
    /// There are too many nodes.
    #[error("a network has at most {MOST_NODES} nodes")]
    TooMany,
}

/// Describes a [`Network`].
#[derive(Clone, Debug)]
pub struct NetworkBuilder {
    seed: u64,
    name: Option<String>,
    limit: Duration,
    stack: StackKind,
    captures: Option<PathBuf>,
    nodes: Vec<NamedNode>,
    links: Vec<(String, String, Link, Ways)>,
    mesh: Option<Link>,
}

/// Which directions a link stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ways {
    Both,
    There,
}

impl NetworkBuilder {
    pub(super) fn new() -> NetworkBuilder {
        NetworkBuilder {
            seed: 1,
            name: None,
            limit: LIMIT,
            stack: StackKind::default(),
            captures: None,
            nodes: Vec::new(),
            links: Vec::new(),
            mesh: None,
        }
    }

    /// Decides every chance: which packets are lost, where sequence numbers begin. 1 where nobody says.
    pub fn seed(mut self, seed: u64) -> NetworkBuilder {
        self.seed = seed;
        self
    }

    /// Calls the network so; the folder of its captures is called so, too. Else it is called as the test.
    pub fn name(mut self, name: &str) -> NetworkBuilder {
        self.name = Some(name.to_owned());
        self
    }

    /// Virtual time that a run may take; then it has failed. An hour where nobody says.
    pub fn limit(mut self, limit: Duration) -> NetworkBuilder {
        self.limit = limit;
        self
    }

    /// The TCP/IP stack of every node.
    pub fn stack(mut self, stack: StackKind) -> NetworkBuilder {
        self.stack = stack;
        self
    }

    /// The folder in which the captures of a run that fails get a folder of their own. Else it is `wireglass` in cargo's
    /// target folder.
    pub fn captures(mut self, folder: impl Into<PathBuf>) -> NetworkBuilder {
        self.captures = Some(folder.into());
        self
    }

    /// A node. A link makes those that it names, so that this is for networks without one, and for their order.
    pub fn node(mut self, name: &str) -> NetworkBuilder {
        self.node_of(name);
        self
    }

    /// A node whose connections begin with settings of their own: `|tcp| tcp.congestion = Congestion::Cubic`.
    pub fn node_with(mut self, name: &str, change: impl FnOnce(&mut TcpConfig)) -> NetworkBuilder {
        change(&mut self.node_of(name).tcp);
        self
    }

    fn node_of(&mut self, name: &str) -> &mut NamedNode {
        let place = self.nodes.iter().position(|node| node.name == name).unwrap_or_else(|| {
            self.nodes.push(NamedNode::new(name, self.nodes.len()));
            self.nodes.len() - 1
        });
        &mut self.nodes[place]
    }

    /// A link between two nodes, which are made if they are not there yet. A second one between the same replaces the first.
    pub fn link(mut self, one: &str, other: &str, link: Link) -> NetworkBuilder {
        self.node_of(one);
        self.node_of(other);
        self.links.push((one.to_owned(), other.to_owned(), link, Ways::Both));
        self
    }

    /// The way from one node to another alone; the way back is as it was, or there is none.
    pub fn one_way(mut self, from: &str, to: &str, link: Link) -> NetworkBuilder {
        self.node_of(from);
        self.node_of(to);
        self.links.push((from.to_owned(), to.to_owned(), link, Ways::There));
        self
    }

    /// A link between any two nodes that have none of their own.
    pub fn mesh(mut self, link: Link) -> NetworkBuilder {
        self.mesh = Some(link);
        self
    }

    /// The network. Nothing runs yet.
    ///
    /// # Errors
    /// [`BuildError`] when what was described makes no sense.
    pub fn build(self) -> Result<Network, BuildError> {
        if self.nodes.len() > MOST_NODES {
            return Err(BuildError::TooMany);
        }
        let is_name =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if let Some(node) = self.nodes.iter().find(|node| !is_name(&node.name)) {
            return Err(BuildError::Name(node.name.clone()));
        }
        let mut names = Names::default();
        for node in &self.nodes {
            node.addresses.iter().for_each(|(address, _)| names.insert(node.name.clone(), *address));
        }
        let links = self.named_links(&names)?;
        Ok(Network::new(Plan {
            seed: self.seed,
            name: self.name,
            limit: self.limit,
            stack: self.stack,
            captures: self.captures,
            nodes: self.nodes,
            links,
            names,
        }))
    }

    /// Every link in both directions.
    fn named_links(&self, names: &Names) -> Result<Vec<NamedLink>, BuildError> {
        let mut links: Vec<NamedLink> = Vec::new();
        for (one, other, link, ways) in &self.links {
            let ends = [one, other].map(|name| self.nodes.iter().position(|node| node.name == *name).unwrap_or(0));
            if one == other {
                return Err(BuildError::Loop(one.clone()));
            }
            self.lay(&mut links, names, ends, link)?;
            if *ways == Ways::Both {
                self.lay(&mut links, names, [ends[1], ends[0]], link)?;
            }
        }
        let Some(link) = &self.mesh else { return Ok(links) };
        for from in 0..self.nodes.len() {
            for to in (0..self.nodes.len()).filter(|to| *to != from) {
                if !links.iter().any(|link| link.ends == [from, to]) {
                    self.lay(&mut links, names, [from, to], link)?;
                }
            }
        }
        Ok(links)
    }

    fn lay(&self, links: &mut Vec<NamedLink>, names: &Names, ends: [usize; 2], link: &Link) -> Result<(), BuildError> {
        let [from, to] = ends.map(|end| self.nodes.get(end).map_or("", |node| node.name.as_str()));
        let cut = Arc::new(AtomicBool::new(false));
        let pipe = link.pipe(&format!("{from}-{to}"), names, &cut)?;
        links.retain(|link| link.ends != ends);
        links.push(NamedLink { ends, pipe, cut, mtu: link.longest_packet() });
        Ok(())
    }
}
