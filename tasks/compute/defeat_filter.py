"""The defeat filter (战败过滤): every filing is true, quasi or false, with the evidence that decided.

The rules and their order are data (models/catalogue/filter_rules.toml); this module finds out which of them hold.
Sources: domain.md section 7 (strength of evidence) and section 14 (decisions).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.catalogue.filter_rules import FilterRules
from models.catalogue.reasons import excluded_codes
from tasks.compute.days import days_between, month_of
from tasks.compute.evidence import evidence_json
from tasks.compute.identity import lead_evidence, phones, sales_evidence
from tasks.compute.known import Tables
from tasks.compute.loss import stage, used_reason
from tasks.compute.revisits import Asked, asked_customers
from tasks.compute.text_coding import Model

Flags = npt.NDArray[np.bool_]

#: Columns of the result: those of exports.md, then what the later steps need.
DTYPES = {
    "cycle": "str",
    "lead_id": "str",
    "dealer_id": "str",
    "filed_at": "datetime64[us]",
    "verdict": "str",
    "destination": "str",
    "bought_dealer_id": "str",
    "competitor_brand": "str",
    "stage": "str",
    "declared_reason": "str",
    "confirmed_reason": "str",
    "reason": "str",
    "evidence": "str",
    "rule": "str",
    "region_id": "str",
    "consultant_id": "str",
    "series": "str",
    "source": "str",
    "filed_month": "str",
    "counted": "bool",
    "last_filing": "bool",
    "reactivated": "bool",
    "premature": "bool",
    "reviewed_at": "datetime64[us]",
    "reason_source": "str",
    "reason_phrase": "str",
    "reason_probability": "float64",
    "lacking": "str",
}

#: The evidence that can be lacking; each has a sentence ``filter.lacking.<name>``.
LACKING = ("sales", "revisits", "phones", "contacts")

_SALE_RULES = ("sale_here", "sale_elsewhere")
_REVISIT_RULES = ("bought_here", "competitor", "same_brand", "bought", "not_purchased")
_DECLARED_RULES = {
    "declared_competitor": "competitor",
    "declared_same_brand": "same_brand_other_dealer",
    "declared_not_purchased": "not_purchased",
}


@dataclass
class _Found:
    """Which rules hold for which filing, and the details of their evidence, one frame per rule."""

    holds: dict[str, Flags] = field(default_factory=dict)
    details: dict[str, pd.DataFrame] = field(default_factory=dict)

    def add(self, rule: str, holds: pd.Series, **details: pd.Series) -> None:
        self.holds[rule] = holds.fillna(False).to_numpy(dtype=bool)
        self.details[rule] = pd.DataFrame(details, index=holds.index)

    def add_evidence(self, rule: str, filings: pd.DataFrame, evidence: pd.DataFrame) -> None:
        """A rule that holds where there is evidence, which is indexed by filing."""
        self.holds[rule] = filings.index.isin(evidence.index)
        self.details[rule] = evidence.reindex(filings.index)


def judge_defeats(
    tables: Tables,
    rules: FilterRules,
    history_from: pd.Timestamp | None = None,
    texts: Model | None = None,
    asked: Asked | None = None,
) -> pd.DataFrame:
    """The verdict on every filing from ``history_from`` on (all when None), with what ``tables`` knew.

    ``tables``: lake frames cut to ``as_of`` (tasks.compute.known.as_known); ``sales`` and ``revisits`` may be empty or
    absent, phones missing throughout; ``texts``: the model asked where keywords are silent; ``asked``: what
    ``asked_customers`` makes of the same tables and history, where it is known already. One row per filing, ordered by
    time of filing and lead; a lead defeated without a row in ``defeats`` is filed implicitly by its own
    ``defeated_at``. Columns (docs/architecture.md):

    - those of exports.md; ``cycle`` and ``filed_month`` are the month of filing; ``evidence`` is JSON: rule, ids and
      days of its sentence, and the evidence that was lacking (tasks.compute.evidence says it in words)
    - ``rule``: the deciding rule; ``lacking``: names of LACKING joined by ``;``
    - ``counted``: False for duplicate, invalid contact, test or fake by the used reason, which leave all rates
    - ``last_filing``: the filing by which the lead is defeated now; ``reactivated``: it was opened again afterwards
    - ``premature``: too few contacts and days, whichever rule decided
    - ``reason_source``: where the used reason comes from (confirmed, text, model, declared; missing without a reason);
      ``reason_phrase``, ``reason_probability``: the keyword or the model's probability that made it
    """
    known = asked if asked is not None else asked_customers(tables, history_from)
    filings, calls, found = known.filings, known.told, _Found()
    _other_rows(found, filings, tables, rules)
    _lead_itself(found, filings, rules)
    for answer in _REVISIT_RULES:
        called_on = calls["called_at"].dt.strftime("%Y-%m-%d")
        found.add(
            f"revisit_{answer}", calls["answer"] == answer, called_on=called_on, dealer_id=calls["bought_dealer_id"]
        )
    used = used_reason(filings["reason_code"], calls["reason"], filings["reason_text"], texts)
    return _verdicts(filings, found, calls, used, _lacking(filings, tables), rules)


def defeats_of_cycle(defeats: pd.DataFrame, cycle: str) -> pd.DataFrame:
    """The filings of one month, one row per lead: its last filing in that month (the ``defeats`` of exports.md)."""
    return defeats[defeats["filed_month"] == cycle].drop_duplicates("lead_id", keep="last")


def lacking_evidence(defeats: pd.DataFrame) -> dict[str, int]:
    """How many of the judged filings lacked which evidence, without the kinds that never lacked; keys of LACKING."""
    rows = defeats["lacking"].value_counts()
    count = {name: sum(int(n) for text, n in rows.items() if name in str(text).split(";")) for name in LACKING}
    return {name: filings for name, filings in count.items() if filings}


def _other_rows(found: _Found, filings: pd.DataFrame, tables: Tables, rules: FilterRules) -> None:
    """Sales and other leads of the same customer."""
    leads, sales = tables["leads"], tables.get("sales", pd.DataFrame())
    known = phones(leads, sales, rules.identity.max_leads_per_phone)
    numbered = filings.assign(phone=known.leads[filings["lead_row"]])
    proofs = sales_evidence(numbered, sales, known.sales, rules) if len(sales) else (pd.DataFrame(), pd.DataFrame())
    for rule, sale in zip(_SALE_RULES, proofs, strict=True):
        found.add_evidence(rule, filings, sale)
    for rule, evidence in lead_evidence(numbered, leads, known.leads, rules).items():
        found.add_evidence(rule, filings, evidence)


def _lead_itself(found: _Found, filings: pd.DataFrame, rules: FilterRules) -> None:
    """What became of the lead after the filing, its contact record, and what was declared."""
    until_order = days_between(filings["filed_at"], filings["ordered_at"])
    won = (filings["status"] == "won") & (until_order <= rules.sales.days_after)
    found.add("won_here", won, days=until_order, dealer_id=filings["dealer_id"])
    until_reopened = days_between(filings["filed_at"], filings["reopened_at"])
    found.add("reactivated", filings["reactivated"] & ~(until_reopened > rules.later_lead.days_after))
    contacts = filings["contact_count"]
    age = days_between(filings["created_at"], filings["filed_at"])
    premature = (contacts <= rules.premature.max_contacts) & (age < rules.premature.min_days)
    found.add("premature", premature, contacts=contacts, days=age)
    for rule, word in _DECLARED_RULES.items():
        found.add(rule, filings["destination"] == word)
    found.add("out_of_reach", contacts >= rules.out_of_reach.min_attempts, contacts=contacts)
    found.add("nothing_known", pd.Series(True, index=filings.index))


def _lacking(filings: pd.DataFrame, tables: Tables) -> pd.Series:
    """Which evidence could not be looked at, per filing."""
    absent = {
        "sales": np.full(len(filings), not len(tables.get("sales", ()))),
        "revisits": np.full(len(filings), not len(tables.get("revisits", ()))),
        "phones": filings["phone_key"].isna().to_numpy(),
        "contacts": filings["contact_count"].isna().to_numpy(),
    }
    code = sum(absent[name].astype("int64") << place for place, name in enumerate(LACKING))
    texts = [
        ";".join(name for place, name in enumerate(LACKING) if number >> place & 1)
        for number in range(1 << len(LACKING))
    ]
    return _words(texts, np.asarray(code))


def _verdicts(
    filings: pd.DataFrame,
    found: _Found,
    calls: pd.DataFrame,
    used: pd.DataFrame,
    lacking: pd.Series,
    rules: FilterRules,
) -> pd.DataFrame:
    deciding = np.column_stack([found.holds[decision.rule] for decision in rules.precedence]).argmax(axis=1)
    rule = _words([decision.rule for decision in rules.precedence], deciding)
    destination = _destination(filings["destination"], deciding, rules)
    told = calls["bought_brand"].where(calls["answer"] == "competitor")
    month = month_of(filings["filed_at"])
    result = filings.assign(
        cycle=month,
        filed_month=month,
        verdict=_words([decision.verdict.value for decision in rules.precedence], deciding),
        rule=rule,
        destination=destination,
        bought_dealer_id=_bought_at(filings, found, rule),
        competitor_brand=told.fillna(filings["competitor_brand"]).where(destination == "competitor"),
        stage=stage(filings, rules),
        declared_reason=filings["reason_code"],
        confirmed_reason=calls["reason"],
        counted=~used["reason"].isin(excluded_codes()),
        last_filing=filings["last_filing"] & (filings["status"] == "defeated"),
        premature=found.holds["premature"],
        lacking=lacking,
        evidence=evidence_json(rule, found.details, lacking),
        **used,
    )
    return result[list(DTYPES)].astype(DTYPES)


def _words(words: list[str], numbers: npt.NDArray[np.intp]) -> pd.Series:
    return pd.Series(np.array(words, dtype=object)[numbers], dtype="str")


def _destination(declared: pd.Series, deciding: npt.NDArray[np.intp], rules: FilterRules) -> pd.Series:
    """What the deciding rule says; a declared destination stands where that rule keeps it."""
    says = _words(
        [decision.destination.value if decision.destination else "" for decision in rules.precedence], deciding
    )
    keeps = pd.Series(False, index=declared.index)
    for place, decision in enumerate(rules.precedence):
        if decision.keeps:
            keeps |= (deciding == place) & declared.isin([word.value for word in decision.keeps])
    says = says.mask(keeps, declared)
    return says.where(says != "")


def _bought_at(filings: pd.DataFrame, found: _Found, rule: pd.Series) -> pd.Series:
    """The dealer where a sale, an order or the revisit proves the purchase."""
    bought = pd.Series(None, index=filings.index, dtype="str")
    for name in ("sale_here", "won_here", "sale_elsewhere", "revisit_same_brand", "sister_won"):
        if "dealer_id" in found.details[name]:
            bought = bought.mask(rule == name, found.details[name]["dealer_id"])
    return bought
