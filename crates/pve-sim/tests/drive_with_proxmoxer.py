"""Drives a simulated host with proxmoxer, as one would a real one.

Usage: drive_with_proxmoxer.py HOST PORT CA_FILE VERSION. The host is Topology::single with a user carol@pve
who has a second factor and a token root@pam!robot. Prints "done" when everything was as it should be.
"""

import base64
import hmac
import struct
import sys
import time

from proxmoxer import ProxmoxAPI
from proxmoxer.core import AuthenticationError, ResourceException

HOST, PORT, CA_FILE, VERSION = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def totp():
    key = base64.b32decode(TOTP_SECRET)
    digest = hmac.digest(key, struct.pack(">Q", int(time.time()) // 30), "sha1")
    offset = digest[-1] & 15
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def connect(user, **how):
    return ProxmoxAPI(HOST, port=PORT, user=user, verify_ssl=CA_FILE, timeout=20, **how)


def finished(api, upid):
    node = upid.split(":")[1]
    for _ in range(200):
        status = api.nodes(node).tasks(upid).status.get()
        if status["status"] == "stopped":
            return status["exitstatus"]
        time.sleep(0.05)
    raise AssertionError(f"{upid} does not end")


def until(what, wanted):
    for _ in range(200):
        if what() == wanted:
            return
        time.sleep(0.05)
    raise AssertionError(f"{what()} instead of {wanted}")


# Password, and a wrong one.
api = connect("root@pam", password="secret-root")
try:
    connect("root@pam", password="wrong")
    raise AssertionError("a wrong password was taken")
except AuthenticationError:
    pass

# Second factor, and a wrong one. (Of a 7.4, proxmoxer does not ask for the form of it that it knows.)
if VERSION != "7.4":
    carol = connect("carol@pve", password="secret-carol", otp=totp())
    assert carol.version.get()["release"] == VERSION
    try:
        connect("carol@pve", password="secret-carol", otp="000000")
        raise AssertionError("a wrong code was taken")
    except AuthenticationError:
        pass

# Token.
robot = connect("root@pam", token_name="robot", token_value="0b75e0e2-51f5-4c4e-a6b8-5e1b0f2d5a11")
nodes = robot.nodes.get()
assert [node["node"] for node in nodes] == ["pve1"], nodes
assert nodes[0]["status"] == "online"

# Guests.
assert sorted(int(row["vmid"]) for row in api.nodes("pve1").lxc.get()) == [101, 102]
assert sorted(int(row["vmid"]) for row in api.nodes("pve1").qemu.get()) == [100, 103]
rows = api.cluster.resources.get(type="vm")
assert sorted(row["vmid"] for row in rows) == [100, 101, 102, 103], rows

# A configuration, read and changed and read again.
container = api.nodes("pve1").lxc(102)
before = container.config.get()
assert before["hostname"] == "build", before
container.config.put(description="changed by proxmoxer", memory=768, digest=before["digest"])
after = container.config.get()
assert after["description"].strip() == "changed by proxmoxer", after
assert int(after["memory"]) == 768, after
assert after["digest"] != before["digest"]
try:
    container.config.put(memory=900, digest=before["digest"])
    raise AssertionError("an old digest was taken")
except ResourceException as error:
    assert error.status_code == 500, error
try:
    container.config.put(colour="red")
    raise AssertionError("an unknown parameter was taken")
except ResourceException as error:
    assert error.status_code == 400 and "colour" in error.errors, error

# Start and stop: one of each kind, one with the token.
for guest in (container, robot.nodes("pve1").qemu(103)):
    assert finished(api, guest.status.start.post()) == "OK"
    until(lambda: guest.status.current.get()["status"], "running")
    assert finished(api, guest.status.stop.post()) == "OK"
    until(lambda: guest.status.current.get()["status"], "stopped")

print("done")
