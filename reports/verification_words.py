"""What became of earlier measures, as a sales manager reads it; why a measure is proposed (section 10)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from models.catalogue.follow_ups import STEPS, follow_ups
from models.catalogue.indicators import indicators
from models.catalogue.playbook import REASON_PREFIX
from models.enums import EffectVerdict, ExecutionState, Role
from models.lifecycle import TOO_EARLY
from models.messages import text
from models.schemas import Measure
from reports.verdicts import because, execution, notes, practice_sentence, sentence
from reports.verification_figures import DealerVerification, LookFacts, Row
from reports.words import Words

VERDICT = "judge.verdict."
_IN_BRACKETS = re.compile(r"\s*[（(].*$")  # sentences put what is counted into brackets themselves


@dataclass(frozen=True)
class LookView:
    """A look at an earlier measure: its verdict in a word and in a sentence, and what to know beside it.

    ``standing`` colours the word: better, worse, or nothing; ``lines`` are (name, sentence): execution, doubts, next
    look, what follows, next measure. Not ``due``: no whole month, or too few, since it was carried out.
    """

    title: str
    badge: str
    standing: str
    sentence: str
    lines: tuple[tuple[str, str], ...]
    measure_id: str
    due: bool


def look_views(figures: DealerVerification, words: Words) -> tuple[LookView, ...]:
    """All looks of the cycle at a dealer's measures."""
    return tuple(_Look(look, words).view() for look in figures.looks)


def proposal(figures: DealerVerification, measure: Measure, *, leading: bool, words: Words) -> tuple[str, ...]:
    """Why a new measure is proposed, and where it worked; ``leading``: it stands first at its problem."""
    key = (measure.reason, measure.measure)
    row, practice = figures.records.get(key), figures.practices.get(key)
    why = because(row, words.locale) if row is not None else ""
    if leading and row is not None and not why and _better_ones_tried(figures, row):
        why = text("verification.because.tried_before", words.locale)
    worked = practice_sentence(practice.note, practice.dealer, words.locale) if practice else ""
    return tuple(filter(None, (why, worked)))


def _better_ones_tried(figures: DealerVerification, row: Row) -> bool:
    before = [one for one in figures.records.values() if one["reason"] == row["reason"] and one["rank"] < row["rank"]]  # type: ignore[operator]
    return all((str(one["reason"]), str(one["measure"])) in figures.tried for one in before)


class _Look:
    """One look in words of one language."""

    def __init__(self, look: LookFacts, words: Words) -> None:
        self.look, self.effect, self.words, self.f = look, look.effect, words, words.f
        self.verdict = EffectVerdict(str(self.effect["verdict"]))
        self.undone = self.state is ExecutionState.NOT
        self.early = self.effect["reason_key"] == TOO_EARLY

    def t(self, key: str, **params: object) -> str:
        return text(f"verification.{key}", self.words.locale, **params)

    @property
    def state(self) -> ExecutionState:
        """How far it was carried out; results without evidence of the work know the report alone."""
        known = self.effect.get("execution")
        if isinstance(known, str) and known:
            return ExecutionState(known)
        done = self.number("executed")
        if done is None:
            return ExecutionState.UNKNOWN
        return ExecutionState.EXECUTED if done else ExecutionState.NOT

    def number(self, name: str) -> float | None:
        value = self.effect.get(name)
        return None if value is None or pd.isna(value) else float(value)  # type: ignore[arg-type,call-overload]

    def view(self) -> LookView:
        measure = self.words.measure(str(self.effect["measure"]), self.look.own_text)
        lines = (
            *self.executed(),
            *((self.t("head.doubt"), one) for one in notes(self.effect, self.words.locale)),
            *self.next_look(),
            *self.follows(),
        )
        return LookView(
            title=self.t("title", measure=measure, cycle=self.f.month(self.look.cycle)),
            badge=self.badge(),
            standing=self.standing(),
            sentence=self.sentence(),
            lines=lines,
            measure_id=str(self.effect["measure_id"]),
            due=not self.early,
        )

    def badge(self) -> str:
        if self.early:
            return self.t("badge.too_early")
        return (ExecutionState.NOT if self.undone else self.verdict).label(self.words.locale)

    def standing(self) -> str:
        if self.undone or self.early:
            return ""
        return {EffectVerdict.EFFECTIVE: "better", EffectVerdict.WORSE: "worse"}.get(self.verdict, "")

    # ---- the verdict

    def sentence(self) -> str:
        """The verdict with its figures; a verdict withheld says why, then the figures it would have rested on."""
        key = str(self.effect["reason_key"])
        if key.startswith(VERDICT) and self.number("effect_points") is not None and not self.undone:
            word = key.removeprefix(VERDICT)
            if self.verdict is EffectVerdict.NOT_ENOUGH and self.number("target_points") is None:
                word = "no_target"
            return self.t(f"verdict.{word}", **self.figures())
        why = sentence(self.effect, self.words.locale)
        if self.early and self.look.next_look:
            since, cycle = self.f.month(self.look.since), self.f.month(self.look.next_look)
            return self.t("early", since=since, cycle=cycle)
        if self.early or not self.look.since:
            return why
        if self.number("effect_points") is not None and not self.undone:
            return self.t("with_figures", why=why, figures=self.t("figures", **self.figures()))
        return self.t("with_figures", why=why, figures=self.t("sample", **self.sample()))

    @property
    def indicator(self) -> str:
        """What judged the measure: its indicator, or the share in the place of a mean."""
        code = str(self.effect["indicator"])
        return code if code.startswith(REASON_PREFIX) else indicators().judged(code) or code

    def sample(self) -> dict[str, str]:
        return {
            "since": self.f.month(self.look.since),
            "months": self.f.number(self.number("months")),
            "cases": self.f.number(self.number("denominator")),
            "of": _IN_BRACKETS.sub("", self.words.counted(self.indicator)[1]),
        }

    def figures(self) -> dict[str, str]:
        shrunk = self.number("shrunk_points")
        effect = self.number("effect_points") if shrunk is None else shrunk
        return self.sample() | {
            "indicator": self.words.indicator(self.indicator),
            "effect": self.side(effect or 0.0),
            "range": self.range(self.number("lo90") or 0.0, self.number("hi90") or 0.0),
            "target": self.f.number(self.number("target_points"), 1),
            "needed": self.f.number(self.number("months_needed")),
        }

    def side(self, points: float) -> str:
        """An effect in words of direction; every effect is positive when it is good."""
        shown = self.f.number(abs(points), 1)
        key = "same" if float(shown.replace(",", "")) == 0 else "better" if points > 0 else "worse"
        return self.t(f"side.{key}", points=shown)

    def range(self, low: float, high: float) -> str:
        """An interval in words of direction."""
        ends = [self.f.number(abs(one), 1) for one in (low, high)]
        if low < 0 < high:
            return self.t("range.across", worse=ends[0], better=ends[1])
        least, most = ends if low >= 0 else ends[::-1]
        return self.t("range.better" if low >= 0 else "range.worse", least=least, most=most)

    # ---- beside it

    def executed(self) -> Sequence[tuple[str, str]]:
        """How far it was carried out, and who or what says so."""
        said = execution(self.effect, self.words.locale)
        evidence, state = self.t("space").join(said), self.state.label(self.words.locale)
        both = self.t("execution", state=state, evidence=evidence).strip()
        return [(self.t("head.execution"), evidence if len(said) == 1 else both)]

    def next_look(self) -> Sequence[tuple[str, str]]:
        if self.early or not self.look.next_look:
            return ()
        return [(self.t("head.next_look"), self.t("next_look", cycle=self.f.month(self.look.next_look)))]

    def follows(self) -> Sequence[tuple[str, str]]:
        row = self.look.follow_up
        if row is None:
            return ()
        step = follow_ups().steps[next(one for one in STEPS if one == row["step"])]
        owner = Role(str(row["owner"])).label(self.words.locale)
        said = self.t("follows", text=step.text.text(self.words.locale), owner=owner, due=self.f.day(due_on(row)))
        lines = [(self.t("head.follows"), said)]
        if row["next_measure"]:
            lines.append((self.t("head.next_measure"), self.words.measure(str(row["next_measure"]))))
        return lines


def due_on(follow_up: Row) -> date:
    """Until when a row of ``follow_ups`` is to be done."""
    return pd.Timestamp(str(follow_up["due_on"])).date()
