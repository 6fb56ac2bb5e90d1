/** Small fleets that several scenarios use. */

const ROOT = `users = [{ userid = "root@pam", password = "secret" }]`

/** One stand-alone host with a container and a virtual machine. */
export const HOST = `
[[remotes]]
name = "home"
version = "9.2"
nodes = [{ name = "pve" }]
${ROOT}
guests = [
  { vmid = 101, kind = "ct", name = "dns", node = "pve", running = true, ha = true, tags = ["infra"] },
  { vmid = 102, kind = "vm", name = "desk", node = "pve", running = false },
]
`

/** A cluster of three nodes with a guest on each. */
export const CLUSTER = `
[[remotes]]
name = "rack"
version = "9.2"
cluster = "rack"
nodes = [{ name = "pve1" }, { name = "pve2" }, { name = "pve3" }]
${ROOT}
guests = [
  { vmid = 101, kind = "ct", name = "one", node = "pve1", running = true },
  { vmid = 102, kind = "ct", name = "two", node = "pve2", running = true },
  { vmid = 103, kind = "vm", name = "three", node = "pve3", running = false },
]
`
