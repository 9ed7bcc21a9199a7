"""Likelihood and impact, each from named parts, as arithmetic that a reader can check."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from detectors.findings import severity
from detectors.panes import Pane
from detectors.rules import Rule

MANY_ROWS = 10_000
# Work on the audit itself and reading another hospital's patients are never below medium.
FLOOR_FAMILIES = frozenset({"AUD", "TEN"})
FLOOR = 8


@dataclass(frozen=True, slots=True)
class Part:
    points: int
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Risk:
    likelihood: int
    impact: int
    approved: bool
    likelihood_parts: tuple[Part, ...]
    impact_parts: tuple[Part, ...]

    @property
    def product(self) -> int:
        return self.likelihood * self.impact

    @property
    def severity(self) -> str:
        return "low" if self.approved else severity(self.product)

    def arithmetic_zh(self) -> str:
        text = (
            f"可能性{_sum_zh(self.likelihood_parts, self.likelihood)}；影响{_sum_zh(self.impact_parts, self.impact)}；"
        )
        return (
            text + f"风险{self.likelihood}×{self.impact}={self.product}" + ("，已批准，仅记录" if self.approved else "")
        )

    def arithmetic_en(self) -> str:
        text = f"likelihood {_sum_en(self.likelihood_parts, self.likelihood)}; impact {_sum_en(self.impact_parts, self.impact)}; "
        return (
            text
            + f"risk {self.likelihood} x {self.impact} = {self.product}"
            + (", approved, recorded only" if self.approved else "")
        )


def assess(rule: Rule, total: Pane, weights: Iterable[Part] = ()) -> Risk:
    """The risk of a finding that holds the events of `total`. Every weight is a function of those events alone.

    `weights`: what a comparison with other events adds to the likelihood.
    """
    likelihood = list(weights)
    impact: list[Part] = []
    if total.unresolved and not rule.block.about_vendors:
        likelihood.append(Part(1, "厂商无工单或身份不明", "vendor without ticket, or nobody known"))
    if total.unticketed == 0:
        likelihood.append(Part(-1, "在批准的维护窗口内", "inside an approved window"))
    if total.rows_estimated:
        likelihood.append(Part(-1, "行数为估计", "rows are estimated"))
    if total.special or total.rows > MANY_ROWS:
        impact.append(Part(1, "特殊类别或超过10000行", "special category or more than 10,000 rows"))
    return weigh(rule, likelihood, impact, approved=total.unapproved == 0)


def weigh(rule: Rule, likelihood: Iterable[Part], impact: Iterable[Part], *, approved: bool) -> Risk:
    """The rule's own likelihood and impact with further parts, each kept between 1 and 5."""
    likelihood = [Part(rule.block.likelihood, "规则", "rule"), *likelihood]
    impact = [Part(rule.block.impact, "规则", "rule"), *impact]
    chance, weight = _total(likelihood), _total(impact)
    if rule.family in FLOOR_FAMILIES and chance * weight < FLOOR:
        raised = -(-FLOOR // weight)
        likelihood.append(Part(raised - chance, "此类不低于中", "never below medium in this family"))
        chance = raised
    return Risk(chance, weight, approved, tuple(likelihood), tuple(impact))


def _total(parts: list[Part]) -> int:
    return min(5, max(1, sum(part.points for part in parts)))


def _sum_zh(parts: tuple[Part, ...], total: int) -> str:
    text = "".join(f"{part.points:+d}（{part.zh}）" for part in parts).removeprefix("+")
    plain = sum(part.points for part in parts)
    return f"{text}={plain}" + ("" if plain == total else f"，{'最高' if plain > total else '最低'}{total}")


def _sum_en(parts: tuple[Part, ...], total: int) -> str:
    text = " ".join(f"{part.points:+d} ({part.en})" for part in parts).removeprefix("+")
    plain = sum(part.points for part in parts)
    return f"{text} = {plain}" + ("" if plain == total else f", at {'most' if plain > total else 'least'} {total}")
