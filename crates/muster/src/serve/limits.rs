//! How many files the process may have open: a socket is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of open files to what the system allows this process; gives the limit then. A shell's usual 1,024
/// is meant for programs that ask `select` about them, and is too few for some hundred remotes.
pub fn raise_open_files() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::info!(%error, ?limit.current, "the limit of open files stays as it is");
        }
    }
    getrlimit(Resource::Nofile).current
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_allowed_is_taken() {
        let most = getrlimit(Resource::Nofile).maximum;
        // Still enough for the tests beside this one.
        let half = Some(most.map_or(100_000, |most| most / 2));
        setrlimit(Resource::Nofile, Rlimit { current: half, maximum: most }).unwrap();
        assert_eq!(getrlimit(Resource::Nofile).current, half);
        assert_eq!(raise_open_files(), most);
    }
}
