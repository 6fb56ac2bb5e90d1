//! Secrets from a file, a descriptor or standard input. Never from an argument: those are public.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pve::auth::Credential;
use pve::secret::Secret;
use zeroize::Zeroizing;

use crate::cli::SignIn;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::shell;

/// No password or token is longer; a wrong file name should not fill the memory.
const LONGEST: usize = 16 * 1024;

/// Where a secret is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    File(PathBuf),
    Descriptor(u32),
    Stdin,
}

/// What the command line gave to sign in with; whatever is missing is asked for.
#[derive(Debug, Default)]
pub struct Means {
    /// An API token.
    pub token: Option<Credential>,
    /// The user, with or without realm.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// The second factor.
    pub otp: Option<Secret>,
}

impl Means {
    /// Reads what the options name.
    ///
    /// # Errors
    /// A secret that cannot be read or is none; standard input wanted twice.
    pub fn read(options: &SignIn) -> Result<Self, Failure> {
        let token = Source::of(options.token_file.as_deref(), options.token_fd);
        let password = Source::of(options.password_file.as_deref(), options.password_fd);
        let otp = Source::of(options.otp_file.as_deref(), options.otp_fd);
        let stdin = [&token, &password, &otp].into_iter().filter(|s| **s == Some(Source::Stdin)).count();
        if stdin > 1 {
            return Err(Failure::usage("Standard input can carry one secret, and two are to come from it."));
        }
        let read = |source: Option<Source>, what| source.map(|s| s.read(what)).transpose();
        Ok(Self {
            token: read(token, "token")?.map(|text| parse_token(&text)).transpose()?,
            user: options.user.clone(),
            password: read(password, "password")?.map(|text| Secret::new(text.as_str())),
            otp: read(otp, "second factor")?.map(|text| Secret::new(text.trim())),
        })
    }
}

impl Source {
    /// From `--…-file` and `--…-fd`, of which at most one is given.
    fn of(file: Option<&Path>, fd: Option<u32>) -> Option<Self> {
        match (file, fd) {
            (Some(path), _) if path == Path::new("-") => Some(Self::Stdin),
            (Some(path), _) => Some(Self::File(path.to_owned())),
            (None, Some(0)) => Some(Self::Stdin),
            (None, Some(fd)) => Some(Self::Descriptor(fd)),
            (None, None) => None,
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Descriptor(fd) => format!("descriptor {fd}"),
            Self::Stdin => "standard input".to_owned(),
        }
    }

    /// Reads the secret: one line, without its line end. `what` names it in errors: "password".
    fn read(&self, what: &str) -> Result<Zeroizing<String>, Failure> {
        let from = self.describe();
        let failed = |e: io::Error| {
            Failure::usage(format!("The {what} cannot be read from {from}: {e}."))
                .hint("Give a file with the secret on its one line, or \"-\" for standard input.")
        };
        // Opening a descriptor by its path needs no unsafe code and leaves the original alone.
        let mut input: Box<dyn Read> = match self {
            Self::File(path) => {
                let file = File::open(path).map_err(failed)?;
                guard(path)?;
                Box::new(file)
            }
            Self::Descriptor(fd) => Box::new(File::open(format!("/dev/fd/{fd}")).map_err(failed)?),
            Self::Stdin => Box::new(io::stdin().lock()),
        };
        let mut text = Zeroizing::new(String::with_capacity(LONGEST + 1));
        let bound = u64::try_from(LONGEST + 1).unwrap_or(u64::MAX);
        input.by_ref().take(bound).read_to_string(&mut text).map_err(failed)?;
        one_line(&text, what, &from)
    }
}

/// Refuses a file of one's own with a secret in it that others may read. One that is somebody else's (mounted by a
/// service manager, say) has been judged by whoever put it there; a pipe is nobody's.
///
/// # Errors
/// They may.
pub fn guard(path: &Path) -> Result<(), Failure> {
    let about = path
        .metadata()
        .map_err(|e| Failure::usage(format!("{} cannot be looked at: {e}.", path.display())))?;
    let own = about.uid() == rustix::process::geteuid().as_raw();
    if !about.is_file() || !own || about.mode() & 0o077 == 0 {
        return Ok(());
    }
    let shown = path.display();
    Err(Failure::new(
        Exit::Failed,
        format!("{shown} holds a secret, and others may read it. It was not used."),
    )
    .hint(format!("chmod 600 {}", shell::word(&path.to_string_lossy()))))
}

/// Takes the line end off and refuses what cannot be a secret of one line.
fn one_line(text: &str, what: &str, from: &str) -> Result<Zeroizing<String>, Failure> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(Failure::usage(format!("The {what} from {from} is empty.")));
    }
    if text.len() > LONGEST {
        return Err(Failure::usage(format!("What {from} holds is too long to be a {what}.")));
    }
    if line.contains(['\n', '\r', '\0']) {
        return Err(Failure::usage(format!("The {what} from {from} spans several lines."))
            .hint("It must stand alone, on one line."));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

/// Reads `USER@REALM!NAME=SECRET`, with or without the header's words before it. Never repeats any of it.
fn parse_token(text: &str) -> Result<Credential, Failure> {
    let text = text.trim();
    let text = text.strip_prefix("Authorization:").unwrap_or(text).trim();
    let text = text.strip_prefix("PVEAPIToken=").unwrap_or(text);
    let wrong = |what: &str| {
        Failure::usage(format!("The token {what}."))
            .hint("It has the form USER@REALM!NAME=SECRET, on one line.")
    };
    let (id, secret) = text.split_once('=').ok_or_else(|| wrong("has no = before its secret"))?;
    let (user, name) = id.split_once('!').ok_or_else(|| wrong("has no ! before its name"))?;
    if !user.contains('@') {
        return Err(wrong("has no realm behind its user"));
    }
    let plain = |part: &str| !part.is_empty() && !part.chars().any(|c| c.is_whitespace() || c.is_control());
    if !plain(user) || !plain(name) || !plain(secret) {
        return Err(wrong("has an empty part, or a blank or control character in it"));
    }
    Ok(Credential::token(id, secret))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn password(text: &str) -> Result<String, Failure> {
        let file = file(text);
        let options = SignIn { password_file: Some(file.path().to_owned()), ..SignIn::default() };
        Means::read(&options).map(|m| m.password.unwrap().expose().to_owned())
    }

    #[test]
    fn a_password_is_its_line_and_nothing_else() {
        assert_eq!(password("hunter2\n").unwrap(), "hunter2");
        assert_eq!(password("hunter2\r\n").unwrap(), "hunter2");
        assert_eq!(password(" blanks count \n").unwrap(), " blanks count ");
        assert_eq!(password("pässwörd=!\"'").unwrap(), "pässwörd=!\"'");
    }

    #[test]
    fn what_is_no_secret_of_one_line_is_refused_without_repeating_it() {
        for text in ["", "\n", "canary\ncanary\n", "canary\0", &"canary".repeat(10_000)] {
            let failure = password(text).unwrap_err();
            assert_eq!(failure.exit.code(), 2);
            assert!(!failure.to_string().contains("canary"), "{failure}");
        }
        let options = SignIn { password_file: Some("nowhere/to/be/found".into()), ..SignIn::default() };
        assert!(Means::read(&options).unwrap_err().sentence.contains("nowhere/to/be/found"));
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_and_a_pipe_is_not() {
        let held = file("hunter2");
        let options = SignIn { password_file: Some(held.path().to_owned()), ..SignIn::default() };
        let mode = |mode| {
            std::fs::set_permissions(held.path(), std::os::unix::fs::PermissionsExt::from_mode(mode))
                .unwrap();
            Means::read(&options)
        };
        assert!(mode(0o600).is_ok() && mode(0o400).is_ok());
        for others in [0o644, 0o640, 0o604] {
            let failure = mode(others).unwrap_err();
            assert!(failure.hint.unwrap().starts_with("chmod 600 "), "{others:o}");
            assert!(!failure.sentence.contains("hunter2"));
        }
        assert!(guard(Path::new("/dev/null")).is_ok(), "a device has no owner's secret in it");
    }

    #[test]
    fn a_descriptor_is_read_where_the_system_shows_it() {
        use std::os::fd::AsRawFd;
        let held = file("from-descriptor\n");
        let open = File::open(held.path()).unwrap();
        let fd = u32::try_from(open.as_raw_fd()).unwrap();
        let options = SignIn { password_fd: Some(fd), ..SignIn::default() };
        assert_eq!(Means::read(&options).unwrap().password.unwrap().expose(), "from-descriptor");
    }

    #[test]
    fn a_token_in_every_spelling() {
        for text in ["a@pve!t=s=1", "PVEAPIToken=a@pve!t=s=1", "Authorization: PVEAPIToken=a@pve!t=s=1\n"] {
            let held = file(text);
            let options = SignIn { token_file: Some(held.path().to_owned()), ..SignIn::default() };
            let Some(Credential::Token { id, secret }) = Means::read(&options).unwrap().token else {
                panic!()
            };
            assert_eq!((id.as_str(), secret.expose()), ("a@pve!t", "s=1"));
        }
        for text in [
            "canary",
            "a@pve=canary",
            "a!t=canary",
            "a@pve!=canary",
            "a@pve!t=",
            "a@pve!t=can ary",
            "a@pve!t\t=canary",
        ] {
            let held = file(text);
            let options = SignIn { token_file: Some(held.path().to_owned()), ..SignIn::default() };
            let failure = Means::read(&options).unwrap_err();
            assert!(!failure.to_string().contains("canary"), "{failure}");
        }
    }

    #[test]
    fn standard_input_carries_one_secret() {
        let options = SignIn { password_file: Some("-".into()), otp_fd: Some(0), ..SignIn::default() };
        assert!(Means::read(&options).unwrap_err().sentence.contains("one secret"));
    }
}
