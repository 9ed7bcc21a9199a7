"""What `explain` found of a statement, in words for people: Chinese or English."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from monitor.alerts.texts import CLASSES_ZH

SLOTS = 20  # shown at most

_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "understood": "Understood", "ast": "from the syntax tree", "lexical": "by words only", "none": "not at all", "verb": "Statement",
        "reads": "Reads", "writes": "Writes", "output_classes": "Carries out", "used_classes": "Uses only", "restriction": "Narrowed to",
        "point": "one key", "set": "a list of keys", "range": "a range", "no_restriction": "nothing: every row",
        "bound": "At most rows", "destination": "Goes to", "client": "the client", "file": "a file on the server", "program": "a program",
        "table": "a table", "other_database": "another database", "aggregate": "Aggregates", "by": "by", "tongfang": "Prescriptions by doctor and drug (tongfang)",
        "tenant_missing": "Several hospitals: no tenant given", "dump_tool": "Dump tool", "dynamic": "Runs SQL held as text",
        "audit_change": "Changes the audit", "privilege_change": "Changes rights or accounts", "identity_switch": "Acts as another account",
        "dangerous": "Dangerous", "injection": "Signs of injection", "slots": "Values at", "flagged": "Would raise",
        "yes": "yes", "shape": "Shape",
    },
    "zh": {
        "understood": "理解程度", "ast": "语法树", "lexical": "仅按词法", "none": "未能理解", "verb": "语句",
        "reads": "读取", "writes": "写入", "output_classes": "带出的数据类别", "used_classes": "仅用于条件的类别", "restriction": "范围限制",
        "point": "单个键值", "set": "一组键值", "range": "一个范围", "no_restriction": "无限制：全部记录",
        "bound": "最多行数", "destination": "去向", "client": "客户端", "file": "服务器上的文件", "program": "外部程序",
        "table": "数据表", "other_database": "其他数据库", "aggregate": "汇总", "by": "按", "tongfang": "统方（按医生和药品统计处方）",
        "tenant_missing": "多院区：未限定机构", "dump_tool": "导出工具", "dynamic": "执行以文本形式存放的 SQL",
        "audit_change": "更改审计", "privilege_change": "更改权限或账号", "identity_switch": "切换为其他账号",
        "dangerous": "危险操作", "injection": "注入迹象", "slots": "取值位置", "flagged": "将触发",
        "yes": "是", "shape": "语句形态",
    },
}  # fmt: skip
_CODES: dict[str, dict[str, tuple[str, str]]] = {
    "reason": {
        "too_long": ("文本过长", "too long"), "too_many_tokens": ("词过多", "too many words"), "too_deep": ("嵌套过深", "nested too deep"),
        "joins_without_on": ("多个连接没有条件", "joins without conditions"), "too_many_statements": ("语句过多", "too many statements"),
        "too_complex": ("语法树过大", "its tree is too large"), "recursion": ("嵌套过深", "nested too deep"),
        "parse_error": ("语法无法解析", "no grammar fits"), "command": ("仅识别出命令", "only its command is known"),
        "grammar": ("由专用语法识别", "by a grammar of its own"), "empty": ("没有语句", "no statement"), "truncated": ("文本被截断", "the text is cut off"),
        "failed": ("分析出错", "its analysis failed"), "killed": ("分析超时", "its analysis took too long"), "crashed": ("分析进程崩溃", "its analysis broke down"),
        "not_logged": ("日志未记录语句", "the log does not hold it"), "overload": ("负载过高，未分析", "not analysed, too much at once"),
    },
    "dangerous": {
        "os_command": ("执行操作系统命令", "runs a command of the system"), "server_file": ("读写服务器上的文件", "touches files on the server"),
        "sql_function": ("调用可执行 SQL 的函数", "calls a function that takes SQL"), "link": ("连接其他数据库", "reaches another database"),
        "library": ("装载程序库", "loads a library"), "backup": ("备份整库", "backs up the database"),
        "unrestricted_write": ("无条件更改数据", "changes rows without a condition"), "drop": ("删除对象", "drops objects"),
        "truncate": ("清空数据表", "empties a table"), "delay": ("故意等待", "waits on purpose"),
    },
    "injection": {
        "tautology": ("恒真条件", "a condition that is always true"), "union": ("拼接的联合查询", "a union put behind"),
        "stacked": ("追加的语句", "a statement put behind"), "delay": ("探测用的等待", "a delay that probes"),
        "comment": ("注释截断", "the rest commented out"), "dictionary": ("探测数据字典", "probes the data dictionary"),
    },
    "role": {
        "patient_key": ("患者标识", "patient key"), "visit_key": ("就诊标识", "visit key"), "document_key": ("单据标识", "document key"),
        "prescriber": ("医生", "prescriber"), "drug": ("药品", "drug"), "maker": ("生产企业", "maker"), "quantity": ("数量", "quantity"),
        "money": ("金额", "money"), "date": ("日期", "date"), "tenant": ("机构", "tenant"), "key": ("编号", "key"), "pattern": ("模糊匹配", "pattern"),
        "limit": ("最多行数", "limit"), "offset": ("起始行", "offset"), "path": ("路径", "path"), "dynamic_sql": ("SQL 文本", "SQL text"),
        "value": ("值", "value"), "vip": ("重点保护", "vip"),
    },
}  # fmt: skip


class _Language:
    def __init__(self, name: str) -> None:
        self.english = name.startswith("en")
        self.words = _WORDS["en" if self.english else "zh"]

    def of(self, kind: str, code: str) -> str:
        """The word for a code; a class is called in English as it is written."""
        if code in _CODES.get(kind, {}):
            return _CODES[kind][code][self.english]
        return code if self.english else CLASSES_ZH.get(code, code)

    def line(self, key: str, text: object) -> str:
        return f"{self.words[key]}{': ' if self.english else '：'}{text}"

    def listed(self, kind: str, codes: Iterable[str]) -> str:
        return (", " if self.english else "、").join(self.of(kind, code) for code in codes)


def render(facts: Mapping[str, Any], language: str = "zh") -> str:
    """One object of `explain` for reading, in Chinese ("zh") or English ("en"). Empty answers are left out."""
    told = _Language(language)
    return "\n".join(
        [
            *_understood(facts, told), *_touched(facts, told), *_signs(facts, told),
            *(told.line("flagged", f"{item['rule']} {item['why']}") for item in facts["flagged"]), told.line("shape", facts["shape"]),
        ]
    )  # fmt: skip


def _understood(facts: Mapping[str, Any], told: _Language) -> Iterator[str]:
    reason = told.of("reason", facts["reason"])
    if reason:
        reason = f" ({reason})" if told.english else f"（{reason}）"
    yield told.line("understood", told.words[facts["understood"]] + reason)
    yield told.line("verb", facts["verb"])


def _touched(facts: Mapping[str, Any], told: _Language) -> Iterator[str]:
    for key in ("reads", "writes"):
        if facts[key]:
            yield told.line(key, ", ".join(facts[key]))
    for key in ("output_classes", "used_classes"):
        if facts[key]:
            yield told.line(key, told.listed("class", facts[key]))
    if (level := facts["restriction"]) is not None:
        yield told.line("restriction", told.words["no_restriction" if level == "none" else level])
    if facts["bound"] is not None:
        yield told.line("bound", facts["bound"])
    if facts["output_classes"] or facts["destination"] != "client":
        yield told.line("destination", told.words[facts["destination"]])
    if facts["aggregate"]:
        by = told.listed("role", facts["aggregate"]["by"])
        by = f" {told.words['by']} {by}" if by else ""
        yield told.line("aggregate", ", ".join(facts["aggregate"]["functions"]) + by)


def _signs(facts: Mapping[str, Any], told: _Language) -> Iterator[str]:
    for key in ("tongfang", "tenant_missing", "dynamic", "audit_change", "privilege_change", "identity_switch"):
        if facts[key]:
            yield told.line(key, told.words["yes"])
    if facts["dump_tool"]:
        yield told.line("dump_tool", facts["dump_tool"])
    for key in ("dangerous", "injection"):
        if facts[key]:
            yield told.line(key, told.listed(key, facts[key]))
    if facts["slots"]:
        places = (_slot(slot, told) for slot in facts["slots"][:SLOTS])
        yield told.line("slots", ", ".join(places) + (" …" if len(facts["slots"]) > SLOTS else ""))


def _slot(slot: Mapping[str, Any], told: _Language) -> str:
    """`date visit_date ×2`: what the values are, of which column, how many."""
    column = f" {slot['column']}" if slot["column"] else ""
    count = f" ×{slot['count']}" if slot["count"] != 1 else ""
    return told.of("role", slot["role"]) + column + count
