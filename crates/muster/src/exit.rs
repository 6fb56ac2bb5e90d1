//! The exit codes: [`Exit`]. What each one promises to a script is in `docs/exit-codes.md`.

use std::process::ExitCode;

/// How a command ended, as a script sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Done, and known to be done.
    Done = 0,
    /// Tried, and failed.
    Failed = 1,
    /// Called wrongly, or no such thing.
    Usage = 2,
    /// Some remotes answered, some did not.
    Partial = 3,
    /// The credentials were rejected, or there are none.
    Credentials = 4,
    /// Signed in, but a privilege is missing.
    NotAllowed = 5,
    /// No answer to be had: address, network, connection, or the guest's node.
    Unreachable = 6,
    /// Something was sent and what came of it is not known.
    OutcomeUnknown = 7,
    /// The certificate is not trusted, or not the one that was.
    Certificate = 8,
    /// A second factor is needed and could not be asked for.
    SecondFactor = 9,
    /// Something else than Proxmox VE answers there.
    NotProxmox = 10,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The code for several results: all alike is that one, anything mixed is [`Exit::Partial`] when some
    /// of it was done, and otherwise the first that went wrong.
    pub fn combined(results: impl IntoIterator<Item = Self>) -> Self {
        let (mut done, mut wrong) = (false, None);
        for result in results {
            match result {
                Self::Done => done = true,
                other => wrong = wrong.or(Some(other)),
            }
        }
        match (done, wrong) {
            (_, None) => Self::Done,
            (true, Some(_)) => Self::Partial,
            (false, Some(wrong)) => wrong,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_results_become_one() {
        use Exit::*;
        assert_eq!(Exit::combined([]), Done);
        assert_eq!(Exit::combined([Done, Done]), Done);
        assert_eq!(Exit::combined([Done, Unreachable]), Partial);
        assert_eq!(Exit::combined([Unreachable, Unreachable]), Unreachable);
        assert_eq!(Exit::combined([Certificate, Unreachable]), Certificate);
    }
}
