//! The live table: what is on the screen ([`picture`]), what the person does there ([`ui`]), how it is drawn
//! ([`draw`]), and the loop that connects them with a fleet ([`run`]).

pub mod draw;
#[cfg(test)]
mod draw_tests;
pub mod lines;
pub mod picture;
pub mod run;
pub mod ui;
