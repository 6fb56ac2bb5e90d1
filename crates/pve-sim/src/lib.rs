//! A Proxmox VE simulator: real TLS, real sockets, stateful guests and tasks, scripted faults.

pub mod door;
pub mod seam;
pub mod topology;
pub mod world;
