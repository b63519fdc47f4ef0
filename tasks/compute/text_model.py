"""A small model of free text, learnt from texts whose reason the customer confirmed and from the catalogue's words.

Letter n-grams weighted by TF-IDF, one logistic regression per reason against the rest, probabilities calibrated by one
temperature. Letters are counted once; every fold weights them by the texts it may see. All
figures of its quality are of wordings it had not seen: texts that differ in a few letters are one wording, and a
wording is on one side only. scikit-learn is imported when a model is learnt, not before. Source: domain.md sections 5
and 8.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize, sparse, special

from models.catalogue.reasons import Reason, catalogue
from models.catalogue.text_rules import ModelRules
from tasks.compute.text_coding import Coder, spoken, unanswered

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Columns of ``text_coding``: one row per coder and reason, and one per coder over all reasons (``reason`` empty).
ACCURACY_DTYPES = {
    "coder": "str",
    "reason": "str",
    "support": "int64",
    "coded": "int64",
    "right": "int64",
    "precision": "float64",
    "recall": "float64",
    "f1": "float64",
    "texts": "int64",
    "wordings": "int64",
    "used": "bool",
    "missing": "str",
    "have": "float64",
    "need": "float64",
}
#: The coders whose accuracy is shown: keywords alone, keywords then model, the model's own answers where it was asked.
CODERS = ("rules", "rules_and_model", "model")
#: The class of texts that give no reason, and of codes that a text never answers.
OTHER = ""
_CHUNK = 500
_LEAST = 1e-9  # probability of a class that a fold has not seen


@dataclass(frozen=True)
class _Classifier:
    """Fitted on some texts: TF-IDF weights of the n-grams these have, and a logistic regression of each class."""

    seen: npt.NDArray[np.bool_]
    weights: Any
    regressions: Any

    @property
    def classes(self) -> npt.NDArray[np.object_]:
        return np.asarray(self.regressions.classes_, dtype=object)

    def logs(self, counts: sparse.csr_matrix) -> Floats:
        """Log probability of each class, not yet calibrated."""
        chances = self.regressions.predict_proba(self.weights.transform(counts[:, self.seen]))
        return np.asarray(np.log(np.maximum(chances, _LEAST)))


@dataclass(frozen=True)
class TextModel:
    """A learnt model; ``answers`` is all it does."""

    letters: Any  # counts letter n-grams
    classifier: _Classifier
    temperature: float
    threshold: float

    def answers(self, texts: Sequence[str]) -> list[tuple[str | None, float]]:
        """The code of each text, None where its calibrated probability is under the threshold or it is another one."""
        if not texts:
            return []
        plain = [spoken(text) for text in texts]
        chances = _chances(self.classifier.logs(self.letters.transform(plain)), self.temperature)
        best = chances.argmax(axis=1)
        codes = [str(self.classifier.classes[place]) for place in best]
        sure = chances[np.arange(len(best)), best]
        return [
            (code if words and code != OTHER and chance >= self.threshold else None, float(chance))
            for code, chance, words in zip(codes, sure, plain, strict=True)
        ]


@dataclass(frozen=True)
class Learnt:
    """A model that may be used (None: keywords alone), and the accuracy on unseen wordings, columns ACCURACY_DTYPES."""

    model: TextModel | None
    accuracy: pd.DataFrame


@dataclass(frozen=True)
class _Reviewed:
    """Distinct reviewed texts with their reason, how often they were reviewed, and wording; the catalogue's words."""

    texts: list[str]
    labels: npt.NDArray[np.object_]  # confirmed
    weights: Floats
    wordings: Ints
    words: list[str]  # of the catalogue
    meant: npt.NDArray[np.object_]  # the reason of each
    never: frozenset[str]

    @property
    def classes(self) -> npt.NDArray[np.object_]:
        """What is to be told: the confirmed reason, or OTHER where a text never answers it."""
        return np.where(np.isin(self.labels, list(self.never)), OTHER, self.labels)


def learn(
    reviewed: pd.DataFrame, rules: ModelRules, using: Coder, reasons: Mapping[str, Reason] | None = None
) -> Learnt:
    """Learn from ``reviewed`` (columns text, reason: the confirmed code) and measure on wordings held out.

    The model is None, and ``accuracy`` says in ``missing``, ``have`` and ``need`` why, where there are too few texts,
    wordings or reasons, or where it does not beat ``using`` (keywords alone) on wordings it has not seen.
    """
    known = catalogue() if reasons is None else reasons
    material = _material(reviewed, rules, known)
    by_rules = _by_rules(material, using)
    silent = np.array([using.read(text).silent for text in material.texts], dtype=bool)
    lacking = _lacking(material, silent, rules)
    if lacking is not None:
        return Learnt(None, _accuracy(material, {"rules": by_rules}, *lacking))
    letters, counts = _counted(material, rules)
    logs, classes = _held_out(material, counts, rules)
    temperature = _temperature(logs, classes, material)
    answers = _answers(_chances(logs, temperature), classes, rules.threshold)
    own = _where(silent, answers)
    coded = {"rules": by_rules, "rules_and_model": np.where(silent, answers, by_rules), "model": own}
    doubt = _not_believed(material, own, rules)
    if doubt is not None:
        return Learnt(None, _accuracy(material, coded, *doubt))
    classifier = _fitted(material, counts, np.arange(len(material.texts)), rules)
    model = TextModel(letters, classifier, temperature, rules.threshold)
    return Learnt(model, _accuracy(material, coded))


def _material(reviewed: pd.DataFrame, rules: ModelRules, known: Mapping[str, Reason]) -> _Reviewed:
    told = reviewed.dropna(subset=["text", "reason"])
    copied = told.groupby(["text", "reason"], sort=True).size().rename("rows").reset_index()
    plain = copied.assign(text=[spoken(str(text)) for text in copied["text"]])
    counts = plain[plain["text"] != ""].groupby(["text", "reason"], sort=True)["rows"].sum().reset_index()
    common = counts.groupby("text")["rows"].sum().sort_index().sort_values(ascending=False, kind="stable")
    counts = counts[counts["text"].isin(common.index[: rules.max_texts])]
    distinct, place = np.unique(counts["text"].to_numpy(dtype=object), return_inverse=True)
    never = unanswered(known)
    words = [(spoken(word), code if code not in never else OTHER) for code, word in _catalogue_words(known)]
    words += [(spoken(word), OTHER) for word in rules.says_nothing]
    return _Reviewed(
        texts=[str(text) for text in counts["text"]],
        labels=counts["reason"].to_numpy(dtype=object),
        weights=counts["rows"].to_numpy(dtype="float64"),
        wordings=_wordings([str(text) for text in distinct], rules.same_wording)[place],
        words=[word for word, _ in words],
        meant=np.array([code for _, code in words], dtype=object),
        never=never,
    )


def _catalogue_words(known: Mapping[str, Reason]) -> Iterator[tuple[str, str]]:
    for code, entry in known.items():
        if entry.level == 2:
            labels = (entry.label.zh_CN, entry.label.en, entry.definition.zh_CN, entry.definition.en)
            for word in (*entry.keywords, *entry.aliases, *labels):
                yield code, word


def _wordings(texts: list[str], similarity: float) -> Ints:
    """The wording each text belongs to: texts at least so similar, directly or through others, are one."""
    if not texts:
        return np.zeros(0, dtype=np.int64)
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415  half a second

    grams = TfidfVectorizer(analyzer="char", ngram_range=(1, 3)).fit_transform(texts)
    near = []
    for start in range(0, len(texts), _CHUNK):
        alike = grams[start : start + _CHUNK] @ grams.T
        alike.data = (alike.data >= similarity).astype("int8")
        alike.eliminate_zeros()
        near.append(alike)
    _, wording = sparse.csgraph.connected_components(sparse.vstack(near), directed=False)
    return np.asarray(wording, dtype=np.int64)


def _lacking(material: _Reviewed, silent: npt.NDArray[np.bool_], rules: ModelRules) -> tuple[str, float, float] | None:
    """What is missing to learn at all: message key, what there is, what is needed.

    A model is for texts without a keyword (``silent``): too few wordings of them could never tell how good it is.
    """
    have = {
        "texts": len(set(material.texts)),
        "wordings": len(np.unique(material.wordings)),
        "reasons": len(set(material.labels) - material.never),
        "silent": len(np.unique(material.wordings[silent])),
    }
    need = {
        "texts": rules.min_texts,
        "wordings": rules.min_wordings,
        "reasons": rules.min_reasons,
        "silent": rules.min_answers,
    }
    for name, count in have.items():
        if count < need[name]:
            return f"text_coding.missing.{name}", count, need[name]
    return None


def _counted(material: _Reviewed, rules: ModelRules) -> tuple[Any, sparse.csr_matrix]:
    """The counter of letter n-grams and its counts: a row per reviewed text, then one per word of the catalogue."""
    from sklearn.feature_extraction.text import CountVectorizer  # noqa: PLC0415

    letters = CountVectorizer(analyzer="char", ngram_range=rules.letters, dtype=np.float64)
    return letters, letters.fit_transform([*material.texts, *material.words])


def _fitted(material: _Reviewed, counts: sparse.csr_matrix, rows: Ints, rules: ModelRules) -> _Classifier:
    """A classifier that saw these rows of the material and the catalogue's words, and no n-gram of the other rows."""
    from sklearn import config_context  # noqa: PLC0415
    from sklearn.feature_extraction.text import TfidfTransformer  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.multiclass import OneVsRestClassifier  # noqa: PLC0415

    shown = counts[np.concatenate([rows, np.arange(len(material.texts), counts.shape[0])])]
    seen = shown.getnnz(axis=0) > 0
    weights = TfidfTransformer(sublinear_tf=True)
    features = weights.fit_transform(shown[:, seen])
    classes = np.concatenate([material.classes[rows], material.meant])
    # a copied sentence counts more than a rare one, but not a hundred times; a word of the catalogue counts once
    often = np.concatenate([np.log1p(material.weights[rows]), np.full(len(material.words), np.log(2))])
    with config_context(enable_metadata_routing=True):
        one = LogisticRegression(C=rules.strength, solver="liblinear", tol=1e-2, random_state=rules.seed)
        regressions = OneVsRestClassifier(one.set_fit_request(sample_weight=True))
        regressions.fit(features, classes, sample_weight=often)
    return _Classifier(seen, weights, regressions)


def _held_out(
    material: _Reviewed, counts: sparse.csr_matrix, rules: ModelRules
) -> tuple[Floats, npt.NDArray[np.object_]]:
    """Log probabilities of every text by a model that saw no text of its wording; the classes of their columns."""
    from sklearn.model_selection import GroupKFold  # noqa: PLC0415

    classes = np.array(sorted({*material.classes, *material.meant}), dtype=object)
    logs = np.full((len(material.texts), len(classes)), np.log(_LEAST))
    split = GroupKFold(rules.folds, shuffle=True, random_state=rules.seed)
    for seen, unseen in split.split(material.texts, groups=material.wordings):
        classifier = _fitted(material, counts, seen, rules)
        logs[np.ix_(unseen, np.searchsorted(classes, classifier.classes))] = classifier.logs(counts[unseen])
    return logs, classes


def _chances(logs: Floats, temperature: float) -> Floats:
    return np.asarray(special.softmax(logs / temperature, axis=1))


def _temperature(logs: Floats, classes: npt.NDArray[np.object_], material: _Reviewed) -> float:
    """The temperature at which held-out probabilities fit best what was confirmed: least log loss per wording."""
    true = np.searchsorted(classes, material.classes)
    rows = np.arange(len(true))
    share = material.weights / np.bincount(material.wordings, material.weights)[material.wordings]

    def loss(log_temperature: float) -> float:
        told = special.log_softmax(logs / np.exp(log_temperature), axis=1)[rows, true]
        return float(-(share * told).sum())

    return float(np.exp(optimize.minimize_scalar(loss, bounds=(-2.0, 3.0), method="bounded").x))


def _answers(chances: Floats, classes: npt.NDArray[np.object_], threshold: float) -> npt.NDArray[np.object_]:
    best = chances.argmax(axis=1)
    sure = (chances.max(axis=1) >= threshold) & (classes[best] != OTHER)
    return _where(sure, classes[best])


def _where(holds: npt.NDArray[np.bool_], codes: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """The codes where something holds, None elsewhere."""
    kept = codes.copy()
    kept[~holds] = None
    return kept


def _by_rules(material: _Reviewed, using: Coder) -> npt.NDArray[np.object_]:
    return np.array([using.code(text) for text in material.texts], dtype=object)


def _accuracy(
    material: _Reviewed,
    coded: Mapping[str, npt.NDArray[np.object_]],
    missing: str = "",
    have: float = np.nan,
    need: float = np.nan,
) -> pd.DataFrame:
    """The table of ACCURACY_DTYPES; a text counts as often as it was reviewed."""
    rows: list[dict[str, object]] = []
    for name, codes in coded.items():
        asked = np.ones(len(codes), dtype=bool)
        if name == "model":
            asked = np.array([code is not None for code in codes], dtype=bool)
        rows += score(material.labels[asked], codes[asked], material.weights[asked], name)
    used = "model" in coded and not missing
    return (
        pd.DataFrame(rows, columns=list(ACCURACY_DTYPES))
        .assign(
            texts=len(set(material.texts)),
            wordings=len(np.unique(material.wordings)),
            used=used,
            missing=missing,
            have=have,
            need=need,
        )
        .astype(ACCURACY_DTYPES)
    )


def score(
    true: npt.NDArray[np.object_], coded: npt.NDArray[np.object_], weights: Floats, name: str
) -> list[dict[str, object]]:
    """Precision, recall and F1 per reason in ``true``, and in the first row (``reason`` empty) over all.

    Over all: ``precision`` of all codes given, ``recall`` of all texts, ``f1`` the unweighted mean over the reasons
    (macro). Codes that a text never answers are in no reason's row, but count as wrong where something was answered.
    """
    given = np.array([code is not None for code in coded], dtype=bool)
    right = given & (true == coded)
    never = unanswered(catalogue())
    rows = []
    for code in sorted(set(true) - never):
        of_code, told = true == code, coded == code
        rows.append(_row(name, code, weights[of_code].sum(), weights[told].sum(), weights[of_code & right].sum()))
    whole = _row(name, "", weights.sum(), weights[given].sum(), weights[right].sum())
    known = [float(str(row["f1"])) for row in rows]
    return [whole | {"f1": np.mean(known) if known else np.nan}, *rows]


def _row(name: str, code: str, support: float, coded: float, right: float) -> dict[str, object]:
    return {
        "coder": name,
        "reason": code,
        "support": round(support),
        "coded": round(coded),
        "right": round(right),
        "precision": right / coded if coded else np.nan,
        "recall": right / support if support else np.nan,
        "f1": 2 * right / (support + coded) if support + coded else np.nan,
    }


def _not_believed(
    material: _Reviewed, own: npt.NDArray[np.object_], rules: ModelRules
) -> tuple[str, float, float] | None:
    """Why a learnt model is not used: too few unseen wordings answered to tell, or too often wrong (each once)."""
    answered = np.array([code is not None for code in own], dtype=bool)
    right = pd.Series(own == material.labels)[answered].groupby(material.wordings[answered]).mean()
    if len(right) < rules.min_answers:
        return "text_coding.missing.answers", len(right), rules.min_answers
    precision = float(right.mean())
    if precision < rules.min_precision:
        return "text_coding.missing.precision", precision, rules.min_precision
    return None
