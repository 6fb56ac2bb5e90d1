//! Everything that touches a person's terminal: safe text, tables, questions.

pub mod ask;
pub mod shell;
pub mod table;
pub mod text;
