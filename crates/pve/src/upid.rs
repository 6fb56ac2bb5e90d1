//! [`Upid`]: the id of a Proxmox VE task.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// A task id, `UPID:node:pid:pstart:starttime:type:id:user:`, kept exactly as it came.
///
/// Its parts say where to ask for the task (only [`Upid::node`] can answer), what it does to what, and who
/// asked. Comparing and printing go by the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Upid {
    text: String,
    pid: u64,
    pstart: u64,
    starttime: Timestamp,
}

/// Text that is no task id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a task id: {reason}")]
pub struct UpidError {
    reason: &'static str,
}

impl Upid {
    /// The node that runs or ran the task, and the only one that can answer for it.
    pub fn node(&self) -> &str {
        self.part(1)
    }

    /// The process id on that node.
    pub fn pid(&self) -> u64 {
        self.pid
    }

    /// When the process began, in ticks since the node's boot; tells apart processes with equal ids.
    pub fn pstart(&self) -> u64 {
        self.pstart
    }

    /// When the task began, by the node's clock.
    pub fn starttime(&self) -> Timestamp {
        self.starttime
    }

    /// What kind of task it is: `qmstart`, `vzdump`, `hastop`…
    pub fn task_type(&self) -> &str {
        self.part(5)
    }

    /// What the task is about, such as a VMID; empty where it is about nothing in particular.
    pub fn id(&self) -> &str {
        self.part(6)
    }

    /// Who asked, as it stands in the id: `user@realm` or `user@realm!token`.
    pub fn authid(&self) -> &str {
        self.part(7)
    }

    /// The user who asked, without the token: `user@realm`.
    pub fn user(&self) -> &str {
        self.authid().split_once('!').map_or(self.authid(), |(user, _)| user)
    }

    /// The name of the API token that was used, if one was.
    pub fn token(&self) -> Option<&str> {
        self.authid().split_once('!').map(|(_, token)| token)
    }

    /// The id as it came.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn part(&self, at: usize) -> &str {
        self.text.split(':').nth(at).unwrap_or_default()
    }
}

impl FromStr for Upid {
    type Err = UpidError;

    /// Holds the text to the form only: the lengths of the numbers grow with uptime and time, and node and
    /// user names are for the node to judge.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = |reason| UpidError { reason };
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(bad("it holds white space or control characters"));
        }
        let mut parts = text.split(':');
        if parts.next() != Some("UPID") {
            return Err(bad("it does not begin with UPID:"));
        }
        let mut part = || parts.next().ok_or(bad("it ends too early"));
        let node = part()?;
        let (pid, pstart, start) = (part()?, part()?, part()?);
        let (task_type, _id, user) = (part()?, part()?, part()?);
        if !part()?.is_empty() || parts.next().is_some() {
            return Err(bad("it does not end after the user"));
        }
        if node.is_empty() || task_type.is_empty() || user.is_empty() {
            return Err(bad("the node, the type or the user is empty"));
        }
        let number = |text: &str, reason| match text.bytes().all(|b| b.is_ascii_hexdigit()) {
            true => u64::from_str_radix(text, 16).map_err(|_| bad(reason)),
            false => Err(bad(reason)),
        };
        let pid = number(pid, "the process id is not a hexadecimal number")?;
        let pstart = number(pstart, "the process start is not a hexadecimal number")?;
        let start = number(start, "the start time is not a hexadecimal number")?;
        let starttime = i64::try_from(start).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        let starttime = starttime.ok_or(bad("the start time is out of range"))?;
        Ok(Self { text: text.to_owned(), pid, pstart, starttime })
    }
}

impl fmt::Display for Upid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Upid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_part_is_read() {
        let upid: Upid = "UPID:pve:000586C3:0078E111:6A4BB5C8:qmcreate:9102:root@pam!sdk:".parse().unwrap();
        assert_eq!(upid.node(), "pve");
        assert_eq!(upid.pid(), 0x586C3);
        assert_eq!(upid.pstart(), 0x78E111);
        assert_eq!(upid.starttime().as_second(), 1_783_346_632);
        assert_eq!(upid.task_type(), "qmcreate");
        assert_eq!(upid.id(), "9102");
        assert_eq!(upid.authid(), "root@pam!sdk");
        assert_eq!(upid.user(), "root@pam");
        assert_eq!(upid.token(), Some("sdk"));
        let nothing: Upid = "UPID:pve1:00000691:0104487EB:6B022A90:vncshell::root@pam:".parse().unwrap();
        assert_eq!((nothing.id(), nothing.token()), ("", None));
    }

    #[test]
    fn what_is_no_task_id_is_refused_with_a_reason() {
        for (text, reason) in [
            ("", "begin"),
            ("OK", "begin"),
            ("upid:n:1:1:1:t::u@r:", "begin"),
            ("UPID:n:1:1:1:t::u@r", "too early"),
            ("UPID:n:1:1:1:t::u@r:more", "end after"),
            ("UPID:n:1:1:1:t::u@r::", "end after"),
            ("UPID::1:1:1:t::u@r:", "empty"),
            ("UPID:n:1:1:1:::u@r:", "empty"),
            ("UPID:n:x:1:1:t::u@r:", "process id"),
            ("UPID:n:+1:1:1:t::u@r:", "process id"),
            ("UPID:n::1:1:t::u@r:", "process id"),
            ("UPID:n:1:1:FFFFFFFFFFFFFFFF:t::u@r:", "out of range"),
            // After the year 9999.
            ("UPID:n:1:1:FFFFFFFFFF:t::u@r:", "out of range"),
            ("UPID:n:1:1:1:t:a b:u@r:", "white space"),
            ("UPID:n:1:1:1:t::u@r:\n", "white space"),
        ] {
            let said = text.parse::<Upid>().unwrap_err().to_string();
            assert!(said.contains(reason), "{text}: {said}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_given_back(
            node in "[a-zA-Z0-9-]{1,20}", pid in any::<u32>(), pstart in 0u64..0xF_FFFF_FFFF, start in any::<u32>(),
            task in "[a-z]{1,12}", id in "[^:\\s\\p{C}]{0,20}", user in "[a-z]{1,8}@[a-z]{1,5}(![a-zA-Z]{1,8})?",
        ) {
            let text = format!("UPID:{node}:{pid:08X}:{pstart:08X}:{start:08X}:{task}:{id}:{user}:");
            let upid: Upid = text.parse().unwrap();
            prop_assert_eq!(upid.to_string(), text.clone());
            prop_assert_eq!(serde_json::to_value(&upid).unwrap(), serde_json::Value::from(text));
            prop_assert_eq!((upid.node(), upid.task_type(), upid.id()), (&*node, &*task, &*id));
            prop_assert_eq!((upid.pid(), upid.pstart()), (pid.into(), pstart));
            prop_assert_eq!(upid.starttime().as_second(), i64::from(start));
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = text.parse::<Upid>();
            let _ = format!("UPID:{text}").parse::<Upid>();
        }
    }
}
