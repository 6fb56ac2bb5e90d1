//! Facts about the Proxmox VE API, by version: endpoints, parameters, returns, privileges.
