"""What the columns of a hospital's lists are called: heading -> field, for each kind of list.

A heading is compared without spaces, brackets' content, letter case and full-width forms: `合同结束日期（含）` is 合同结束日期.
docs/register.md shows the tables (`config/describe.py`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

KINDS = ("vendors", "people", "accounts", "services", "tickets")

# By kind: field -> headings, the first in Chinese and the first in English are the ones that documentation shows.
HEADINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "vendors": {
        "id": ("厂商编号", "编号", "厂商代码", "供应商编号", "id", "vendor id", "code"),
        "name": ("厂商名称", "厂商", "供应商", "供应商名称", "公司", "公司名称", "单位", "单位名称", "name", "vendor", "vendor name", "company"),
        "tier": ("分级", "等级", "级别", "厂商等级", "tier", "level", "class"),
        "state": ("状态", "厂商状态", "state", "status"),
        "contract.from": ("合同开始", "合同开始日期", "合同起始日期", "签约日期", "服务开始日期", "contract from", "contract start"),
        "contract.to": ("合同结束", "合同结束日期", "合同到期", "合同到期日期", "合同截止日期", "服务结束日期", "contract to", "contract end"),
        "head_count": ("约定人数", "人数", "合同人数", "驻场人数", "服务人数", "head count", "people"),
        "places": ("地址段", "ip", "ip地址", "ip网段", "地址", "网段", "来源地址", "places", "addresses", "networks"),
        "systems": ("系统", "维护系统", "负责系统", "涉及系统", "systems", "system"),
    },
    "people": {
        "id": ("人员编号", "工号", "编号", "员工编号", "id", "person id", "employee id", "staff id"),
        "name": ("姓名", "人员姓名", "人员", "name", "person", "full name"),
        "vendor": ("所属厂商", "厂商", "厂商名称", "公司", "所属公司", "单位", "供应商", "vendor", "company"),
        "department": ("科室", "部门", "所在科室", "department", "dept"),
        "valid.from": ("入场日期", "开始日期", "进场日期", "入职日期", "有效期起", "valid from", "from", "start"),
        "valid.to": ("离场日期", "结束日期", "退场日期", "离职日期", "有效期至", "有效期止", "valid to", "to", "end"),
        "qualification_until": ("资质有效期", "资质到期", "资质到期日期", "资质有效期至", "证书有效期", "qualification until", "qualification expiry", "certificate expiry"),
        "places": ("ip地址", "地址", "ip", "来源地址", "终端地址", "places", "addresses", "address"),
        "account": ("账号", "帐号", "用户名", "登录名", "账户", "account", "login", "user"),
        "system": ("系统", "账号系统", "数据库", "system", "systems", "database"),
    },
    "accounts": {
        "account": ("账号", "帐号", "用户名", "登录名", "账户", "account", "login", "user"),
        "system": ("系统", "数据库", "服务器", "system", "systems", "database"),
        "owner": ("使用人", "责任人", "姓名", "人员", "工号", "人员编号", "服务", "person", "owner", "service", "name"),
        "places": ("ip地址", "地址", "ip", "来源地址", "from", "addresses", "address", "places"),
        "shared": ("共用", "是否共用", "共享账号", "是否共享", "shared"),
        "superuser": ("超级用户", "是否超级用户", "管理员权限", "超级权限", "superuser"),
    },
    "services": {
        "id": ("服务编号", "编号", "id", "service id"),
        "name": ("服务名称", "服务", "名称", "接口名称", "程序名称", "name", "service"),
        "account": ("账号", "帐号", "用户名", "登录名", "账户", "account", "login", "user"),
        "system": ("系统", "数据库", "system", "systems", "database"),
        "places": ("ip地址", "地址", "ip", "服务器地址", "部署地址", "places", "hosts", "addresses", "address"),
        "scope.programs": ("客户端程序", "程序", "programs", "client programs"),
        "scope.actions": ("允许操作", "操作", "操作类型", "actions"),
        "scope.classes": ("数据类别", "数据类型", "classes", "data classes"),
        "scope.objects": ("对象", "表", "涉及表", "涉及对象", "objects", "tables"),
    },
    "tickets": {
        "id": ("工单号", "工单编号", "编号", "单号", "申请单号", "id", "ticket", "ticket id", "number"),
        "person": ("实施人", "人员", "姓名", "操作人", "执行人", "实施人员", "工号", "person", "people", "assignee", "engineer"),
        "system": ("系统", "涉及系统", "数据库", "system", "systems", "database"),
        "from": ("开始时间", "计划开始", "计划开始时间", "开始", "from", "start", "start time", "planned start"),
        "to": ("结束时间", "计划结束", "计划结束时间", "结束", "to", "end", "end time", "planned end"),
        "objects": ("对象", "涉及表", "涉及对象", "表", "objects", "tables"),
        "classes": ("数据类别", "数据类型", "classes", "data classes"),
        "actions": ("操作", "操作类型", "允许操作", "actions"),
        "requester": ("申请人", "提出人", "requester", "requested by"),
        "approver": ("审批人", "批准人", "审核人", "approver", "approved by"),
        "note": ("事由", "说明", "内容", "工作内容", "备注", "note", "description", "reason"),
    },
}  # fmt: skip
REQUIRED: dict[str, tuple[str, ...]] = {
    "vendors": ("name",),
    "people": ("name",),
    "accounts": ("account", "system", "owner"),
    "services": ("name", "account", "system"),
    "tickets": ("id", "person", "from", "to"),
}
SHEETS: dict[str, tuple[str, ...]] = {
    "vendors": ("厂商", "供应商", "公司", "vendors", "vendor"),
    "people": ("人员", "厂商人员", "员工", "职工", "花名册", "people", "staff", "persons"),
    "accounts": ("账号", "帐号", "账户", "accounts"),
    "services": ("服务", "接口", "服务账号", "services"),
    "tickets": ("工单", "运维工单", "变更单", "tickets"),
}

DATA_CLASSES = {
    "身份": "identity", "联系方式": "contact", "临床": "clinical", "病历": "clinical", "特殊": "special", "检验": "lab", "影像": "image",
    "处方": "prescription", "药品": "drug", "收费": "billing", "费用": "billing", "职工": "staff", "密码": "credential",
    "采购": "procurement", "公共卫生": "public_health", "审计": "audit",
}  # fmt: skip
ACTIONS = {
    "读取": "read", "查询": "read", "写入": "write", "修改": "write", "结构变更": "schema", "建表": "schema", "授权": "privilege",
    "权限": "privilege", "审计": "audit", "导出": "export", "其他": "other", "上传": "upload", "下载": "download", "列目录": "list",
    "删除": "delete", "改名": "rename", "目录": "folder", "文件权限": "permission", "命令": "command",
}  # fmt: skip
TIERS = {
    "一级": "A", "二级": "B", "三级": "C", "甲": "A", "乙": "B", "丙": "C", "核心": "A", "重要": "B", "一般": "C", "a级": "A", "b级": "B",
    "c级": "C", "a类": "A", "b类": "B", "c类": "C",
}  # fmt: skip
STATES = {
    "在用": "active", "有效": "active", "履约中": "active", "服务中": "active", "退出中": "exiting", "即将退出": "exiting", "交接中": "exiting",
    "已退出": "exited", "终止": "exited", "已终止": "exited", "停用": "exited",
}  # fmt: skip
YES = frozenset({"是", "有", "y", "yes", "true", "1", "共用", "√", "✓"})
NO = frozenset({"否", "无", "n", "no", "false", "0", "×", "x"})

_BRACKETS = re.compile(r"[(\[【〔][^)\]】〕]*[)\]】〕]")


def folded(text: str) -> str:
    """A heading or a word as it is compared: full width to half, lower case, without spaces, `_`, `*` and brackets."""
    plain = unicodedata.normalize("NFKC", text).lower()
    return re.sub(r"[\s_*:#]+", "", _BRACKETS.sub("", plain))


def fields_of(kind: str, headings: Mapping[int, str]) -> dict[int, str]:
    """Column -> field for the headings that this kind of list knows; of two columns for one field the first."""
    known = {folded(name): field for field, names in HEADINGS[kind].items() for name in reversed(names)}
    found: dict[int, str] = {}
    for column, heading in headings.items():
        field = known.get(folded(heading))
        if field is not None and field not in found.values():
            found[column] = field
    return found


def kind_of(headings: Mapping[int, str], sheet: str = "") -> str | None:
    """The kind of list: what the sheet is called, else what most headings fit and nothing required is missing."""
    for kind, names in SHEETS.items():
        if folded(sheet) in {folded(name) for name in names}:
            return kind
    fitting = {
        kind: len(found)
        for kind in KINDS
        for found in [fields_of(kind, headings)]
        if set(REQUIRED[kind]) <= set(found.values())
    }
    best = max(fitting.values(), default=0)
    chosen = [kind for kind, count in fitting.items() if count == best]
    return chosen[0] if len(chosen) == 1 else None
