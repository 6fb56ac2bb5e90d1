//! The server as it runs: everything opened in order, and closed in order: [`Running::start`], [`Running::until_ended`].

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fleet::{Clock, Fleet, Timings, Who};
use model::access::Grants;
use server::App;
use server::listen::Doors;
use store::{DirLock, Store};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::config::{Config, Environment, Given};
use super::datadir::{DataDir, write_private};
use super::doors::{self, Socket, Speech};
use super::keeper::Keeper;
use super::key::{KeyRing, Place};
use super::log::Log;
use super::notify::Notify;
use super::signals::{Asked, Signals};
use super::tls::Shown;
use super::{console, database, housekeeping, refusal, settings};
use crate::exit::Exit;
use crate::failure::Failure;

/// How long requests that are under way may take to end.
const REQUESTS: Duration = Duration::from_secs(2);
/// How long the fleet may take to write what it has in hand.
const FLEET: Duration = Duration::from_secs(4);
/// How long the store may take to bring it to the disk. With the other two less than the ten seconds in which the
/// server has ended.
const STORE: Duration = Duration::from_secs(3);
/// How often the files of the certificate are looked at.
const CERTIFICATE: Duration = Duration::from_secs(60);

/// What a server starts with.
#[derive(Debug)]
pub struct Start {
    /// What it is set to.
    pub config: Config,
    /// The flags it was given, to read the configuration again; none when the program itself has set everything.
    pub given: Option<Given>,
    /// What it is started in.
    pub environment: Environment,
    /// Where it keeps everything.
    pub dir: DataDir,
    /// Every interval and time-out of the fleet.
    pub timings: Timings,
    /// What time it is.
    pub clock: Clock,
    /// Its log.
    pub log: Log,
    /// Who wants to know how it fares.
    pub notify: Notify,
    /// Where the link goes that makes the first administrator.
    pub link: Link,
}

/// Where the set-up link goes while there is no administrator. It is there before anybody is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// To whoever reads the terminal: [`Running::link`].
    Terminal,
    /// Into a file in the data directory that only we may read.
    File,
    /// None is made: whoever starts the server makes the administrator.
    None,
}

/// A server that answers.
#[derive(Debug)]
pub struct Running {
    config: Config,
    given: Option<Given>,
    environment: Environment,
    log: Log,
    notify: Notify,
    fleet: Fleet,
    store: Store,
    app: App,
    doors: Vec<(SocketAddr, Speech)>,
    shown: Option<Arc<Shown>>,
    /// Was the certificate made at this start?
    pub certificate_made: bool,
    /// The set-up link, for a terminal.
    pub link: Option<api::Secret>,
    /// The file in which it stands, when it went there.
    pub link_file: Option<PathBuf>,
    /// Where the key comes from, and whether it was made at this start.
    pub key: (String, bool),
    /// The data directory has a key that was there before, and this says what has nothing yet that it might have sealed.
    pub begins_empty: Option<String>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    sockets: Vec<Socket>,
    /// Holds the data directory when the database is elsewhere.
    _lock: Option<DirLock>,
}

impl Running {
    /// Starts it: takes the directory and the addresses first, so that a refusal has changed nothing; then key,
    /// certificate, database and fleet; answers last.
    ///
    /// # Errors
    /// Whatever cannot be had, with what to do about it.
    pub async fn start(start: Start) -> Result<Self, Failure> {
        let Start { config, given, environment, dir, timings, clock, log, notify, link } = start;
        let lock = DirLock::take(dir.path()).map_err(|e| refusal::of(&e, None))?;
        // What has set everything by itself has a flag of its own for the port.
        let flag = if given.is_some() { "--listen IP:PORT" } else { "--port PORT" };
        let listeners = doors::bind(&config, &settings::LISTEN, flag).await?;
        let metrics = doors::bind(&config, &settings::METRICS_LISTEN, "--metrics-listen IP:PORT").await?;
        let sockets = doors::sockets(&config, &environment, &dir)?;

        let mut addresses = Vec::new();
        for listener in &listeners {
            addresses.extend(listener.local_addr());
        }
        let doors: Vec<_> =
            addresses.iter().map(|address| (*address, doors::speech(&config, *address))).collect();
        let settings = server_settings(&config, &dir, &addresses)?;

        let place = database::place(&config, &dir);
        let looked = Store::look(&place).await.map_err(|e| refusal::of(&e, None))?;
        let ring = KeyRing::find(&config, &environment, &dir, looked.is_some())?;
        let begins_empty = match (&looked, ring.place == Place::File(dir.key()) && !ring.made) {
            (None, true) => Some(match &place {
                store::Place::Sqlite(_) => "no database".to_owned(),
                other => format!("{other} is empty"),
            }),
            _ => None,
        };
        let opened = match certificate(&config, &dir, &doors, clock) {
            Ok(certificate) => database::open(place, &ring, lock).await.map(|opened| (certificate, opened)),
            Err(failure) => Err(failure),
        };
        let ((shown, certificate_made), (store, lock)) = opened.inspect_err(|_| ring.unmake())?;

        let key = (ring.place.to_string(), ring.made);
        let keeper = Keeper::new(store.clone(), ring);

        let who = if store.is_shared() { who(&config, &dir, &doors)? } else { Who::nameless() };
        let fleet = Fleet::open_as(timings, clock, seed(), store.clone(), who)
            .await
            .map_err(|e| Failure::new(Exit::Failed, format!("The fleet cannot be restored: {e}.")))?;
        // Who else uses the database is known by now.
        keeper.finish(fleet.processes().iter().any(|one| one.alive && !one.this)).await?;
        let app = App::new(fleet.clone(), store.clone(), settings, clock)
            .await
            .map_err(|e| Failure::new(Exit::Failed, format!("The API cannot start: {}", e.sentence())))?
            .keeper(Arc::new(keeper))
            .console(console::built_in());
        let (link, link_file) = setup(&app, &dir, link).await?;

        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let mut running = Self {
            given,
            environment,
            log,
            fleet,
            store,
            app,
            doors,
            certificate_made,
            link,
            link_file,
            key,
            begins_empty,
            stop,
            sockets: Vec::new(),
            _lock: lock,
            tasks: JoinSet::new(),
            shown,
            notify,
            config,
        };
        let open = Doors::new(&running.app, stopped.clone());
        for (listener, (_, speech)) in listeners.into_iter().zip(&running.doors) {
            let tls = match (&running.shown, speech) {
                (Some(shown), Speech::Tls) => Some(shown.server_config()?),
                _ => None,
            };
            tasks.spawn(open.clone().tcp(listener, tls));
        }
        for listener in metrics {
            tasks.spawn(open.clone().metrics(listener, None));
        }
        for (socket, listener) in sockets {
            tasks.spawn(open.clone().unix(listener));
            running.sockets.push(socket);
        }
        let pace = housekeeping::Pace::of(running.config.text(&settings::PACE) == Some("test"));
        let kept = retention(&running.config);
        tasks.spawn(housekeeping::run(running.app.clone(), kept, pace, clock, stopped.clone()));
        if let Some(file) = running.link_file.clone() {
            tasks.spawn(remove_when_done(file, running.app.governed(), stopped));
        }
        running.tasks = tasks;
        running.notify.ready(&format!("serving {}", running.urls().join(" ")));
        Ok(running)
    }

    /// The fleet.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Makes the administrator, unless there is one.
    ///
    /// # Errors
    /// It cannot be recorded.
    pub async fn administrator(&self, name: &str, password: &str) -> Result<(), Failure> {
        if !self.app.needs_setup() {
            return Ok(());
        }
        self.app.add_user(name, &api::Secret::from(password), Grants::administrator()).await.map_err(|e| {
            Failure::new(Exit::Failed, format!("The administrator cannot be made: {}", e.sentence()))
        })
    }

    /// The API over it.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The installation's id.
    pub fn instance(&self) -> &str {
        self.store.instance()
    }

    /// Where it listens.
    pub fn urls(&self) -> Vec<String> {
        self.doors.iter().map(|(address, speech)| format!("{}://{address}", speech.scheme())).collect()
    }

    /// Where it is reached, when that was said to be elsewhere.
    pub fn public_url(&self) -> Option<&str> {
        self.config.text(&settings::PUBLIC_URL)
    }

    /// Addresses where others can read along.
    pub fn insecure(&self) -> Vec<SocketAddr> {
        self.doors.iter().filter(|(_, s)| *s == Speech::Insecure).map(|(address, _)| *address).collect()
    }

    /// The fingerprint of the certificate that is shown, where one is.
    pub fn fingerprint(&self) -> Option<String> {
        self.shown.as_ref().map(|shown| shown.fingerprint())
    }

    /// Runs until it is told to end, and ends.
    ///
    /// # Errors
    /// None that would be news: what could not be written is in the log.
    pub async fn until_ended(self, mut signals: Signals) -> Result<Exit, Failure> {
        let mut heartbeat = self.notify.heartbeat().map(tokio::time::interval);
        let mut certificate = tokio::time::interval(CERTIFICATE);
        loop {
            let beat = async {
                match &mut heartbeat {
                    Some(interval) => drop(interval.tick().await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                asked = signals.next() => match asked {
                    Asked::End => break,
                    Asked::Reload => self.reload(),
                },
                () = beat => self.notify.alive(),
                _ = certificate.tick() => self.renew(false),
            }
        }
        tracing::info!("ending");
        tokio::select! {
            () = self.stop() => {}
            // Whoever presses Ctrl-C twice does not want to wait; what is durable is on the disk already.
            () = signals.end() => tracing::warn!("ended at once, as asked"),
        }
        Ok(Exit::Done)
    }

    fn reload(&self) {
        self.notify.reloading();
        if let Some(given) = &self.given {
            match Config::read(given, &self.environment) {
                Ok(new) => {
                    tracing::info!("the configuration was read again");
                    self.log.follow(&new);
                    for setting in self.config.differing(&new) {
                        tracing::warn!("{} has changed; that needs a restart", setting.key);
                    }
                }
                Err(failure) => {
                    tracing::error!("the configuration is not read again: {}", one_line(&failure))
                }
            }
        }
        self.renew(true);
        self.notify.ready(&format!("serving {}", self.urls().join(" ")));
    }

    fn renew(&self, always: bool) {
        let Some(shown) = self.shown.as_ref().filter(|shown| always || shown.is_outdated()) else { return };
        match shown.reload() {
            Ok(true) => {
                tracing::info!(sha256 = shown.fingerprint(), "another certificate is shown from now on")
            }
            Ok(false) if always => tracing::info!("the certificate was read again, and is the same"),
            Ok(false) => {}
            Err(failure) => {
                tracing::error!("the certificate stays as it was: {}", one_line(&failure));
            }
        }
    }

    /// Ends it: answers no more, lets requests finish, writes what is in hand, closes the database.
    pub async fn stop(mut self) {
        self.notify.stopping();
        // While we still listen there: once we do not, another server may have made its own in the same place.
        self.sockets.clear();
        let _ = self.stop.send(true);
        self.app.close();
        let requests = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(REQUESTS, requests).await.is_err() {
            tracing::info!("requests that were still under way are cut");
            self.tasks.abort_all();
        }
        if tokio::time::timeout(FLEET, self.fleet.stop()).await.is_err() {
            tracing::warn!(
                "the fleet has not ended in time; operations that are open are taken up again at the next start"
            );
        }
        if tokio::time::timeout(STORE, self.store.close()).await.is_err() {
            tracing::warn!("the database was not closed in time; what was committed is safe");
        }
        tracing::info!("ended");
    }
}

fn one_line(failure: &Failure) -> String {
    failure.to_string().replace('\n', " ")
}

/// Makes the set-up link, while there is no administrator. One that was left in a file has done its work otherwise.
async fn setup(
    app: &App,
    dir: &DataDir,
    wanted: Link,
) -> Result<(Option<api::Secret>, Option<PathBuf>), Failure> {
    let file = dir.setup_link();
    let link = match wanted {
        Link::None => None,
        _ => app.setup_link().await.map_err(|e| {
            Failure::new(Exit::Failed, format!("A set-up link cannot be made: {}", e.sentence()))
        })?,
    };
    match link {
        Some(link) if wanted == Link::File => {
            let text = zeroize::Zeroizing::new(format!("{}\n", link.url.reveal()));
            write_private(&file, text.as_bytes()).map_err(|e| {
                Failure::new(Exit::Failed, format!("{} cannot be written: {e}.", file.display()))
            })?;
            Ok((None, Some(file)))
        }
        link => {
            let _ = std::fs::remove_file(&file);
            Ok((link.map(|link| link.url), None))
        }
    }
}

/// The link in the file works once: with the first administrator it goes.
async fn remove_when_done(
    file: PathBuf,
    mut governed: watch::Receiver<bool>,
    mut stopped: watch::Receiver<bool>,
) {
    tokio::select! {
        made = governed.wait_for(|made| *made) => if made.is_ok() {
            let _ = std::fs::remove_file(&file);
        },
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
}

/// How this process introduces itself to others that use the same database.
fn who(config: &Config, dir: &DataDir, doors: &[(SocketAddr, Speech)]) -> Result<Who, Failure> {
    let home = dir.home()?;
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let at = |(address, speech): &(SocketAddr, Speech)| {
        if address.ip().is_unspecified() {
            format!("{}://{machine}:{}", speech.scheme(), address.port())
        } else {
            format!("{}://{address}", speech.scheme())
        }
    };
    let public = config.text(&settings::PUBLIC_URL).map(|url| url.trim_end_matches('/').to_owned());
    // Two on one machine are told apart.
    let name = format!("{machine}-{}", home.get(..4).unwrap_or(&home));
    Ok(Who { address: public.or_else(|| doors.first().map(at)), name, home })
}

/// What jitters starts differently each time.
fn seed() -> u64 {
    rand::random()
}

fn certificate(
    config: &Config,
    dir: &DataDir,
    doors: &[(SocketAddr, Speech)],
    clock: Clock,
) -> Result<(Option<Arc<Shown>>, bool), Failure> {
    if !doors.iter().any(|(_, speech)| *speech == Speech::Tls) {
        return Ok((None, false));
    }
    if let Some((chain, key)) = given_certificate(config) {
        return Ok((Some(Arc::new(Shown::read(&chain, &key)?)), false));
    }
    let (chain, key) = dir.certificate();
    let ips: Vec<_> = doors.iter().map(|(address, _)| address.ip()).collect();
    let year = clock.now().wall.to_zoned(jiff::tz::TimeZone::UTC).year();
    let (shown, made) = Shown::own((&chain, &key), &names(config), &ips, year)?;
    Ok((Some(Arc::new(shown)), made))
}

/// The files of the certificate and its key, when somebody has given one.
pub(super) fn given_certificate(config: &Config) -> Option<(PathBuf, PathBuf)> {
    config.path(&settings::TLS_CERTIFICATE).zip(config.path(&settings::TLS_KEY))
}

/// What the server is called, this machine's name first.
fn names(config: &Config) -> Vec<String> {
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let public = config
        .text(&settings::PUBLIC_URL)
        .and_then(|url| url::Url::parse(url).ok())
        .and_then(|url| url.host_str().map(str::to_owned));
    let given = config.all(&settings::NAMES).map(str::to_owned);
    let mut names: Vec<String> = Vec::new();
    for name in std::iter::once(machine).chain(public).chain(given) {
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The settings as the API's own type has them.
fn server_settings(
    config: &Config,
    dir: &DataDir,
    addresses: &[SocketAddr],
) -> Result<server::Settings, Failure> {
    let public_url = config.text(&settings::PUBLIC_URL).and_then(|url| url.parse().ok());
    let token = config.path(&settings::METRICS_TOKEN_FILE).map(|path| metrics_token(&path)).transpose()?;
    let defaults = server::Settings::default();
    let guests = config.switch(&settings::METRICS_GUESTS);
    Ok(server::Settings {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        public_url,
        listen: addresses.to_vec(),
        names: names(config),
        trusted_proxies: config.networks(&settings::TRUSTED_PROXY),
        insecure_http: addresses.iter().any(|address| doors::speech(config, *address) == Speech::Insecure),
        metrics: server::settings::Metrics { token_sha256: token, guests, nodes: guests },
        sessions: server::settings::Sessions {
            idle: config.span(&settings::SESSION_IDLE),
            longest: config.span(&settings::SESSION_LONGEST),
            ..defaults.sessions.clone()
        },
        tls: addresses.first().is_some_and(|address| doors::speech(config, *address) == Speech::Tls),
        retention: retention(config),
        data_directory: Some(dir.path().to_owned()),
        scratch: dir.path().to_owned(),
        ..defaults
    })
}

/// The digest of the token that may read the metrics.
///
/// # Errors
/// The file cannot be read, is empty, or others may read it.
pub(super) fn metrics_token(path: &std::path::Path) -> Result<[u8; 32], Failure> {
    use sha2::{Digest, Sha256};
    let text = std::fs::read_to_string(path).map(zeroize::Zeroizing::new).map_err(|e| {
        Failure::usage(format!("The token file for metrics {} cannot be read: {e}.", path.display()))
    })?;
    crate::secrets::guard(path).map_err(Failure::of_settings)?;
    match text.trim() {
        "" => Err(Failure::usage(format!("The token file for metrics {} is empty.", path.display()))),
        token => Ok(Sha256::digest(token.as_bytes()).into()),
    }
}

/// How long each kind of record is kept.
fn retention(config: &Config) -> store::Retention {
    store::Retention {
        events: config.span(&settings::KEEP_EVENTS),
        operations: config.span(&settings::KEEP_OPERATIONS),
        drift: config.span(&settings::KEEP_DRIFT),
        audit: Some(config.span(&settings::KEEP_AUDIT)),
        ..store::Retention::default()
    }
}
