/** The fleet in the pictures: a cluster, a host, an older one, and one that sends odd types. */
export const DEMO = `
seed = 7

[[remotes]]
name = "rack"
version = "9.2"
cluster = "rack"
nodes = [{ name = "rack1" }, { name = "rack2" }, { name = "rack3" }]
fill = { count = 42, ha = 4 }
storages = [{ name = "vault", type = "nfs", content = "images,backup", shared = true, total = 8796093022208, used = 7700000000000 }]
users = [{ userid = "root@pam", password = "secret" }]

[[remotes]]
name = "attic"
version = "8.4"
nodes = [{ name = "attic" }]
fill = { count = 12 }
users = [{ userid = "root@pam", password = "secret" }]

[[remotes]]
name = "cellar"
version = "7.4"
nodes = [{ name = "cellar" }]
fill = { count = 8 }
users = [{ userid = "root@pam", password = "secret" }]

[[remotes]]
name = "oddball"
version = "9.2"
nodes = [{ name = "odd" }]
odd_types = true
fill = { count = 10 }
users = [{ userid = "root@pam", password = "secret" }]
`
