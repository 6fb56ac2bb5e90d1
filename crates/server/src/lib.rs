//! Muster's HTTP API: who may come in, what they may see and do, and the routes behind that.
//!
//! Read in this order: [`settings`], [`app`] (what all handlers share, and the router), `door` (what every
//! request meets first), [`guard`] (the one place that decides who may), [`caller`], [`problem`], then
//! [`routes`]. [`listen`] accepts connections; [`console`] is what browsers load.

mod again;
pub mod app;
mod audit;
pub mod caller;
pub mod console;
mod door;
pub mod extract;
pub mod guard;
pub mod licences;
pub mod listen;
mod metrics;
mod mutation;
pub mod openapi;
mod overview;
pub mod peer;
pub mod people;
pub mod problem;
pub mod routes;
pub mod settings;
mod show_as;
mod smaller;
pub mod stream;

pub use app::{App, Keeper};
pub use caller::{Caller, Via};
pub use console::Console;
pub use guard::{Gate, Here, guard};
pub use peer::Peer;
pub use problem::Problem;
pub use settings::Settings;
