"""Messages of the configuration in Chinese.

They are made in English where a fault is found; here stands each of them once more, with the same blanks in braces.
A message that is not listed stays English.
"""

from __future__ import annotations

import re
from functools import cache

_SUFFIX = re.compile(r"; did you mean '(?P<word>[^']*)'\?\Z")

MESSAGES: dict[str, str] = {
    # form
    "required key is missing": "缺少必填项",
    "required key 'type' is missing": "缺少必填项“type”",
    "must not be empty": "不能为空",
    "refers to itself": "引用了自身",
    "unknown key": "未知的键",
    "unknown key; known: {known}": "未知的键；可用的键：{known}",
    "expected one of {known}": "应为其中之一：{known}",
    "expected keys and values, got {given}": "应为键和值，实际是{given}",
    "expected a list, got {given}": "应为列表，实际是{given}",
    "expected text, got {given}; put it in quotes": "应为文本，实际是{given}；请加引号",
    "expected text, got {given}": "应为文本，实际是{given}",
    "expected true or false, got {given}": "应为 true 或 false，实际是{given}",
    "expected a whole number, got {given}": "应为整数，实际是{given}",
    "expected a number, got {given}": "应为数字，实际是{given}",
    "expected a date such as 2026-12-31, got {given}": "应为日期，如 2026-12-31，实际是{given}",
    "expected a time such as 2026-11-18 08:30, got {given}": "应为时间，如 2026-11-18 08:30，实际是{given}",
    "expected a file name, got {given}": "应为文件名，实际是{given}",
    "expected a number greater than {bound}": "应为大于 {bound} 的数",
    "expected a number of at least {bound}": "应为不小于 {bound} 的数",
    "expected a number less than {bound}": "应为小于 {bound} 的数",
    "expected a number of at most {bound}": "应为不大于 {bound} 的数",
    "expected a name of letters, digits, '_', '-' and '.', at most 64": "名称只能含字母、汉字、数字、“_”“-”“.”，最多 64 个字符",
    "expected a time of day such as 08:00 (24:00 is midnight at the end)": "应为时刻，如 08:00（24:00 表示当天结束的零点）",
    "expected an address or a network such as 10.20.0.0/16": "应为地址或网段，如 10.20.0.0/16",
    "host bits are set; did you mean {network}?": "网段含主机位；是否应为 {network}？",
    # YAML
    "file not found": "文件不存在",
    "is empty": "文件为空",
    "is a directory, not a file": "是文件夹，不是文件",
    "not readable: permission denied": "不可读：没有权限",
    "not UTF-8 text; save the file as UTF-8": "不是 UTF-8 文本；请另存为 UTF-8",
    "a control character; not text": "含控制字符；不是文本",
    "nested too deeply": "嵌套过深",
    "a tab; YAML is indented with spaces": "含制表符；YAML 用空格缩进",
    "a second document in the file; expected one": "文件中有第二份文档；只应有一份",
    "a tag is not allowed here; write a plain value": "此处不允许标签；请写普通值",
    "a key must be plain text": "键必须是普通文本",
    "duplicate key; first written on line {line}": "键重复；首次出现在第 {line} 行",
    "not a number": "不是数字",
    "not YAML: {why}": "不是 YAML：{why}",
    # contradictions
    "the contract ends before it starts": "合同结束日期早于开始日期",
    "ends before it starts": "结束早于开始",
    "a person has a vendor or a department, not both": "一个人只能属于厂商或科室，不能两者都写",
    "needs a vendor or a department": "须写明所属厂商（vendor）或科室（department）",
    "unknown vendor": "未知的厂商",
    "unknown person '{person}'": "未知的人员“{person}”",
    "account of system {system} also belongs to {other}; if several people use it, write shared: true at each": (
        "系统 {system} 的账号同时属于 {other}；如确由多人共用，请在每处都写 shared: true"
    ),
    "account of system {system} also belongs to {other}": "系统 {system} 的账号同时属于 {other}",
    "account is not registered in system {system}": "账号未在系统 {system} 中登记",
    "no source has the system '{system}'": "没有日志源属于系统“{system}”",
    "left out too: {message}": "因引用了被剔除的条目而一并剔除：{message}",
    "the id is taken by another ticket": "此工单号已被另一张工单使用",
    "is no ticket": "不是工单",
    # doubts
    "{count} people are valid today, the contract agrees {agreed}": "今天有效的人员有 {count} 名，合同约定 {agreed} 名",
    "the contract has no last day: its people stay valid for ever": "合同没有结束日期：其人员永久有效",
    "the contract ended on {day} and the vendor is still '{state}'": "合同已于 {day} 结束，厂商状态仍为“{state}”",
    "the contract ends on {day}": "合同将于 {day} 结束",
    "the vendor {vendor} has exited and this person is still registered as valid: give a last day": (
        "厂商 {vendor} 已退出，此人仍登记为有效：请填写最后日期"
    ),
    "the vendor {vendor} has exited and its account still runs this job": "厂商 {vendor} 已退出，其账号仍在执行此任务",
    "the qualification ended on {day}": "资质已于 {day} 到期",
    "the qualification ends on {day}": "资质将于 {day} 到期",
    "a vendor's person without an account: nothing in the logs can be known as this person's": (
        "厂商人员没有登记账号：日志中的任何操作都无法归到此人"
    ),
    "shared with {others}: what is done with it is nobody's for certain": "与 {others} 共用：用它做的事无法确定是谁所为",
    "shared: true, and nobody else has this account": "写了 shared: true，但没有其他人使用此账号",
    "no address is agreed for this account: it is allowed from anywhere": "此账号没有约定地址：从任何地方使用都算允许",
    "a service without scope: whatever its account does is not judged": "服务没有写明范围（scope）：其账号的任何操作都不作判断",
    "open for {days} days; more than {limit} is no ticket": "开放 {days} 天；超过 {limit} 天不能算工单",
    "names no objects, classes or actions: it covers anything its people do": (
        "没有写明对象、数据类别或操作：其人员做任何事都算在内"
    ),
    "nobody is named who approved it": "没有写明批准人",
    "approved by the person who does the work": "批准人就是做事的人",
    "approved by the person who asked for it": "批准人就是申请人",
    "{person} is not valid in the time of the ticket: {why}": "{person} 在工单时间内无效：{why}",
    "the vendor {vendor} has exited": "厂商 {vendor} 已退出",
    "valid from {day}": "有效期始于 {day}",
    "valid until {day}": "有效期止于 {day}",
    "the approval ended on {day}: the job covers nothing any more": "批准已于 {day} 到期：此任务不再覆盖任何操作",
    "the approval ends on {day}": "批准将于 {day} 到期",
    "a report by prescriber and drug without a requester": "按医生和药品统计的报表（统方）没有写明申请人",
    "a report by prescriber and drug without approvals and without a last day: it may run for ever": (
        "按医生和药品统计的报表（统方）既没有逐次批准也没有结束日期：可以永久运行"
    ),
}  # fmt: skip

_NESTED = ("why", "message")  # blanks that hold a message of their own
_WORDS = {
    "nothing": "空值", "true or false": "true/false", "a number": "数字", "text": "文本", "a list": "列表",
    "keys and values": "键和值",
}  # fmt: skip


def in_chinese(message: str) -> str:
    """The message in Chinese, or as it is."""
    if suffix := _SUFFIX.search(message):
        return f"{in_chinese(message[: suffix.start()])}；是否应为“{suffix['word']}”？"
    for pattern, translated in _compiled():
        if found := pattern.fullmatch(message):
            return _filled(translated, found.groupdict())
    return message


def _filled(translated: str, values: dict[str, str]) -> str:
    said = {name: in_chinese(value) if name in _NESTED else value for name, value in values.items()}
    if "given" in said:
        said["given"] = _WORDS.get(said["given"], said["given"])
    return translated.format_map(said)


@cache
def _compiled() -> list[tuple[re.Pattern[str], str]]:
    return [(_pattern(english), chinese) for english, chinese in MESSAGES.items()]


def _pattern(english: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", english)
    text = "".join(f"(?P<{part}>.*)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
    return re.compile(text, re.DOTALL)
