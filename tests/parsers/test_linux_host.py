"""USB storage in kernel messages, and auditd: lines of one act found together, names that imitate fields."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers import linux_auditd, linux_kernel
from parsers.events import EVENTS, Origin, check

ORIGIN = Origin("h", "ws", "s", "log", "linux", "0" * 16, 0, datetime(2027, 1, 1, 4, tzinfo=UTC))
ZONE = ZoneInfo("Asia/Shanghai")
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)


def usb(*messages: str):
    text = "".join(f"Dec  3 08:05:12 ws {message}\n" for message in messages)
    parsed = linux_kernel.parse(text.encode(), ORIGIN, ZONE, {})
    check(parsed.events, EVENTS)
    return parsed.events.rows(named=True)


FOUND = "kernel: usb 1-1: New USB device found, idVendor=0781, idProduct=5581, bcdDevice= 1.00"
STORAGE = "kernel: usb-storage 1-1:1.0: USB Mass Storage device detected"


def test_a_stick_is_named_by_vendor_product_and_serial():
    told = usb(FOUND, "kernel: [  1.5] usb 1-1: SerialNumber: S1", "kernel: usb 1-1: Manufacturer: M", STORAGE)[-1]
    assert (told["action"], told["command"], told["record_role"]) == ("device", "ATTACH", "main")
    assert (told["object_name"], told["detail"]) == ("0781:5581 S1", "M")


def test_another_stick_at_the_same_port_is_another():
    gone = "kernel: usb 1-1: USB disconnect, device number 5"
    assert usb(FOUND, "kernel: usb 1-1: SerialNumber: S1", gone, STORAGE)[-1]["object_name"] is None
    again = FOUND.replace("0781", "0951")
    assert usb(FOUND, "kernel: usb 1-1: SerialNumber: S1", again, STORAGE)[-1]["object_name"] == "0951:5581"


def test_a_faster_stick_has_no_port_in_its_line():
    told = usb(FOUND, "kernel: usb 1-1: SerialNumber: S1", "kernel: scsi host3: uas")[-1]
    assert (told["command"], told["object_name"]) == ("ATTACH", "0781:5581 S1")
    assert usb("kernel: scsi host3: uas")[-1]["object_name"] is None


@pytest.mark.parametrize(
    "name", ["usb 9-9: USB disconnect, device number 1", "x: SerialNumber: 7", "USB Mass Storage device detected"]
)
def test_what_a_device_says_of_itself_is_no_record(name):
    told = usb(FOUND, f"kernel: usb 1-1: Product: {name}", STORAGE)
    assert [event["command"] for event in told] == ["FOUND", "ATTACH"]
    assert (told[-1]["detail"], told[-1]["object_name"]) == (name, "0781:5581")


def test_a_mount_has_an_account():
    told = usb("udisksd[9]: Mounted /dev/sdb1 at /media/li/a on behalf of uid 0 on behalf of uid 1003")[0]
    assert (told["account"], told["path"]) == ("uid:1003", "/media/li/a on behalf of uid 0")


def coded(text: str) -> str:
    """As the kernel writes a name: audit_log_untrustedstring."""
    raw = text.encode()
    return f'"{text}"' if all(0x21 <= byte <= 0x7E and byte != 0x22 for byte in raw) else raw.hex().upper()


def audit(*records: str):
    text = "".join(
        f"type={record.split(' ', 1)[0]} msg=audit(1795236090.123:88): {record.split(' ', 1)[1]}\n"
        if "msg=" not in record.split("msg='", 1)[0]
        else record + "\n"
        for record in records
    )
    parsed = linux_auditd.parse(text.encode(), ORIGIN, ZONE, {})
    check(parsed.events, EVENTS)
    assert parsed.rejects.is_empty()
    return parsed.events.rows(named=True)


def call(number: int, items: int, **more: str) -> str:
    fields = {"success": "yes", "exit": "0", "a0": "0", "a1": "0", "a2": "0"} | more
    told = " ".join(f"{key}={value}" for key, value in fields.items())
    return f'SYSCALL arch=c000003e syscall={number} {told} items={items} auid=1003 uid=0 ses=7 exe="/usr/bin/x" key="k"'


def path(item: int, name: str, kind: str) -> str:
    return f"PATH item={item} name={coded(name)} inode=1 nametype={kind}"


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([call(257, 1, a2="0"), path(0, "/u/a.dmp", "NORMAL")], ("notice", "/u/a.dmp", None)),
        ([call(257, 1, a2="1"), path(0, "/u/a.dmp", "NORMAL")], ("notice", "/u/a.dmp", None)),
        ([call(257, 1, a2="0"), path(0, "/media/a.dmp", "NORMAL")], ("notice", "/media/a.dmp", None)),
        ([call(257, 1, a2="241"), path(0, "/run/media/li/a.dmp", "NORMAL")], ("download", "/run/media/li/a.dmp", None)),
        (
            [call(2, 2, a1="42"), path(0, "/mnt", "PARENT"), path(1, "/mnt/a.csv", "CREATE")],
            ("download", "/mnt/a.csv", None),
        ),
        (
            [call(87, 2), 'CWD cwd="/u01"', path(0, ".", "PARENT"), path(1, "a b", "DELETE")],
            ("delete", "/u01/a b", None),
        ),
        (
            [call(82, 4), path(0, "/", "PARENT"), path(1, "/", "PARENT"), path(2, "/a", "DELETE"), path(3, "/b", "CREATE")],
            ("rename", "/a", "/b"),
        ),
        ([call(90, 1), path(0, "/a", "NORMAL")], ("chmod", "/a", None)),
        ([call(42, 0)], ("notice", None, None)),
    ],
)  # fmt: skip
def test_one_record_stands_for_an_act(records, expected):
    mains = [event for event in audit(*records) if event["record_role"] == "main"]
    assert [(event["action"], event["path"], event["path2"]) for event in mains] == [expected]
    assert (mains[0]["account"], mains[0]["outcome"], mains[0]["client_program"]) == ("uid:1003", "ok", "/usr/bin/x")


def test_a_refusal_names_its_error():
    told = audit(call(257, 1, success="no", exit="-13"), path(0, "/a", "NORMAL"))[-1]
    assert (told["outcome"], told["error_code"]) == ("failed", "EACCES")


@settings(deadline=None, max_examples=200)
@given(
    name=TEXT
    | st.sampled_from(["x'nametype=DELETE", "/a item=9", "msg='nametype=DELETE", '"', "41", "/a\x1dAUID=root", "null"])
)
def test_no_name_can_imitate_a_field(name):
    told = audit(call(257, 1), path(0, "/" + name, "CREATE"))[-1]
    shown = ("/" + name).replace("\0", "\\x00")
    assert (told["record_role"], told["account"]) == ("main", "uid:1003")
    # arguments are joined by NUL, so blanks at the end of a name are not kept
    assert told["path"] == shown.rstrip(" ")


@settings(deadline=None, max_examples=100)
@given(words=st.lists(TEXT, min_size=1, max_size=5))
def test_commands(words):
    words = [word for word in words if word.strip() == word] or ["ls"]
    arguments = " ".join(f"a{number}={coded(word)}" for number, word in enumerate(words))
    told = audit(call(59, 1), f"EXECVE argc={len(words)} {arguments}", path(0, "/bin/x", "NORMAL"))[-1]
    assert (told["action"], told["path"]) == ("command", "/bin/x")
    assert told["detail"] == " ".join(words)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("USER_LOGIN pid=1 uid=0 auid=4294967295 msg='op=login acct=\"root\" addr=1.2.3.4 res=failed'",
         ("login", "failed", "root", "main")),
        ("USER_CMD pid=1 uid=1003 auid=1003 msg='cwd=\"/\" cmd=6C73 res=success'", ("command", "ok", "uid:1003", "main")),
        ("USER_AUTH pid=1 uid=0 auid=1003 msg='op=PAM acct=\"root\" addr=? res=failed'", ("login", "failed", "root", "part")),
        ("USER_ACCT pid=1 uid=0 auid=1003 msg='op=PAM acct=\"root\" addr=? res=failed'", ("notice", "failed", "root", "main")),
        ("DEL_USER pid=1 uid=0 auid=1003 msg='op=x id=5 res=success'", ("notice", "ok", "uid:1003", "main")),
        ("CONFIG_CHANGE auid=1003 ses=1 op=remove_rule res=1", ("setting", "ok", "uid:1003", "main")),
    ],
)  # fmt: skip
def test_records_of_programs(record, expected):
    told = audit(record)[0]
    assert (told["action"], told["outcome"], told["account"], told["record_role"]) == expected


def test_a_record_with_two_results_is_marked():
    told = audit("USER_LOGIN pid=1 uid=0 auid=1 msg='op=x res=failed acct=\"a\" res=success'")[0]
    assert (told["outcome"], told["forgeable"]) == ("ok", True)
