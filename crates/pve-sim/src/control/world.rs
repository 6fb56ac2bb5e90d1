//! Edits of what is behind the sockets, as the control port takes them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::door::Remote;
use crate::seam::SimTime;
use crate::topology::GuestSpec;
use crate::world::{Cluster, Health, Run, TYPES};

/// One edit: `{"do": "kill-node", "node": "pve2"}`.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
enum Edit {
    /// Switches a node off.
    KillNode { node: String },
    /// Switches a node on.
    ReviveNode { node: String },
    /// How a node answers.
    SetHealth { node: String, health: HealthWord },
    /// Whether the cluster has quorum.
    SetQuorum { quorate: bool },
    /// Ends every ticket.
    ExpireTickets {},
    /// The next task of a type fails with these words.
    FailNextTask { r#type: String, text: String },
    /// The next task of a type ends with warnings.
    WarnNextTask { r#type: String, count: u32 },
    /// The next task of a type never ends by itself.
    HangNextTask { r#type: String },
    /// Changes a guest at once and without a task.
    SetGuest {
        vmid: u32,
        running: Option<bool>,
        name: Option<String>,
        agent: Option<bool>,
        #[serde(default, deserialize_with = "given")]
        lock: Option<Option<String>>,
        #[serde(default)]
        config: BTreeMap<String, Option<String>>,
    },
    /// Puts a guest where there was none; as in a topology file.
    AddGuest { guest: GuestSpec },
    /// Takes a guest away.
    RemoveGuest { vmid: u32 },
    /// Puts a guest onto another node.
    MoveGuest { vmid: u32, node: String },
    /// Gives a field another value in every answer on these paths.
    OverrideField { path: String, pointer: String, value: Value },
    /// Takes a field out of every answer on these paths.
    RemoveField { path: String, pointer: String },
    /// Takes back every override.
    ClearOverrides {},
    /// Whether the HA manager gets to a guest.
    HoldHa { vmid: u32, held: bool },
    /// Puts a guest into an HA state.
    SetHaState { vmid: u32, state: String },
    /// Gives somebody a role on a path.
    Grant { path: String, subject: String, role: String },
    /// Takes every role on a path from somebody.
    Revoke { path: String, subject: String },
    /// Sets the password of a user, or whether it can sign in.
    SetUser {
        userid: String,
        password: Option<String>,
        #[serde(default = "yes")]
        enabled: bool,
    },
}

/// The most warnings that one task gives.
const MOST_WARNINGS: u32 = 10_000;

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum HealthWord {
    Up,
    Down,
    Hung,
    ProxyDown,
    DaemonDown,
}

const fn yes() -> bool {
    true
}

/// Tells null from absent.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

/// Carries one edit out; what it gave, or why it could not be.
pub(super) fn edit(remote: &Remote, body: &[u8]) -> Result<Value, String> {
    let edit: Edit = super::read(body)?;
    remote.with_world(|world, now| carry_out(world, now, edit))?;
    Ok(json!({}))
}

fn carry_out(world: &mut Cluster, now: SimTime, edit: Edit) -> Result<(), String> {
    match edit {
        Edit::KillNode { node } => world.set_health(known(world, &node)?, Health::Down),
        Edit::ReviveNode { node } => world.set_health(known(world, &node)?, Health::Up),
        Edit::SetHealth { node, health } => {
            let health = match health {
                HealthWord::Up => Health::Up,
                HealthWord::Down => Health::Down,
                HealthWord::Hung => Health::Hung,
                HealthWord::ProxyDown => Health::ProxyDown,
                HealthWord::DaemonDown => Health::DaemonDown,
            };
            world.set_health(known(world, &node)?, health);
        }
        Edit::SetQuorum { quorate } => world.set_quorum(quorate),
        Edit::ExpireTickets {} => world.expire_tickets(now),
        Edit::FailNextTask { r#type, text } => world.fail_next_task(task_type(&r#type)?, &text),
        Edit::WarnNextTask { count, .. } if count > MOST_WARNINGS => {
            return Err(format!("count must be at most {MOST_WARNINGS}: each is a line of the task's log"));
        }
        Edit::WarnNextTask { r#type, count } => world.warn_next_task(task_type(&r#type)?, count),
        Edit::HangNextTask { r#type } => world.hang_next_task(task_type(&r#type)?),
        Edit::SetGuest { vmid, running, name, agent, lock, config } => {
            let guest = world.guest_mut(vmid).ok_or_else(|| no_guest(vmid))?;
            if let Some(running) = running {
                guest.set_run(if running { Run::Running } else { Run::Stopped }, now);
            }
            if let Some(name) = name {
                guest.set_name(&name);
            }
            if let Some(agent) = agent {
                guest.set_agent(agent);
            }
            if let Some(lock) = lock {
                guest.set_lock(lock.as_deref());
            }
            for (key, value) in config {
                guest.set_config(&key, value.as_deref());
            }
        }
        Edit::AddGuest { guest } => {
            let first = world.node_names().first().map(|name| (*name).to_owned()).unwrap_or_default();
            world.add_guest(&guest.to_input(&first)).map_err(|error| error.to_string())?;
        }
        Edit::RemoveGuest { vmid } => return done(world.remove_guest(vmid), vmid),
        Edit::MoveGuest { vmid, node } => {
            let node = known(world, &node)?.to_owned();
            return done(world.move_guest(vmid, &node), vmid);
        }
        Edit::OverrideField { path, pointer, value } => {
            world.override_field(&path, json_pointer(&pointer)?, value);
        }
        Edit::RemoveField { path, pointer } => world.remove_field(&path, json_pointer(&pointer)?),
        Edit::ClearOverrides {} => world.clear_overrides(),
        Edit::HoldHa { vmid, held } => world.hold_ha(under_ha(world, vmid)?, held),
        Edit::SetHaState { vmid, state } => world.set_ha_service_state(under_ha(world, vmid)?, &state),
        Edit::Grant { path, subject, role } => {
            if !world.has_role(&role) {
                return Err(format!("there is no role \"{role}\""));
            }
            world.grant(&path, &subject, &role);
        }
        Edit::Revoke { path, subject } => world.revoke(&path, &subject),
        Edit::SetUser { userid, password, enabled } => {
            if !world.has_user(&userid) {
                return Err(format!("there is no user \"{userid}\""));
            }
            world.set_user(&userid, password.as_deref(), enabled);
        }
    }
    Ok(())
}

fn known<'a>(world: &Cluster, node: &'a str) -> Result<&'a str, String> {
    match world.node_health(node) {
        Some(_) => Ok(node),
        None => Err(format!("\"{node}\" is not one of its nodes ({})", world.node_names().join(", "))),
    }
}

fn task_type(name: &str) -> Result<&str, String> {
    if TYPES.contains(&name) {
        return Ok(name);
    }
    Err(format!("there are no tasks of type \"{name}\", but of {}", TYPES.join(", ")))
}

fn json_pointer(text: &str) -> Result<&str, String> {
    if text.is_empty() || text.starts_with('/') {
        return Ok(text);
    }
    Err(format!("pointer \"{text}\" must be empty or begin with a slash"))
}

fn under_ha(world: &Cluster, vmid: u32) -> Result<u32, String> {
    if world.is_under_ha(vmid) { Ok(vmid) } else { Err(format!("guest {vmid} is not under HA")) }
}

fn no_guest(vmid: u32) -> String {
    format!("there is no guest {vmid}")
}

fn done(done: bool, vmid: u32) -> Result<(), String> {
    if done { Ok(()) } else { Err(no_guest(vmid)) }
}
