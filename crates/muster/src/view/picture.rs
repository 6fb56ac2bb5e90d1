//! Everything there is to see, as lines: [`Picture`]. Made anew from a fleet's snapshot whenever something
//! changed or a second passed; holds no state of its own. All texts are safe to show.

use model::id::{GuestKey, RemoteId, TaskId};
use model::operation::Action;

use crate::term::table::Tone;

/// What a row stands for. The selection holds on to this, never to a line number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RowId {
    /// A remote.
    Remote(RemoteId),
    /// A guest.
    Guest(GuestKey),
    /// A task of a remote.
    Task(RemoteId, TaskId),
}

/// The whole screen's content.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    /// Hosts and clusters, in the order in which they were given.
    pub remotes: Vec<RemoteLine>,
    /// Guests by remote, then number: an order that no update changes.
    pub guests: Vec<GuestLine>,
    /// Tasks, newest first.
    pub tasks: Vec<TaskLine>,
}

/// A label and what it says, in the details panel.
pub type Fact = (String, String);

/// A remote.
#[derive(Debug, Clone)]
pub struct RemoteLine {
    /// Which.
    pub id: RowId,
    /// Its name.
    pub name: String,
    /// The link's state in a word.
    pub link: String,
    /// How that is set off.
    pub tone: Tone,
    /// Cause and next try, or versions and quorum.
    pub about: String,
    /// Nodes online and in all, as text.
    pub nodes: String,
    /// Guests running and in all, as text.
    pub guests: String,
    /// When it last answered.
    pub seen: String,
    /// The panel.
    pub facts: Vec<Fact>,
    /// What the filter looks at, in lower case.
    pub haystack: String,
}

/// A guest.
#[derive(Debug, Clone)]
pub struct GuestLine {
    /// Which.
    pub id: RowId,
    /// Where it lives.
    pub remote_id: RowId,
    /// `lab/101`.
    pub label: String,
    /// `ct` or `vm`.
    pub kind: &'static str,
    /// `container` or `virtual machine`.
    pub noun: &'static str,
    /// Its name; empty when it has none that is known.
    pub name: String,
    /// Its node.
    pub node: String,
    /// Its state, last known.
    pub state: String,
    /// How that is set off.
    pub tone: Tone,
    /// Is all of this from earlier?
    pub dim: bool,
    /// Processor use, if known.
    pub cpu: String,
    /// Memory in use, if known.
    pub memory: String,
    /// Since when it runs, if known.
    pub uptime: String,
    /// Age and cause when it is not live; what is being done; lock; tags.
    pub note: String,
    /// Does high availability manage it?
    pub ha: bool,
    /// Why an action may fail now, if so.
    pub may_fail: Option<String>,
    /// Actions that cannot be done now, and why not with what would mend it.
    pub refused: Vec<(Action, String)>,
    /// The panel.
    pub facts: Vec<Fact>,
    /// The last operation from here, and the last lines of its log.
    pub operation: Option<OperationLines>,
    /// What the filter looks at, in lower case.
    pub haystack: String,
}

impl GuestLine {
    /// Its name, or its number where there is none.
    pub fn title(&self) -> &str {
        if self.name.is_empty() { &self.label } else { &self.name }
    }

    /// Why this action cannot be done now, if it cannot.
    pub fn refusal(&self, action: Action) -> Option<String> {
        self.refused.iter().find(|(refused, _)| *refused == action).map(|(_, why)| why.clone())
    }
}

/// An operation, for the panel.
#[derive(Debug, Clone)]
pub struct OperationLines {
    /// What and how it stands, one line.
    pub headline: String,
    /// How that is set off.
    pub tone: Tone,
    /// The end of its log.
    pub log: Vec<String>,
}

/// A task.
#[derive(Debug, Clone)]
pub struct TaskLine {
    /// Which.
    pub id: RowId,
    /// When it began, as age.
    pub started: String,
    /// How long it ran.
    pub took: String,
    /// Where.
    pub remote: String,
    /// On which node.
    pub node: String,
    /// What, e.g. `vzstart 101`.
    pub what: String,
    /// By whom.
    pub user: String,
    /// How it stands.
    pub outcome: String,
    /// How that is set off.
    pub tone: Tone,
    /// Its UPID.
    pub upid: String,
    /// What the filter looks at, in lower case.
    pub haystack: String,
}

impl Picture {
    /// The guest of this row.
    pub fn guest(&self, id: &RowId) -> Option<&GuestLine> {
        self.guests.iter().find(|g| g.id == *id)
    }

    /// The remote of this row.
    pub fn remote(&self, id: &RowId) -> Option<&RemoteLine> {
        self.remotes.iter().find(|r| r.id == *id)
    }

    /// The task of this row.
    pub fn task(&self, id: &RowId) -> Option<&TaskLine> {
        self.tasks.iter().find(|t| t.id == *id)
    }
}
