"""The few calls to Linux that Python does not offer: namespaces, mounts, Landlock, seccomp."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
from collections.abc import Iterable
from errno import EAFNOSUPPORT, ENOSYS, EPERM

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (1 << bit for bit in (17, 26, 27, 28, 29, 30))
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)
_PDEATHSIG, _DUMPABLE, _KEEPCAPS, _SECCOMP, _CAPBSET_DROP, _SUBREAPER, _NO_NEW_PRIVS = 1, 4, 8, 22, 24, 36, 38
_READ_SEARCH = 1 << 2
_CAPABILITIES = struct.pack("=Ii", 0x20080522, 0)

# Not allowed inside: name → numbers on x86-64 and on AArch64.
_REFUSED = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "io_uring_setup": (425, 425),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "mount_setattr": (442, 442),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "open_by_handle_at": (304, 265),
    "pidfd_getfd": (438, 438),
}
# Answered as if the kernel were too old: libraries then use another way.
_ABSENT = {"memfd_create": (319, 279), "memfd_secret": (447, 447), "clone3": (435, 435)}
_SOCKET, _CLONE, _KILL = (41, 198), (56, 220), (62, 129)
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else os.fsencode(text)


def unshare(flags: int) -> None:
    """Move this process (and for `NEWPID` its next child) into new namespaces."""
    _checked(_libc.unshare(flags))


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """Call ``mount(2)``."""
    _checked(
        _libc.mount(_bytes(source), _bytes(target), _bytes(kind), ctypes.c_ulong(flags), _bytes(options))
    )


def restrict_mount(target: str, *, read_only: bool) -> None:
    """Make a mount and all below it free of set-user-id programs and devices, and read-only if asked."""
    wanted = NOSUID | NODEV | (RDONLY if read_only else 0)
    attributes = struct.pack("=QQQQ", wanted, 0, 0, 0)
    _checked(_libc.syscall(442, -100, _bytes(target), 0x8000, attributes, len(attributes)))


def enter_root(folder: str) -> None:
    """Make `folder`, a mount, the root, and put the old one out of reach."""
    os.chdir(folder)
    number = 155 if platform.machine() == "x86_64" else 41
    _checked(_libc.syscall(number, b".", b"."))
    _checked(_libc.umount2(b".", DETACH))
    os.chdir("/")


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _checked(_libc.prctl(_SUBREAPER, 1, 0, 0, 0))


def die_with_parent() -> None:
    """Have this process killed when its parent ends."""
    _checked(_libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0))


def close_memory(*, closed: bool = True) -> None:
    """Keep other processes of this user out of this process's memory; its children inherit that."""
    _checked(_libc.prctl(_DUMPABLE, 0 if closed else 1, 0, 0, 0))


def no_new_privileges() -> None:
    """Let no program that is started from here have more rights than this process."""
    _checked(_libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0))


def become(user: int, *, reads: bool) -> None:
    """Become another user and group; with `reads`, keep the right to read every file, and that alone."""
    os.setgroups([])
    os.setresgid(user, user, user)
    _checked(_libc.prctl(_KEEPCAPS, 1 if reads else 0, 0, 0, 0))
    os.setresuid(user, user, user)
    if reads:
        _checked(_libc.capset(_CAPABILITIES, struct.pack("=6I", _READ_SEARCH, _READ_SEARCH, 0, 0, 0, 0)))


def drop_capabilities() -> None:
    """Give up what user id 0 may do in a user namespace."""
    for capability in range(64):
        if _libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break
    _checked(_libc.capset(_CAPABILITIES, bytes(24)))


# ------------------------------------------------------------------------------------------- Landlock

_RULESET, _RULE, _RESTRICT = 444, 445, 446
_READ = 0b1101  # execute, read file, read directory
_FILE = 1 | 2 | 4 | 1 << 14 | 1 << 15


def landlock_version() -> int:
    """Return the version of Landlock's interface, 0 where there is none."""
    return max(_libc.syscall(_RULESET, None, ctypes.c_size_t(0), 1), 0)


def landlock(readable: Iterable[str], writable: Iterable[str]) -> None:
    """Let this process and its children open nothing but these files and folders; no TCP, no signals out."""
    version = landlock_version()
    every = (1 << (13 if version < 2 else 14 if version < 3 else 15 if version < 5 else 16)) - 1
    fields = [every] + ([3] if version >= 4 else []) + ([3] if version >= 6 else [])
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = _checked(_libc.syscall(_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0))
    for paths, access in ((readable, _READ), (writable, every)):
        for path in paths:
            try:
                handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue
            allowed = access if os.path.isdir(path) else access & _FILE
            rule = struct.pack("=Qi", allowed & every, handle)
            _checked(_libc.syscall(_RULE, ruleset, 1, rule, 0))
            os.close(handle)
    _checked(_libc.syscall(_RESTRICT, ruleset, 0))
    os.close(ruleset)


# -------------------------------------------------------------------------------------------- seccomp


def seccomp() -> None:
    """Refuse sockets other than local ones, looking into other processes, and new namespaces."""
    architecture, column = _ARCHITECTURES[platform.machine()]
    load, equal, at_least, any_bit, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, refuse = 0x7FFF0000, 0x00050000
    program: list[tuple[int, int, int, int]] = [
        (load, 0, 0, 4),
        (equal, 1, 0, architecture),
        (answer, 0, 0, refuse | EPERM),
        (load, 0, 0, 0),
        # The second table of system calls that x86-64 has (x32).
        (at_least, 0, 1, 0x40000000),
        (answer, 0, 0, refuse | ENOSYS),
    ]
    for table, error in ((_REFUSED, EPERM), (_ABSENT, ENOSYS)):
        for numbers in table.values():
            program += [(equal, 0, 1, numbers[column]), (answer, 0, 0, refuse | error)]
    program += [
        (equal, 0, 4, _SOCKET[column]),
        (load, 0, 0, 16),
        (equal, 0, 1, 1),
        (answer, 0, 0, allow),
        (answer, 0, 0, refuse | EAFNOSUPPORT),
        (equal, 0, 4, _CLONE[column]),
        (load, 0, 0, 16),
        (any_bit, 0, 1, NEWUSER | NEWNS | NEWPID | NEWNET),
        (answer, 0, 0, refuse | EPERM),
        (answer, 0, 0, allow),
        # Not every process at once.
        (equal, 0, 3, _KILL[column]),
        (load, 0, 0, 16),
        (equal, 0, 1, 0xFFFFFFFF),
        (answer, 0, 0, refuse | EPERM),
        (answer, 0, 0, allow),
    ]
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    held = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxP", len(program), ctypes.addressof(held))
    _checked(_libc.prctl(_SECCOMP, 2, header, 0, 0))
