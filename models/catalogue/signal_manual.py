"""The page docs/signals.md, written from the declarations of the signals.

``python -m models.catalogue.signal_manual`` writes it; a test compares.
"""

from __future__ import annotations

from pathlib import Path

from models.catalogue.signals import signals

PAGE = Path(__file__).parents[2] / "docs" / "signals.md"
_INTRODUCTION = """\
# Authenticity signals

*Written from `models/catalogue/signals.toml` by `python -m models.catalogue.signal_manual`; a test keeps it current.*

Signs that records were made up. Each is **to be checked, never a verdict**: nothing is deleted, no row changes its
fate; the dealer's quality score loses a few points.
`rematch export signals` gives dealers and signals with evidence rows; the rows behind an alarm are in the cycle's
result `signal_evidence` by file and row number, without any phone number or name.

## The test

A signal looks at the rows of the last {months} months and counts, per dealer, those that show the sign.

1. **Peers.** The share of such rows at honest dealers is taken as normal on the log-odds scale. Mean and spread are not
   fixed at one estimate but averaged by their posterior, so few dealers give a cautious answer. Counts above the
   network's 85 % quantile enter only as "at least so many": dealers that embellish do not hide themselves by widening
   what counts as usual. Where a sign hardly ever occurs, honest dealers are believed to differ by {usual} (at most
   {high}) on the log-odds scale.
2. **Expected rows** are what peers show on as many rows; the p-value is the mid-p chance that an honest dealer shows
   as many or more. A sign that can show in several ways is corrected for their number (Bonferroni).
3. **Correction.** Benjamini-Hochberg at {fdr:.0%} over all dealers and signals tested. Without any fakery that bounds
   the chance of a single alarm in the network; the measured rates are in [benchmarks](benchmarks.md).
   A crowd of rows (copies of one text, one consultant's reason, one caller, one day) counts as a sign only where it is
   itself improbable. Copies are held against how other dealers use the text where they file the same reason in the
   same language, since whoever loses more for one reason also writes its phrases more often; how much houses differ in
   their phrases is learnt from their common texts.
4. An alarm also needs a minimum of evidence rows and, for some signs, an effect large enough to matter (limits below).

**Not checked is no pass.** A missing table or column, fewer than {peers} dealers with enough rows, or too few rows of a
dealer leave `p_value`, `q_value` and `flagged` empty; the result `signals_checked` says why.

## What a sign costs

A flagged signal takes 20 points x (evidence rows - expected rows) / rows looked at off the dealer's quality score, all
signals together at most 15 (`expectations/scoring.toml`). It stands among the losses as a rule of the table `signals`;
what is left of 100 is the part *authenticity*, which is empty where none of the dealer's signals could be tested.

The limit is there because a sign is no verdict and honest dealers are among those flagged (up to {fdr:.0%} of alarms).
A dealer whose rows are in order keeps at least 85 points and passes the gate (as shipped: fails under 60, warned under
85) whatever the signals say. Together with failing rows they can tip it.

## What cannot be seen

A dealer whose peers mostly do the same; numbers changed between two loads of the same month (only the newest version
of a row is kept; a change after a defeat shows against the numbers remembered by earlier cycles and in the sales). A
tenth of a dealer's filings moved to a reason that is common anyway, scattered over consultants and days, looks like a
dealer that truly loses deals for it; a tenth of the calls invented as "reached", with answers like those of real ones,
looks like good luck. They are found when they crowd (one consultant, one day, one caller, two calls at once) or leave
no answers; [benchmarks](benchmarks.md) shows from which share on they are found when they do not.

An OEM changes figures in a `signals.toml` of its own, merged over the shipped one key by key.

| signal | 信号 | what it means | 说明 | to check | 核查方法 | who looks |
|---|---|---|---|---|---|---|
"""


def page() -> str:
    """The whole page as Markdown."""
    standard = signals()
    test = standard.test
    lines = [
        _INTRODUCTION.format(
            months=test.window_months, usual=test.spread_usual, high=test.spread_high, fdr=test.fdr, peers=test.peers
        )
    ]
    for code, signal in standard.signals.items():
        said = (
            signal.label.zh_CN,
            signal.explanation.en,
            signal.explanation.zh_CN,
            signal.check.en,
            signal.check.zh_CN,
            signal.who.label("en"),
        )
        lines.append(f"| `{code}` {signal.label.en} | {' | '.join(said)} |\n")
    lines.append("\n| signal | tables | cannot do without | rows of a dealer | evidence rows | limits |\n")
    lines.append("|---|---|---|---|---|---|\n")
    for code, signal in standard.signals.items():
        limits = ", ".join(f"{name} {value:g}" for name, value in signal.limits.items()) or "-"
        needs = ", ".join(f"`{name}`" for name in signal.columns) or "-"
        cells = (f"`{code}`", ", ".join(signal.tables), needs, signal.rows, signal.evidence, limits)
        lines.append(f"| {' | '.join(str(cell) for cell in cells)} |\n")
    return "".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
