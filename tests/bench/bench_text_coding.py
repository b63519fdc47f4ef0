"""Reading free text: keywords against keywords and the learnt model, on sentences neither was made from.

Run as ``python tests/bench/bench_text_coding.py [--seeds N]``: the sentences of tests/data/consultant_sentences.tsv,
each coded by a model learnt from the sample's phrases and the other four fifths of the sentences.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one core

import numpy as np
import pandas as pd

from models.catalogue.text_rules import text_rules
from tasks.compute.simulation import phrases
from tasks.compute.text_coding import code_texts, coder
from tasks.compute.text_model import learn, score

SENTENCES = Path(__file__).parents[1] / "data" / "consultant_sentences.tsv"
FOLDS = 5


def main() -> None:
    """Prints the figures of docs/benchmarks.md, per kind of sentence and per reason."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    written = pd.read_csv(SENTENCES, sep="\t", dtype=str, keep_default_na=False)
    started = time.process_time()
    parts = [_coded(written, seed) for seed in range(arguments.seeds)]
    whole = pd.concat(parts, ignore_index=True)
    print(f"{len(written)} sentences, {arguments.seeds} x {FOLDS} folds, CPU {time.process_time() - started:.0f} s")
    told = whole[whole["reason"] != ""]
    for kind, rows in [("all", told), *told.groupby("kind")]:
        print(kind, *(_line(rows, name) for name in ("rules", "both")), _model(rows), sep=" | ")
    for kind, rows in whole[whole["reason"] == ""].groupby("kind"):
        print(kind, *(f"{name}: {rows[name].notna().mean():.0%} coded" for name in ("rules", "both")), sep=" | ")
    rows = score(*_arrays(told, "both"), np.ones(len(told)), "both")
    print(pd.DataFrame(rows).drop(columns="coder").round(2).to_string(index=False))


def _coded(written: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Every sentence with what keywords and what both say, by a model that has not seen it."""
    base = pd.DataFrame(
        [(t, code) for code in phrases.SENTENCES for t in phrases.variants(code)], columns=["text", "reason"]
    )
    fold = np.random.default_rng(seed).permutation(np.arange(len(written)) % FOLDS)
    keywords, parts = coder(), []
    for number in range(FOLDS):
        seen, unseen = written[fold != number], written[fold == number]
        material = pd.concat([base, seen.loc[seen["reason"] != "", ["text", "reason"]]])
        model = learn(material, text_rules().model, keywords).model
        both = code_texts(unseen["text"], keywords, model)
        alone = code_texts(unseen["text"], keywords)["code"]
        parts.append(unseen.assign(rules=alone, both=both["code"], origin=both["origin"]))
    return pd.concat(parts)


def _arrays(rows: pd.DataFrame, name: str) -> tuple[np.ndarray, np.ndarray]:
    codes = rows[name].astype(object).where(rows[name].notna(), None)
    return rows["reason"].to_numpy(object), codes.to_numpy(object)


def _line(rows: pd.DataFrame, name: str) -> str:
    whole = score(*_arrays(rows, name), np.ones(len(rows)), name)[0]
    return f"{name}: coded {whole['coded']}/{len(rows)}, precision {whole['precision']:.2f}, macro-F1 {whole['f1']:.2f}"


def _model(rows: pd.DataFrame) -> str:
    own = rows[rows["origin"] == "model"]
    return f"model's own: {(own['both'] == own['reason']).sum()} of {len(own)} right"


if __name__ == "__main__":
    main()
