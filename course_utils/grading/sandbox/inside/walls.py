"""The walls around one kernel: a root of its own, limits, and rights that are given up."""

from __future__ import annotations

import json
import os
import resource
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from course_utils.grading.sandbox.inside import syscalls

_DEVICES = ("null", "zero", "full", "random", "urandom")
SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/localtime")
_SHARED_MEMORY = 64 << 20


@dataclass(frozen=True)
class Spec:
    """What the walls are built from.

    Attributes
    ----------
    mechanisms : tuple of str
        Which of ``"namespaces"``, ``"landlock"``, ``"seccomp"``, ``"uid"``, ``"reads"`` to use.
    folder, home, exchange : str
        The private folder; in it the kernel's own folder, and the one that the grader reads.
    visible, hidden : tuple of str
        What may be read, and what of it may not.
    uid : int
        The user to become, where ``"uid"`` is used.
    memory, processes, file_bytes, files, seconds : int
        The limits.
    connection : str
        The kernel's connection file.
    """

    mechanisms: tuple[str, ...]
    folder: str
    home: str
    exchange: str
    visible: tuple[str, ...]
    hidden: tuple[str, ...]
    uid: int
    memory: int
    processes: int
    file_bytes: int
    files: int
    seconds: int
    connection: str = ""

    def to_json(self) -> str:
        """Return the spec as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Spec:
        """Return the spec that `to_json` wrote."""
        fields: dict[str, Any] = json.loads(text)
        values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in fields.items()}
        return cls(**values)


def child(body: Callable[[], int]) -> int:
    """Fork; run `body` in the child, which ends with what it returns. Return the child's id."""
    pid = os.fork()
    if pid == 0:
        _ended_by(body)
    return pid


def _ended_by(body: Callable[[], int]) -> NoReturn:
    code = 70
    try:
        code = body()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def behind_walls(spec: Spec, body: Callable[[], int]) -> int:
    """Run `body` in a process behind the walls; return its exit code. Call this in a separate process."""
    syscalls.die_with_parent()

    def inner() -> int:
        os.setsid()
        give_up_rights(spec)
        return body()

    if "namespaces" not in spec.mechanisms:
        return _wait_for(child(inner))

    _own_namespaces()

    def first_process() -> int:
        syscalls.die_with_parent()
        _own_root(spec)
        # The namespace ends, with everything in it, as soon as its first process does.
        return _wait_for(child(inner))

    return _wait_for(child(first_process))


def _wait_for(pid: int) -> int:
    while True:
        found, status = os.wait()
        if found == pid:
            return os.waitstatus_to_exitcode(status) & 0xFF


def _own_namespaces() -> None:
    flags = syscalls.NEWNS | syscalls.NEWPID | syscalls.NEWNET | syscalls.NEWIPC | syscalls.NEWUTS
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        syscalls.unshare(flags)
        return
    syscalls.unshare(flags | syscalls.NEWUSER)
    Path("/proc/self/setgroups").write_bytes(b"deny")
    Path("/proc/self/uid_map").write_bytes(b"0 %d 1" % user)
    Path("/proc/self/gid_map").write_bytes(b"0 %d 1" % group)


def _own_root(spec: Spec) -> None:
    """Build a root that holds Python, the system's libraries and the private folder, and move there."""
    plain = syscalls.NOSUID | syscalls.NODEV
    root = f"{spec.folder}/root"
    os.makedirs(root, exist_ok=True)
    syscalls.mount(None, "/", None, syscalls.REC | syscalls.PRIVATE)
    syscalls.mount("tmpfs", root, "tmpfs", plain, "size=1m,mode=755")
    everything = [(path, True) for path in (*SYSTEM, *spec.visible)]
    everything += [(path, False) for path in spec.hidden]
    masks = []
    for path, shown in sorted(set(everything), key=lambda entry: (entry[0].count("/"), entry[0])):
        if shown:
            _show(root, path)
        elif os.path.isdir(root + path):
            syscalls.mount("tmpfs", root + path, "tmpfs", plain, "size=64k,mode=755")
            masks.append(root + path)
        elif os.path.exists(root + path):
            syscalls.mount("/dev/null", root + path, None, syscalls.BIND)
    for mask in masks:
        syscalls.restrict_mount(mask, read_only=True)
    os.makedirs(f"{root}/dev/shm")
    for name in _DEVICES:
        Path(root, "dev", name).touch()
        syscalls.mount(f"/dev/{name}", f"{root}/dev/{name}", None, syscalls.BIND)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.symlink(f"/proc/self/fd/{number}", f"{root}/dev/{name}")
    os.symlink("/proc/self/fd", f"{root}/dev/fd")
    os.mkdir(f"{root}/proc")
    syscalls.mount("proc", f"{root}/proc", "proc", plain | syscalls.NOEXEC)
    shared = f"size={_SHARED_MEMORY},nr_inodes={spec.files},mode=1777"
    syscalls.mount("tmpfs", f"{root}/dev/shm", "tmpfs", plain | syscalls.NOEXEC, shared)
    owner = f",uid={spec.uid},gid={spec.uid}" if "uid" in spec.mechanisms else ""
    os.makedirs(root + spec.home)
    own = f"size={spec.file_bytes},nr_inodes={spec.files},mode=700{owner}"
    syscalls.mount("tmpfs", root + spec.home, "tmpfs", plain, own)
    os.makedirs(root + spec.exchange)
    syscalls.mount(spec.exchange, root + spec.exchange, None, syscalls.BIND)
    syscalls.restrict_mount(root + spec.exchange, read_only=False)
    syscalls.enter_root(root)
    syscalls.mount(None, "/", None, syscalls.REMOUNT | syscalls.BIND | syscalls.RDONLY | plain)
    socket.sethostname("kernel")


def _show(root: str, path: str) -> None:
    """Show a file or folder of the machine, read-only, at the same place."""
    inside = root + path
    if os.path.lexists(inside) and os.path.islink(inside):
        return
    if os.path.islink(path):
        os.makedirs(os.path.dirname(inside), exist_ok=True)
        os.symlink(os.readlink(path), inside)
        return
    if not os.path.exists(path):
        return
    if os.path.isdir(path):
        os.makedirs(inside, exist_ok=True)
    elif not os.path.exists(inside):
        os.makedirs(os.path.dirname(inside), exist_ok=True)
        Path(inside).touch()
    syscalls.mount(path, inside, None, syscalls.BIND | syscalls.REC)
    syscalls.restrict_mount(inside, read_only=True)


def give_up_rights(spec: Spec) -> None:
    """Set the limits of this process and give up every right that the kernel does not need."""
    os.umask(0o077)
    # So that the supervisor is served first, and yet an answer is not starved by what else the machine does.
    os.setpriority(os.PRIO_PROCESS, 0, 1)
    limit_resources(spec)
    if "uid" in spec.mechanisms:
        syscalls.become(spec.uid, reads="reads" in spec.mechanisms)
    elif "namespaces" in spec.mechanisms:
        syscalls.drop_capabilities()
    if os.uname().sysname == "Linux":
        syscalls.no_new_privileges()
        syscalls.die_with_parent()
    if "landlock" in spec.mechanisms:
        devices = [f"/dev/{name}" for name in _DEVICES]
        system = (*SYSTEM, "/proc", "/sys/devices/system/cpu", "/etc/passwd", "/etc/nsswitch.conf")
        shown, hidden = ([os.path.realpath(path) for path in paths] for paths in (spec.visible, spec.hidden))
        readable = [found for path in (*system, *shown) for found in _without(path, shown, hidden)]
        syscalls.landlock(readable, [spec.home, spec.exchange, *devices])
    if "seccomp" in spec.mechanisms:
        syscalls.seccomp()


def limit_resources(spec: Spec) -> None:
    """Set the limits that hold for each process by itself; the supervisor adds up what they use together."""
    wanted = {
        "RLIMIT_CORE": 0,
        "RLIMIT_NOFILE": 512,
        "RLIMIT_FSIZE": spec.file_bytes,
        "RLIMIT_CPU": spec.seconds,
        "RLIMIT_DATA": spec.memory,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_MEMLOCK": 0,
        "RLIMIT_NICE": 0,
        # The supervisor ends everything before this is reached; until it looks, this limit holds.
        "RLIMIT_NPROC": 2 * spec.processes,
    }
    for name, value in wanted.items():
        number = getattr(resource, name, None)
        if number is not None:
            most = resource.getrlimit(number)[1]
            value = value if most == resource.RLIM_INFINITY else min(value, most)
            try:
                resource.setrlimit(number, (value, value))
            except (ValueError, OSError):
                continue


def _without(path: str, shown: Iterable[str], hidden: Iterable[str]) -> Iterator[str]:
    """Yield `path`, or what is in it if something hidden is; of two folders the inner one decides."""
    real = os.path.realpath(path)
    marks = {**dict.fromkeys(shown, False), **dict.fromkeys(hidden, True)}
    above = [mark for mark in marks if real == mark or real.startswith(f"{mark}/")]
    if above and marks[max(above, key=len)]:
        return
    if os.path.isdir(real) and any(marks[mark] and mark.startswith(f"{real}/") for mark in marks):
        for entry in os.scandir(real):
            yield from _without(entry.path, shown, hidden)
    else:
        yield path
