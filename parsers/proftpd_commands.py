"""Commands of FTP as proftpd names them in its ExtendedLog: what they do, and those that carry and change nothing."""

from __future__ import annotations

ACTIONS = {
    **dict.fromkeys(["STOR", "APPE", "STOU"], "upload"),
    "RETR": "download",
    **dict.fromkeys(["USER", "PASS"], "login"),
    **dict.fromkeys(["RNFR", "RNTO"], "rename"),
    **dict.fromkeys(["LIST", "NLST", "MLSD", "STAT"], "list"),
    **dict.fromkeys(["MKD", "XMKD"], "mkdir"),
    **dict.fromkeys(["RMD", "XRMD"], "rmdir"),
    **dict.fromkeys(["SITE CHMOD", "SITE CHGRP", "MFF"], "chmod"),
    **dict.fromkeys(["SITE SYMLINK", "SITE CPTO", "SITE COPY"], "link"),  # the same content under another name
    "SITE EXEC": "command",
    "DELE": "delete",
    "QUIT": "logout",
    "EXIT": "logout",
    "CONNECT": "connect",
}
LOGIN_STEPS = ("AUTH", "ADAT", "SSCN")
# fmt: off
STEPS = (
    "CWD", "XCWD", "CDUP", "XCUP", "PWD", "XPWD", "TYPE", "MODE", "STRU", "PASV", "EPSV", "PORT", "EPRT", "EPRV",
    "SYST", "FEAT", "OPTS", "HELP", "NOOP", "SIZE", "MDTM", "MLST", "REST", "RANG", "ABOR", "ALLO", "CLNT", "CSID",
    "LANG", "HOST", "PBSZ", "PROT", "CCC", "REIN", "ACCT", "SMNT", "AVBL", "HASH", "XCRC", "XMD5", "XSHA", "XSHA1",
    "XSHA256", "XSHA512", "MFMT", "MFCT", "SITE", "SITE HELP", "SITE IDLE", "SITE UMASK", "SITE UTIME", "SITE CPFR",
    "SITE MISC", "SITE GROUP", "SITE WHO",
)
SFTP = (
    "OPEN", "CLOSE", "READ", "WRITE", "REMOVE", "RENAME", "LSTAT", "FSTAT", "SETSTAT", "FSETSTAT", "OPENDIR", "READDIR",
    "MKDIR", "RMDIR", "REALPATH", "READLINK", "SYMLINK", "INIT", "LOCK", "UNLOCK", "EXTENDED", "LINK", "STATVFS",
    "FSTATVFS",
)
# fmt: on
