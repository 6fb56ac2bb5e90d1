//! Nodes: the list, the status of one, its certificates.

use crate::decode::reply;

reply! {
    /// One row of `GET /nodes`.
    pub struct NodeListRow {
        /// Its name.
        pub node: String = "node",
        /// `node/pve1`.
        pub id: Option<String> = "id",
        /// `online`, `offline` or `unknown`.
        pub status: Option<String> = "status",
        /// Processor time used, as a fraction of `maxcpu`.
        pub cpu: Option<f64> = "cpu",
        /// Processors.
        pub maxcpu: Option<f64> = "maxcpu",
        /// Memory used, in bytes.
        pub mem: Option<u64> = "mem",
        /// Memory, in bytes.
        pub maxmem: Option<u64> = "maxmem",
        /// Root file system used, in bytes.
        pub disk: Option<u64> = "disk",
        /// Size of the root file system, in bytes.
        pub maxdisk: Option<u64> = "maxdisk",
        /// Seconds since boot.
        pub uptime: Option<u64> = "uptime",
        /// Support level, empty where there is none.
        pub level: Option<String> = "level",
        /// SHA-256 of the node's certificate, as its peers know it; empty where they do not.
        pub ssl_fingerprint: Option<String> = "ssl_fingerprint",
    }

    /// `GET /nodes/{node}/status`.
    pub struct NodeStatus {
        /// Processor time used, as a fraction of all processors.
        pub cpu: Option<f64> = "cpu",
        /// Processor time spent waiting for I/O, likewise.
        pub wait: Option<f64> = "wait",
        /// Processor time not used.
        pub idle: Option<f64> = "idle",
        /// Load averages over 1, 5 and 15 minutes.
        pub loadavg: Option<Vec<Option<f64>>> = "loadavg",
        /// Seconds since boot.
        pub uptime: Option<u64> = "uptime",
        /// Processors.
        pub cpuinfo: Option<CpuInfo> = "cpuinfo",
        /// Memory.
        pub memory: Option<Memory> = "memory",
        /// Swap.
        pub swap: Option<Swap> = "swap",
        /// Root file system.
        pub rootfs: Option<Space> = "rootfs",
        /// Merging of equal memory pages.
        pub ksm: Option<Ksm> = "ksm",
        /// `pve-manager/9.2.11/14a22df35955d97d`.
        pub pveversion: Option<String> = "pveversion",
        /// The running kernel in one line.
        pub kversion: Option<String> = "kversion",
        /// The running kernel in parts.
        pub current_kernel: Option<Kernel> = "current-kernel" since (8, 0),
        /// How it was booted.
        pub boot_info: Option<BootInfo> = "boot-info" since (8, 0),
    }

    /// Processors, in [`NodeStatus`].
    pub struct CpuInfo {
        /// Model name.
        pub model: Option<String> = "model",
        /// Vendor.
        pub vendor: Option<String> = "vendor",
        /// Sockets.
        pub sockets: Option<u64> = "sockets",
        /// Cores of all sockets.
        pub cores: Option<u64> = "cores",
        /// Hardware threads.
        pub cpus: Option<u64> = "cpus",
        /// Clock in MHz.
        pub mhz: Option<f64> = "mhz",
        /// Whether it can run virtual machines in hardware.
        pub hvm: Option<bool> = "hvm",
    }

    /// Memory in [`NodeStatus`], in bytes.
    pub struct Memory {
        /// All of it.
        pub total: Option<u64> = "total",
        /// In use.
        pub used: Option<u64> = "used",
        /// Not in use.
        pub free: Option<u64> = "free",
        /// Not in use, or soon given back.
        pub available: Option<u64> = "available" since (9, 0),
    }

    /// Swap in [`NodeStatus`], in bytes.
    pub struct Swap {
        /// All of it.
        pub total: Option<u64> = "total",
        /// In use.
        pub used: Option<u64> = "used",
        /// Not in use.
        pub free: Option<u64> = "free",
    }

    /// A file system in [`NodeStatus`], in bytes.
    pub struct Space {
        /// All of it.
        pub total: Option<u64> = "total",
        /// In use.
        pub used: Option<u64> = "used",
        /// Not in use.
        pub free: Option<u64> = "free",
        /// Not in use, without what is reserved for root.
        pub avail: Option<u64> = "avail",
    }

    /// Merging of equal memory pages, in [`NodeStatus`].
    pub struct Ksm {
        /// Bytes saved.
        pub shared: Option<u64> = "shared",
    }

    /// The running kernel, in [`NodeStatus`].
    pub struct Kernel {
        /// `Linux`.
        pub sysname: Option<String> = "sysname",
        /// `6.8.12-9-pve`.
        pub release: Option<String> = "release",
        /// How and when it was built.
        pub version: Option<String> = "version",
        /// `x86_64`.
        pub machine: Option<String> = "machine",
    }

    /// How a node was booted, in [`NodeStatus`].
    pub struct BootInfo {
        /// `efi` or `legacy-bios`.
        pub mode: Option<String> = "mode",
        /// Whether secure boot is on.
        pub secureboot: Option<bool> = "secureboot",
    }

    /// One row of `GET /nodes/{node}/certificates/info`.
    pub struct CertificateInfo {
        /// `pve-root-ca.pem`, `pve-ssl.pem`, `pveproxy-ssl.pem`.
        pub filename: Option<String> = "filename",
        /// SHA-256 of the certificate, in pairs of hexadecimal digits.
        pub fingerprint: Option<String> = "fingerprint",
        /// Whom it is for.
        pub subject: Option<String> = "subject",
        /// Who signed it.
        pub issuer: Option<String> = "issuer",
        /// Valid from: Unix time in seconds.
        pub notbefore: Option<i64> = "notbefore",
        /// Valid to: Unix time in seconds.
        pub notafter: Option<i64> = "notafter",
        /// The names and addresses it is good for.
        pub san: Option<Vec<String>> = "san",
        /// The certificate itself.
        pub pem: Option<String> = "pem",
        /// `rsaEncryption`, `id-ecPublicKey`…
        pub public_key_type: Option<String> = "public-key-type",
        /// Length of the key.
        pub public_key_bits: Option<u64> = "public-key-bits",
    }
}
