//! Storages: what lies on one.

use crate::decode::reply;

reply! {
    /// One row of `GET /nodes/{node}/storage/{storage}/content`.
    pub struct Volume {
        /// `local:backup/vzdump-lxc-133-2026_11_21-23_37_27.tar.gz`.
        pub volid: String = "volid",
        /// `images`, `rootdir`, `backup`, `iso`, `vztmpl`, `snippets`, `import`…
        pub content: Option<String> = "content",
        /// `raw`, `qcow2`, `subvol`, `tgz`, `tar.zst`, `pbs-vm`…
        pub format: Option<String> = "format",
        /// Its size, in bytes.
        pub size: Option<u64> = "size",
        /// What it takes up, in bytes, where that is known and another figure.
        pub used: Option<u64> = "used",
        /// The guest that it belongs to.
        pub vmid: Option<u32> = "vmid",
        /// When it was made: Unix time in seconds.
        pub ctime: Option<i64> = "ctime",
        /// `lxc` or `qemu`, of a backup.
        pub subtype: Option<String> = "subtype",
        /// The volume that it was cloned from.
        pub parent: Option<String> = "parent",
        /// What somebody wrote about it.
        pub notes: Option<String> = "notes",
        /// Whether it is kept from being removed.
        pub protected: Option<bool> = "protected",
    }
}
