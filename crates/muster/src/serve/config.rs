//! What the server shall do, and who said so: [`Config::read`] takes flags over the environment over the file over the
//! defaults.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::settings::{self, Kind, Setting};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::secrets::guard;

/// The system's file, when the person has none.
const SYSTEM_FILE: &str = "/etc/muster/config.toml";
/// The variable that names the file.
const FILE_VARIABLE: &str = "MUSTER_CONFIG";

/// The environment a process starts with: handed in, so that tests have their own.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Environment {
    /// That of this process.
    pub fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// One made by hand.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// A variable that is set and not empty, as text.
    ///
    /// # Errors
    /// It is no text.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Failure> {
        match self.0.get(std::ffi::OsStr::new(name)) {
            None => Ok(None),
            Some(value) => match value.to_str() {
                Some("") => Ok(None),
                Some(text) => Ok(Some(text)),
                None => Err(Failure::usage(format!("The variable {name} does not hold text."))),
            },
        }
    }

    /// A variable that holds an absolute path; others are passed over, as the XDG rules want it.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.0.get(std::ffi::OsStr::new(name)).map(PathBuf::from).filter(|path| path.is_absolute())
    }

    /// `$XDG_…`, or its default in the home directory.
    pub fn xdg(&self, name: &str, below_home: &str) -> Option<PathBuf> {
        self.path(name).or_else(|| Some(self.path("HOME")?.join(below_home)))
    }
}

/// Who said what a setting holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag.
    Flag(&'static str),
    /// A variable of the environment.
    Variable(&'static str),
    /// The file.
    File(PathBuf),
    /// Nobody.
    Default,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "--{flag}"),
            Self::Variable(name) => f.write_str(name),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// What a setting holds: each value by itself when it takes several.
#[derive(Clone)]
pub struct Value {
    texts: Vec<Zeroizing<String>>,
    /// Who said so.
    pub origin: Origin,
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Value").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Value {
    /// As people read it; what is secret is not in it.
    pub fn shown(&self, setting: &Setting) -> String {
        match setting.kind {
            Kind::Secret if self.texts.is_empty() => String::new(),
            Kind::Secret => redacted(self.texts.first().map_or("", |text| text.as_str())),
            _ => self.texts.iter().map(|text| text.as_str()).collect::<Vec<_>>().join(", "),
        }
    }
}

/// A URL without its password; anything else not at all.
fn redacted(text: &str) -> String {
    match url::Url::parse(text) {
        Ok(mut url) if url.has_host() => {
            if url.password().is_some() && url.set_password(Some("…")).is_err() {
                return "(secret)".to_owned();
            }
            url.set_query(None);
            url.as_str().replace("%E2%80%A6", "…")
        }
        _ => "(secret)".to_owned(),
    }
}

/// Flags as they were given: by key, each value as it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// The settings.
    pub flags: BTreeMap<&'static str, Vec<String>>,
}

/// Every setting with its value.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that was read, when there is one.
    pub file: Option<PathBuf>,
    values: BTreeMap<&'static str, Value>,
}

impl Config {
    /// Reads everything.
    ///
    /// # Errors
    /// A file that was asked for and cannot be read, is no TOML or has a key that is not known, and values that are
    /// none: all of it at once, one line each.
    pub fn read(given: &Given, environment: &Environment) -> Result<Self, Failure> {
        let file = file(given, environment)?;
        let mut wrong = Vec::new();
        let in_file = match &file {
            Some(path) => read_file(path, &mut wrong)?,
            None => BTreeMap::new(),
        };
        let mut values = BTreeMap::new();
        for setting in settings::ALL {
            let flag = setting.flag.and_then(|flag| Some((flag, given.flags.get(setting.key)?.clone())));
            let value = if let Some((flag, texts)) = flag {
                Value { texts: split(setting, texts), origin: Origin::Flag(flag) }
            } else if let Some(text) = environment.text(setting.variable)? {
                Value {
                    texts: split(setting, vec![text.to_owned()]),
                    origin: Origin::Variable(setting.variable),
                }
            } else if let (Some(path), Some(texts)) = (&file, in_file.get(setting.key)) {
                Value { texts: split(setting, texts.clone()), origin: Origin::File(path.clone()) }
            } else {
                let fixed = if setting.fixed { vec![setting.default.to_owned()] } else { Vec::new() };
                Value { texts: split(setting, fixed), origin: Origin::Default }
            };
            if value.origin != Origin::Default {
                for text in &value.texts {
                    if let Err(why) = setting.kind.check(text) {
                        wrong.push(format!("{} ({}): {why}.", setting.key, value.origin));
                    }
                }
            }
            values.insert(setting.key, value);
        }
        let config = Self { file, values };
        config.fits_together(&mut wrong);
        match wrong.len() {
            0 => Ok(config),
            1 => Err(Failure::usage(format!("A setting is wrong: {}", wrong.concat()))
                .hint("docs/configuration.md lists every setting.")),
            _ => Err(Failure::usage("Settings are wrong.")
                .detail(wrong)
                .hint("docs/configuration.md lists every setting.")),
        }
    }

    /// The defaults alone: nobody has said anything.
    pub fn defaults() -> Self {
        let values = settings::ALL.iter().map(|setting| {
            let fixed = if setting.fixed { vec![setting.default.to_owned()] } else { Vec::new() };
            (setting.key, Value { texts: split(setting, fixed), origin: Origin::Default })
        });
        Self { file: None, values: values.collect() }
    }

    /// The settings that another configuration has otherwise, but for those that are taken over while running.
    pub fn differing(&self, other: &Self) -> Vec<&'static Setting> {
        let same = |setting: &Setting| {
            let texts = |config: &Self| config.values.get(setting.key).map(|value| value.texts.clone());
            texts(self) == texts(other)
        };
        settings::ALL
            .iter()
            .copied()
            .filter(|setting| setting.key != settings::LOG_LEVEL.key && !same(setting))
            .collect()
    }

    fn fits_together(&self, wrong: &mut Vec<String>) {
        let pair = [&settings::TLS_CERTIFICATE, &settings::TLS_KEY].map(|s| self.path(s).is_some());
        if pair == [true, false] {
            wrong.push("tls.certificate needs tls.key beside it.".to_owned());
        }
        if pair == [false, true] {
            wrong.push("tls.key needs tls.certificate beside it.".to_owned());
        }
        if let Some(url) = self.text(&settings::DATABASE) {
            if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
                wrong.push(
                    "database must begin with postgres:// (the embedded one needs no setting).".to_owned(),
                );
            } else if let Err(e) = url::Url::parse(url) {
                // What is wrong, never the text: it has a password in it.
                wrong.push(format!("database is no URL that can be understood: {e}."));
            }
        }
    }

    /// The value of a setting, with who said so.
    pub fn value(&self, setting: &Setting) -> Option<&Value> {
        self.values.get(setting.key)
    }

    /// The text of a setting that has one.
    pub fn text(&self, setting: &Setting) -> Option<&str> {
        self.value(setting)?.texts.first().map(|text| text.as_str()).filter(|text| !text.is_empty())
    }

    /// A path, when one was given.
    pub fn path(&self, setting: &Setting) -> Option<PathBuf> {
        self.text(setting).map(PathBuf::from)
    }

    /// A switch.
    pub fn switch(&self, setting: &Setting) -> bool {
        self.text(setting).is_some_and(|text| settings::parse_switch(text).unwrap_or(false))
    }

    /// A length of time. [`Config::read`] has judged it, and a test every default.
    pub fn span(&self, setting: &Setting) -> Duration {
        [self.text(setting), Some(setting.default)]
            .into_iter()
            .flatten()
            .find_map(|text| settings::parse_span(text).ok())
            .unwrap_or(Duration::from_secs(86_400))
    }

    /// Addresses to listen on.
    pub fn addresses(&self, setting: &Setting) -> Vec<SocketAddr> {
        self.all(setting).filter_map(|text| text.parse().ok()).collect()
    }

    /// Networks.
    pub fn networks(&self, setting: &Setting) -> Vec<server::settings::Network> {
        self.all(setting).filter_map(|text| text.parse().ok()).collect()
    }

    /// Every value of a setting that takes several.
    pub fn all<'a>(&'a self, setting: &Setting) -> impl Iterator<Item = &'a str> {
        self.value(setting).into_iter().flat_map(|value| value.texts.iter().map(|text| text.as_str()))
    }

    /// The same with one value set by the program, as the demo does.
    #[must_use]
    pub fn with(mut self, setting: &Setting, text: &str) -> Self {
        let texts = split(setting, vec![text.to_owned()]);
        self.values.insert(setting.key, Value { texts, origin: Origin::Default });
        self
    }
}

fn split(setting: &Setting, texts: Vec<String>) -> Vec<Zeroizing<String>> {
    if !setting.kind.is_list() {
        return texts.into_iter().filter(|text| !text.is_empty()).map(Zeroizing::new).collect();
    }
    texts
        .iter()
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(|text| Zeroizing::new(text.to_owned()))
        .collect()
}

/// The file to read: one that was asked for must be there.
fn file(given: &Given, environment: &Environment) -> Result<Option<PathBuf>, Failure> {
    if let Some(path) = &given.file {
        return Ok(Some(path.clone()));
    }
    if let Some(path) = environment.text(FILE_VARIABLE)? {
        return Ok(Some(path.into()));
    }
    let own = environment.xdg("XDG_CONFIG_HOME", ".config").map(|dir| dir.join("muster/config.toml"));
    let candidates = own.into_iter().chain([PathBuf::from(SYSTEM_FILE)]);
    Ok(candidates.into_iter().find(|path| path.exists()))
}

fn read_file(path: &Path, wrong: &mut Vec<String>) -> Result<BTreeMap<&'static str, Vec<String>>, Failure> {
    let unreadable = |e: &dyn std::fmt::Display| {
        Failure::new(Exit::Usage, format!("The configuration file {} cannot be read: {e}.", path.display()))
    };
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(|e| unreadable(&e))?);
    // The error's own text repeats the line it is in, which may hold a secret.
    let table: toml::Table = toml::from_str(&text).map_err(|e| {
        let line = e.span().map_or(0, |span| text.get(..span.start).map_or(0, |t| t.matches('\n').count()));
        unreadable(&format!("line {}: {}", line + 1, e.message()))
    })?;
    let mut values = BTreeMap::new();
    flatten(path, "", &table, &mut values, wrong);
    if values.contains_key(settings::DATABASE.key) {
        guard_password(path)?;
    }
    Ok(values)
}

/// Refuses a file with the database's password in it that others may read. One that somebody else keeps for us, as root
/// does for a service, our group may read.
fn guard_password(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::MetadataExt;
    guard(path).map_err(Failure::of_settings)?;
    if std::fs::metadata(path).is_ok_and(|about| about.is_file() && about.mode() & 0o007 != 0) {
        let shown = path.display();
        return Err(Failure::usage(format!("{shown} holds a database's URL, and everybody may read it."))
            .hint(format!("chmod o= {shown}, or set MUSTER_DATABASE instead. Who runs muster must still be able to read it.")));
    }
    Ok(())
}

fn flatten(
    path: &Path,
    above: &str,
    table: &toml::Table,
    values: &mut BTreeMap<&'static str, Vec<String>>,
    wrong: &mut Vec<String>,
) {
    for (key, value) in table {
        let key = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        let known = settings::by_key(&key);
        match (known, value) {
            (Some(setting), value) => match texts(setting, value) {
                Ok(texts) => {
                    values.insert(setting.key, texts);
                }
                Err(why) => wrong.push(format!("{key} ({}): {why}.", path.display())),
            },
            (None, toml::Value::Table(table)) if is_table(&key) => {
                flatten(path, &key, table, values, wrong);
            }
            (None, _) if settings::ALL.iter().any(|setting| setting.key == key) => {
                wrong.push(format!("{key} does not belong into a file ({}).", path.display()));
            }
            (None, _) => {
                let hint =
                    settings::nearest(&key).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                wrong.push(format!("{key} is no setting ({}){}", path.display(), or_dot(&hint)));
            }
        }
    }
}

fn or_dot(hint: &str) -> &str {
    if hint.is_empty() { "." } else { hint }
}

/// Does a known key lie below this one?
fn is_table(key: &str) -> bool {
    settings::ALL
        .iter()
        .any(|setting| setting.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
}

fn texts(setting: &Setting, value: &toml::Value) -> Result<Vec<String>, String> {
    match value {
        toml::Value::String(text) => Ok(vec![text.clone()]),
        toml::Value::Boolean(yes) if setting.kind == Kind::Switch => Ok(vec![yes.to_string()]),
        toml::Value::Array(items) if setting.kind.is_list() => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(|| "each entry must be text".to_owned()))
            .collect(),
        other => Err(format!("this must be text, not {}", other.type_str())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_with(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn given(file: &tempfile::NamedTempFile, flags: &[(&'static str, &str)]) -> Given {
        Given {
            file: Some(file.path().to_owned()),
            flags: flags.iter().map(|(key, value)| (*key, vec![(*value).to_owned()])).collect(),
        }
    }

    #[test]
    fn a_flag_is_stronger_than_the_environment_than_the_file_than_the_default() {
        let file = file_with(
            "listen = [\"127.0.0.1:1\", \"[::1]:2\"]\n[sessions]\nidle = \"1h\"\n[log]\nlevel = \"warn\"",
        );
        let environment = Environment::of([("MUSTER_SESSION_IDLE", "2h"), ("MUSTER_LOG", "debug")]);
        let config = Config::read(&given(&file, &[("log.level", "trace")]), &environment).unwrap();
        assert_eq!(config.text(&settings::LOG_LEVEL), Some("trace"));
        assert_eq!(config.value(&settings::LOG_LEVEL).unwrap().origin, Origin::Flag("log-level"));
        assert_eq!(config.span(&settings::SESSION_IDLE).as_secs(), 7_200);
        let idle = config.value(&settings::SESSION_IDLE).unwrap();
        assert_eq!(idle.origin, Origin::Variable("MUSTER_SESSION_IDLE"));
        assert_eq!(config.addresses(&settings::LISTEN).len(), 2);
        assert_eq!(config.value(&settings::LISTEN).unwrap().origin, Origin::File(file.path().to_owned()));
        assert_eq!(config.value(&settings::PACE).unwrap().origin, Origin::Default);
        assert_eq!(config.span(&settings::KEEP_EVENTS).as_secs(), 180 * 86_400);
        // An empty variable is one that is not set.
        let config =
            Config::read(&given(&file, &[]), &Environment::of([("MUSTER_SESSION_IDLE", "")])).unwrap();
        assert_eq!(config.span(&settings::SESSION_IDLE).as_secs(), 3_600);
    }

    #[test]
    fn a_key_that_is_not_known_is_an_error_that_names_the_nearest() {
        let file = file_with("listn = \"127.0.0.1:1\"\n[tls]\ncert = \"a\"\n[retention]\nevent = \"1d\"\n");
        let failure = Config::read(&given(&file, &[]), &Environment::default()).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        let said = failure.to_string();
        assert!(said.contains("did you mean listen?"), "{said}");
        assert!(said.contains("did you mean retention.events?"), "{said}");
        assert!(said.contains("tls.cert is no setting"), "{said}");
        assert!(said.contains("did you mean tls.certificate?"), "{said}");
    }

    #[test]
    fn what_is_wrong_is_said_and_no_secret_is_repeated() {
        let wrong = |text: &str| {
            let file = file_with(text);
            Config::read(&given(&file, &[]), &Environment::default()).unwrap_err().to_string()
        };
        assert!(wrong("listen = \"everywhere\"").contains("IP:PORT"));
        assert!(wrong("listen = 8088").contains("must be text, not integer"));
        assert!(wrong("key = \"0011\"").contains("does not belong into a file"));
        assert!(wrong("database = \"mysql://a:hunter2@b/c\"").contains("postgres://"));
        assert!(!wrong("database = \"mysql://a:hunter2@b/c\"").contains("hunter2"));
        assert!(!wrong("database = \"postgres://a:hunter2@b/c").contains("hunter2"));
        let far = wrong("database = \"postgres://a:hunter2@b:99999/c\"");
        assert!(far.contains("invalid port") && !far.contains("hunter2"), "{far}");
        assert!(wrong("[tls]\nkey = \"k\"").contains("needs tls.certificate"));
        let missing = Given { file: Some("/nowhere/muster.toml".into()), flags: BTreeMap::new() };
        let failure = Config::read(&missing, &Environment::default()).unwrap_err();
        assert!(failure.to_string().contains("/nowhere/muster.toml"), "{failure}");
    }

    #[test]
    fn a_file_with_a_password_in_it_is_for_its_owner() {
        use std::os::unix::fs::PermissionsExt;
        let read = |text: &str, mode: u32| {
            let file = file_with(text);
            std::fs::set_permissions(file.path(), PermissionsExt::from_mode(mode)).unwrap();
            Config::read(&given(&file, &[]), &Environment::default())
        };
        let database = "database = \"postgres://a:hunter2@b/c\"";
        assert!(read(database, 0o600).is_ok());
        for mode in [0o640, 0o604, 0o644] {
            assert_eq!(read(database, mode).unwrap_err().exit, Exit::Usage, "{mode:o}");
        }
        assert!(read("listen = \"127.0.0.1:1\"", 0o644).is_ok(), "there is nothing in it to hide");
    }

    #[test]
    fn secrets_are_never_shown() {
        let file = file_with("database = \"postgres://muster:hunter2@db.example/muster?password=hunter2\"");
        let environment = Environment::of([("MUSTER_KEY", "hunter2")]);
        let config = Config::read(&given(&file, &[]), &environment).unwrap();
        let shown: String =
            settings::ALL.iter().map(|setting| config.value(setting).unwrap().shown(setting)).collect();
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("postgres://muster:…@db.example/muster"), "{shown}");
        assert!(!format!("{environment:?} {config:?}").contains("hunter2"));
    }
}
