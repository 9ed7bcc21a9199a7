"""Records of the Linux audit system: fields, values, what a type of record and a system call mean.

``type=PATH msg=audit(1795236090.123:8801): item=1 name="/x" …``. A value with a blank, quote, control or non-ASCII byte is
hexadecimal without quotes, so no value can hold `` key=``. Sources: audit(8), auditd.conf(5) "log_format", Linux
kernel/audit.c (audit_log_untrustedstring), the tables of system calls of x86_64 and arm64.
"""

from __future__ import annotations

import errno

import polars as pl

from parsers.decoding import decode_series

HEAD = (
    r"^(?:node=(?<node>[^ ]+) )?type=(?<type>[A-Z0-9_]+|UNKNOWN\[[0-9]+\]) "
    r"msg=audit\((?<epoch>[0-9]{9,11})\.(?<millis>[0-9]{3}):(?<serial>[0-9]{1,20})\): ?(?<rest>.*)$"
)
UNSET = ["4294967295", "-1", "unset"]

# x86_64 (arch=c000003e) and arm64 (c00000b7): number -> name, for logs that are not enriched
_X86 = {
    2: "open", 257: "openat", 437: "openat2", 85: "creat", 82: "rename", 264: "renameat", 316: "renameat2",
    87: "unlink", 263: "unlinkat", 84: "rmdir", 83: "mkdir", 258: "mkdirat", 90: "chmod", 91: "fchmod", 268: "fchmodat",
    92: "chown", 93: "fchown", 94: "lchown", 260: "fchownat", 86: "link", 265: "linkat", 88: "symlink", 266: "symlinkat",
    59: "execve", 322: "execveat", 165: "mount", 166: "umount2", 76: "truncate", 42: "connect",
}  # fmt: skip
_ARM64 = {
    56: "openat", 437: "openat2", 38: "renameat", 276: "renameat2", 35: "unlinkat", 34: "mkdirat", 52: "fchmod",
    53: "fchmodat", 54: "fchownat", 55: "fchown", 37: "linkat", 36: "symlinkat", 221: "execve", 281: "execveat",
    40: "mount", 39: "umount2", 45: "truncate", 203: "connect",
}  # fmt: skip
_NUMBERS = {f"c000003e {number}": name for number, name in _X86.items()} | {
    f"c00000b7 {number}": name for number, name in _ARM64.items()
}
CALLS = {
    "creat": "write", "truncate": "write", "rename": "rename", "renameat": "rename", "renameat2": "rename",
    "unlink": "delete", "unlinkat": "delete", "rmdir": "rmdir", "mkdir": "mkdir", "mkdirat": "mkdir",
    "chmod": "chmod", "fchmod": "chmod", "fchmodat": "chmod", "chown": "chmod", "fchown": "chmod", "lchown": "chmod",
    "fchownat": "chmod", "link": "link", "linkat": "link", "symlink": "link", "symlinkat": "link",
    "execve": "command", "execveat": "command", "mount": "device", "umount2": "device",
}  # fmt: skip
_WRITES = 0x3 | 0o100 | 0o1000 | 0o2000  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND

# type -> action, record_role. What is not listed is a notice.
USER_TYPES = {
    "USER_LOGIN": ("login", "main"), "USER_AUTH": ("login", "part"), "USER_LOGOUT": ("logout", "main"),
    "USER_END": ("logout", "part"), "USER_CMD": ("command", "main"), "USER_ERR": ("login", "part"),
    "CONFIG_CHANGE": ("setting", "main"), "DAEMON_START": ("setting", "main"), "DAEMON_END": ("setting", "main"),
    "DAEMON_ABORT": ("setting", "main"), "DAEMON_CONFIG": ("setting", "main"),
}  # fmt: skip
STEPS = ["USER_ACCT", "USER_START", "CRED_ACQ", "CRED_DISP", "CRED_REFR", "LOGIN", "USER_ROLE_CHANGE"]
PARTS = ["CWD", "PATH", "EXECVE", "PROCTITLE", "SOCKADDR", "MMAP", "FD_PAIR", "OBJ_PID", "BPRM_FCAPS", "CAPSET"]
SYSTEM = [
    "SERVICE_START", "SYSTEM_BOOT", "SYSTEM_RUNLEVEL", "SYSTEM_SHUTDOWN", "BPF", "NETFILTER_CFG", "KERNEL", "DAEMON_ROTATE",
    "CRYPTO_KEY_USER", "CRYPTO_SESSION", "TTY",
]  # fmt: skip


def field(name: str) -> pl.Expr:
    """The first value of a key as written, quotes included: the kernel writes its own keys first."""
    return pl.col("rest").str.extract(rf"""(?:^| )(?:{name})=("[^"]*"|[^ ']*)""")


def last_field(name: str) -> pl.Expr:
    """The last value of a key: programs write the result of an act at the end."""
    return pl.col("rest").str.extract(rf"""^.* {name}=("[^"]*"|[^ ']*)""")


def plain(values: pl.Series) -> pl.Series:
    """Values out of their quotes, or out of hexadecimal; NUL between arguments is a blank."""
    quoted = values.str.starts_with('"').fill_null(value=False)
    text = values.str.strip_prefix('"').str.strip_suffix('"').replace(["(null)", "?", "(none)", "(unset)"], None)
    coded = values.str.contains("^(?:[0-9A-F]{2})+$").fill_null(value=False) & ~quoted
    if not coded.any():
        return text
    unique = values.filter(coded).unique()
    # in hexadecimal, two digits and a blank: a pattern cannot begin inside a byte
    spaced = unique.str.replace_all("(..)", "${1} ").str.replace_all("00 ", "20 ", literal=True)
    read = decode_series(spaced.str.replace_all(" ", "", literal=True).str.decode("hex"))
    return values.replace(unique, read.str.strip_chars_end(" ")).zip_with(coded, text)


def call() -> pl.Expr:
    """Name of the system call: as told (enriched), or by architecture and number."""
    told = field("SYSCALL").str.strip_chars('"')
    number = pl.concat_str(field("arch"), pl.lit(" "), field("syscall"))
    return pl.coalesce(told, number.replace_strict(_NUMBERS, default=None, return_dtype=pl.String))


def opens_for_writing() -> pl.Expr:
    """Flags of open(2) are its second argument, those of openat(2) the third, in hexadecimal; openat2 hides them."""
    flags = pl.when(pl.col("call") == "open").then(field("a1")).when(pl.col("call") == "openat").then(field("a2"))
    return (flags.str.to_integer(base=16, strict=False) & _WRITES) > 0


def error() -> pl.Expr:
    """Name of the error number that `exit` tells."""
    names = {str(-number): name for number, name in errno.errorcode.items()}
    return field("exit").replace_strict(names, default=None, return_dtype=pl.String)
