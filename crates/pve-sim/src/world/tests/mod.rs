//! Stories, told through calls.
