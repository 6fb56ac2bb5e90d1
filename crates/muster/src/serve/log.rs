//! The server's log: what happens, to standard error, in words or as JSON; what is logged can be changed while running.

use std::io;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use super::config::Config;
use super::settings;

/// The log that a server has started; empty when the process had one already, as in tests.
#[derive(Debug, Clone, Default)]
pub struct Log {
    filter: Option<reload::Handle<EnvFilter, Registry>>,
}

impl Log {
    /// Starts it.
    pub fn start(config: &Config) -> Self {
        let Some(filter) = filter(config) else { return Self::default() };
        let (layer, handle) = reload::Layer::new(filter);
        let registry = tracing_subscriber::registry().with(layer);
        let started = if config.text(&settings::LOG_FORMAT) == Some("json") {
            registry.with(fmt::layer().json().with_writer(io::stderr)).try_init()
        } else {
            registry.with(fmt::layer().with_writer(io::stderr).with_ansi(false)).try_init()
        };
        Self { filter: started.is_ok().then_some(handle) }
    }

    /// Logs from now on what the configuration says now.
    pub fn follow(&self, config: &Config) {
        if let (Some(handle), Some(filter)) = (&self.filter, filter(config)) {
            let _ = handle.reload(filter);
        }
    }
}

/// Words that say nothing about what to log have been refused when the configuration was read.
fn filter(config: &Config) -> Option<EnvFilter> {
    EnvFilter::try_new(config.text(&settings::LOG_LEVEL).unwrap_or(settings::LOG_LEVEL.default)).ok()
}
