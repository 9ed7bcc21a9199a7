"""Words of messages in Chinese and English: labels, classes of data, and what each family means and asks for.

Texts of a rule (`RuleText`, from the rule's own file) go before those of its family.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Literal, Protocol

Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class RuleText:
    """Per rule; empty where the rule's file says nothing. `honest`: the innocent explanation; `next`: what to do."""

    honest_zh: str = ""
    honest_en: str = ""
    matters_zh: str = ""
    matters_en: str = ""
    next_zh: str = ""
    next_en: str = ""
    subject: tuple[str, ...] = ()  # columns in which all events of a finding are the same

    def honest(self, language: Language) -> str:
        return self.honest_zh if language == "zh" else self.honest_en

    def matters(self, language: Language) -> str:
        return self.matters_zh if language == "zh" else self.matters_en

    def next(self, language: Language) -> str:
        return self.next_zh if language == "zh" else self.next_en


Texts = Mapping[str, RuleText]  # by rule id
_TEXTS = tuple(field.name for field in fields(RuleText) if field.name != "subject")


class _Rule(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def block(self) -> object: ...
    @property
    def subject(self) -> tuple[str, ...]: ...


def rule_texts(rules: Iterable[_Rule]) -> dict[str, RuleText]:
    """The texts of compiled rules (`detectors.rules.Rule`), by rule id."""
    return {
        rule.id: RuleText(**{name: getattr(rule.block, name) for name in _TEXTS}, subject=rule.subject)
        for rule in rules
    }


SEVERITIES: dict[Language, dict[str, str]] = {
    "zh": {"low": "低", "medium": "中", "high": "高", "critical": "严重"},
    "en": {"low": "LOW", "medium": "MEDIUM", "high": "HIGH", "critical": "CRITICAL"},
}

CLASSES_ZH: dict[str, str] = {
    "identity": "身份信息",
    "contact": "联系方式",
    "clinical": "诊疗记录",
    "special": "特殊病种",
    "lab": "检验结果",
    "image": "影像资料",
    "prescription": "处方",
    "drug": "药品",
    "billing": "费用",
    "staff": "职工信息",
    "credential": "口令凭据",
    "procurement": "采购信息",
    "public_health": "公共卫生",
    "audit": "审计日志",
}

LABELS: dict[Language, dict[str, str]] = {
    "zh": {
        "who": "谁",
        "account": "账号",
        "vendor": "厂商",
        "service": "服务",
        "owner": "数据库属主",
        "unknown_person": "账号未对应到登记的人员",
        "no_account": "日志未记录账号",
        "from": "来自",
        "first": "{}（首个事件）",
        "where": "何处",
        "source": "日志来源",
        "when": "何时",
        "until": "至",
        "what": "对象",
        "how_much": "多少",
        "rows": "行",
        "rows_estimated": "行（估算）",
        "rows_unknown": "行数日志未记录（不等于没有）",
        "events": "条记录",
        "classes": "数据类别",
        "why": "依据",
        "matters": "为何重要",
        "honest": "可能的正当解释",
        "next": "下一步",
        "also": "同一事件的其他发现",
        "more": "另有 {} 项未列出",
        "summary": "汇总：该事件本小时的消息已达上限，以下为累计情况",
        "risk": "风险",
        "risk_of": "可能性 {} × 影响 {} = {}",
        "id": "编号",
        "revision": "第 {} 版",
        "comma": "，",
        "colon": "：",
        "list": "、",
        "heartbeat": "hiswatch 心跳：{} 运行中",
        "test": "hiswatch 测试消息：{}。收到即表示该通道可用，无需处理。",
        "over_budget": "规则 {rule}（{title}）在 {day} 的通知已达预算 {budget} 条，当日其余发现只记录、不通知（严重级别除外）",
        "over_budget_next": "下一步：查看为何如此之多（hiswatch suppressions，或查询 findings 与 hushed）；可用 detection.budgets.{rule} 调整，或登记有期限的抑制",
    },
    "en": {
        "who": "Who",
        "account": "account",
        "vendor": "vendor",
        "service": "service",
        "owner": "owner of the database",
        "unknown_person": "the account is not assigned to a registered person",
        "no_account": "the log names no account",
        "from": "from",
        "first": "{} (of the first event)",
        "where": "Where",
        "source": "log source",
        "when": "When",
        "until": "to",
        "what": "What",
        "how_much": "How much",
        "rows": "rows",
        "rows_estimated": "rows (estimated)",
        "rows_unknown": "number of rows not told by the log (which does not mean none)",
        "events": "records",
        "classes": "data classes",
        "why": "Grounds",
        "matters": "Why it matters",
        "honest": "Honest explanation",
        "next": "What to do next",
        "also": "Other findings of this incident",
        "more": "{} more not listed",
        "summary": "Summary: this incident has used up its messages for the hour; this is the total so far",
        "risk": "Risk",
        "risk_of": "likelihood {} x impact {} = {}",
        "id": "Id",
        "revision": "revision {}",
        "comma": ", ",
        "colon": ": ",
        "list": ", ",
        "heartbeat": "hiswatch heartbeat: {} is running",
        "test": "hiswatch test message: {}. Receiving it means that this channel works; nothing to do.",
        "over_budget": "Rule {rule} ({title}) has used its budget of {budget} notified findings for {day}; further ones of that day are recorded and not told (critical ones are)",
        "over_budget_next": "Next: see why there are so many (hiswatch suppressions, or ask findings and hushed); change detection.budgets.{rule}, or suppress what is agreed for a while",
    },
}

# family -> (why it matters, what to do next)
FAMILIES: dict[Language, dict[str, tuple[str, str]]] = {
    "zh": {
        "EXF": ("患者数据可能被成批带出医院。", "联系该人员并核对工单；未获批准时先停用账号、断开会话，再查数据去向。"),
        "TF": ("按医生和药品统计处方（统方）可能被出售给药商，医院会因此受处分。", "报纪检与药学部门，核对是否有审批；保留证据，不要先告知当事人。"),
        "TIM": ("厂商在约定时间之外活动，无人监督。", "核对值班和应急工单；没有则电话确认本人，必要时断开会话。"),
        "ACC": ("账号可能被他人使用或早该停用。", "核对登记册与离职名单；不能确认的账号立即停用。"),
        "IDN": ("无法确定操作者是谁，责任不清。", "找到实际使用人，停止共用账号，一人一号。"),
        "PRV": ("权限超出工作需要，可能被用来取数或改数。", "核对授权审批；没有则收回权限并查其间操作。"),
        "AUD": ("审计被关闭或削弱，此后的操作可能不留痕迹。", "立即恢复审计配置，查明是谁、为何，并核查此后时段的其他日志。"),
        "CHG": ("生产库未经审批被改动，可能影响诊疗和账务。", "核对变更工单；没有则联系操作者，确认影响并准备回退。"),
        "TEN": ("其他医院或测试环境的数据可能被混用。", "核对授权的机构范围，停止越界查询。"),
        "XFR": ("含患者数据的文件可能已离开医院。", "确认接收方与文件内容；阻断外发并要求删除，按数据泄露预案处理。"),
        "MED": ("数据可能经移动介质或邮件带出。", "找到设备或邮件，封存并核对内容。"),
        "REC": ("有人在摸查数据在哪里，常是取数的前奏。", "确认目的与工单，关注该账号接下来的操作。"),
        "INJ": ("应用可能存在注入漏洞，正被利用。", "联系开发商核查该接口，检查应用日志并封堵来源地址。"),
        "ABU": ("患者隐私可能被无关人员查看。", "核对诊疗关系，无关则按院规处理。"),
        "VND": ("厂商管理要求未被遵守。", "联系厂商负责人说明情况，记入评价。"),
        "SRC": ("看不到日志就看不到操作，沉默本身就是线索。", "检查被审计服务器与日志传输，确认审计是否被关闭。"),
        "TMP": ("病历、价格或操作日志可能被篡改。", "与业务部门核对修改依据，保全修改前后的数据。"),
    },
    "en": {
        "EXF": ("Patient data may be leaving the hospital in bulk.", "Reach the person and check for a ticket; without approval disable the account, end its sessions, then find where the data went."),
        "TF": ("Counts of prescriptions by doctor and drug are sold to drug salesmen; hospitals are punished for it.", "Tell discipline inspection and pharmacy, check for an approval; keep the evidence and do not warn the person first."),
        "TIM": ("A vendor is at work outside the agreed hours, unsupervised.", "Check the rota and emergency tickets; without one, confirm by telephone and end the session if in doubt."),
        "ACC": ("The account may be in somebody else's hands or should have been closed.", "Check the register and the list of leavers; disable what nobody can vouch for."),
        "IDN": ("Nobody can tell who acted.", "Find the real user and give each person an account of their own."),
        "PRV": ("Rights beyond the work may be used to take or change data.", "Check the approval; without one revoke the right and review what was done with it."),
        "AUD": ("Auditing was switched off or weakened; what follows may leave no trace.", "Restore the audit settings at once, find out who and why, and review other logs of the time since."),
        "CHG": ("Production was changed without approval; care and billing may suffer.", "Check for a change ticket; without one reach the person, assess the effect and prepare to roll back."),
        "TEN": ("Data of other hospitals or of test systems may be mixed in.", "Check which institutions the account may see and stop the query."),
        "XFR": ("A file with patient data may have left the hospital.", "Confirm receiver and content; block the transfer, ask for deletion, follow the breach plan."),
        "MED": ("Data may have left on a device or by mail.", "Find the device or mail, seal it and check its content."),
        "REC": ("Somebody is finding out where the data is, often just before taking it.", "Confirm purpose and ticket; watch what the account does next."),
        "INJ": ("The application may have an injection hole that is being used.", "Have the maker check the interface, read the application's log, block the address."),
        "ABU": ("A patient's privacy may have been invaded.", "Check the care relation; without one follow the hospital's rules."),
        "VND": ("What was agreed with the vendor is not kept.", "Talk to the vendor's manager and record it for the evaluation."),
        "SRC": ("Without the log nothing is seen; silence is evidence too.", "Check the audited server and the way of the log; make sure that auditing is on."),
        "TMP": ("Records, prices or operation logs may have been tampered with.", "Ask the department for the grounds of the change and preserve both versions."),
    },
}  # fmt: skip


def label(language: Language, name: str) -> str:
    return LABELS[language][name]


def class_name(language: Language, name: str) -> str:
    return CLASSES_ZH.get(name, name) if language == "zh" else name.replace("_", " ")
