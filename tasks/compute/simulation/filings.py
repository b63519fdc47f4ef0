"""What dealers file about lost leads, and what customers say when they are called again.

Consultants blame price and postponed plans for what their own process lost; revisits reach some of the customers and
hear the true reason. All columns are drawn for every lead and mean something only where it was lost.
"""

from __future__ import annotations

import numpy as np

from tasks.compute.simulation import fates, phrases
from tasks.compute.simulation import vocabulary as words
from tasks.compute.simulation.cohorts import (
    BOUGHT_HERE,
    CAME_BACK,
    SISTER_SALE,
    SISTER_SALE_LEAD,
    Columns,
)
from tasks.compute.simulation.draws import Array, Draws, Flags, Floats, Ints
from tasks.compute.simulation.network import Network
from tasks.compute.simulation.timeline import DAY, NEVER, in_opening_hours, month_start

TOO_HIGH = len(fates.FATES)
#: every code a filing can name: the fates and the unsplit price
CODES: tuple[str, ...] = (*fates.FATES, "price_too_high")
COMPETITOR, SAME_BRAND, NOT_PURCHASED, UNKNOWN = range(4)
CALLS = 3

_WORDINGS = [phrases.variants(code) if code != "won" else ("",) for code in CODES]
#: all wordings one after another; reason r has those from WORDING_FIRST[r] on
WORDINGS: tuple[str, ...] = (*[text for texts in _WORDINGS for text in texts], phrases.COPIED)
_COUNTS = np.array([len(texts) for texts in _WORDINGS])
_FIRST = np.concatenate([[0], np.cumsum(_COUNTS)[:-1]])
_COPIED = len(WORDINGS) - 1

_GROUP = np.array([code.partition("_")[0] for code in fates.FATES])
_SAY_TRUE = {"won": 1.0, "product": 0.78, "price": 0.5, "supply": 0.85, "customer": 0.82, "record": 0.9}


def add_filings(network: Network, draws: Draws, leads: Columns) -> None:
    """Adds declared and confirmed reasons, destinations, texts, reviews and calls to the settled ``leads``."""
    n = len(leads["fate"])
    leads["destination"] = _destinations(leads, draws.uniform("destination", n))
    leads["rival"] = draws.pick("rival", n, (0.38, 0.28, 0.20, 0.14))
    _declared(network, draws, leads)
    _texts(network, draws, leads)
    reviewed = leads["defeated"] + (draws.uniform("reviewed", n, 0.1, 5) * DAY).astype(np.int64)
    reviewed = np.where(draws.happens("reviews", n, 0.85) & (leads["defeated"] != NEVER), reviewed, NEVER)
    leads["reviewed"] = in_opening_hours(reviewed)
    leads["late"] = draws.happens("late", n, 0.012) & (leads["kind"] == 0)
    _calls(network, draws, leads)
    _answers(draws, leads)


def has_sign(network: Network, leads: Columns, signal: str) -> Flags:
    """Which leads belong to dealers planted to embellish in this way."""
    return np.asarray(np.array([signal in signs for signs in network.dealers.fakery])[leads["dealer"]])


def _destinations(leads: Columns, uniform: Floats) -> Ints:
    """Where the customer really went, of the four destinations; buyers here and comebacks count as not purchased."""
    edges = np.cumsum(fates.destination_shares(), axis=1)[:, :-1]
    drawn = (uniform[:, None] > edges[leads["fate"]] + 1e-12).sum(axis=1)
    drawn = np.where(np.isin(leads["twist"], (SISTER_SALE, SISTER_SALE_LEAD)), SAME_BRAND, drawn)
    return np.where(np.isin(leads["twist"], (BOUGHT_HERE, CAME_BACK)), NOT_PURCHASED, drawn)


def _declared(network: Network, draws: Draws, leads: Columns) -> None:
    """Declared reason (index of CODES, -1 blank) and destination (-1 blank)."""
    n, fate = len(leads["fate"]), leads["fate"]
    says_true = np.array([_SAY_TRUE.get(group, 0.0) for group in _GROUP])[fate]
    process = _GROUP[fate] == "process"
    honest = 1 - network.dealers.confusion[leads["dealer"]]
    honest += 0.2 * network.consultant_quality[leads["consultant"]]
    says_true = np.where(process, np.clip(honest, 0.1, 0.9), says_true)
    instead = np.array(
        [TOO_HIGH, fates.FATE_OF["customer_plan_postponed"], fates.FATE_OF["product_brand_not_accepted"]]
    )
    blamed = instead[draws.pick("blamed", n, (0.6, 0.28, 0.12))]
    blamed = np.where(_GROUP[fate] == "price", TOO_HIGH, blamed)
    reason = np.where(draws.uniform("honest", n) < says_true, fate, blamed)
    one = has_sign(network, leads, "one_reason") & draws.happens("one_reason", n, 0.95)
    reason = np.where(one, TOO_HIGH, reason)
    leads["declared"] = np.where(draws.happens("blank_reason", n, 0.04), -1, reason)
    seen = draws.uniform("seen", n)
    guess = draws.pick("guess", n, (0.5, 0.05, 0.35, 0.10))
    said = np.where(seen < 0.80, leads["destination"], np.where(seen < 0.88, guess, UNKNOWN))
    leads["declared_destination"] = np.where(seen > 0.95, -1, said)


def _texts(network: Network, draws: Draws, leads: Columns) -> None:
    """Indices into WORDINGS: mostly the true reason in words, also where the code filed is another."""
    n, fate = len(leads["fate"]), leads["fate"]
    about = np.where((draws.uniform("about", n) < 0.75) | (leads["declared"] < 0), fate, leads["declared"])
    wording = _FIRST[about] + np.floor(draws.uniform("wording", n) * _COUNTS[about]).astype(np.int64)
    english = network.dealers.english[leads["dealer"]] & draws.happens("english", n, 0.4)
    wording = np.where(english, _FIRST[about] + _COUNTS[about] - 1, wording)
    copied = has_sign(network, leads, "copied_text") & draws.happens("copied", n, 0.8)
    written = draws.happens("written", n, 0.55)
    leads["text"] = np.where(copied, _COPIED, np.where(written, wording, -1))
    leads["spoken"] = np.where(
        draws.happens("noted", n, 0.6),
        _FIRST[fate] + np.floor(draws.uniform("spoken", n) * _COUNTS[fate]).astype(np.int64),
        -1,
    )


def _calls(network: Network, draws: Draws, leads: Columns) -> None:
    """Revisit calls: times (lead x call), how many were made, and at which the customer was reached (0: never)."""
    n = len(leads["fate"])
    covered = draws.uniform("covered", n) < network.dealers.coverage[leads["dealer"]]
    covered &= leads["filed_before"] == NEVER  # so that no answer can be taken for one about the earlier filing
    covered &= (leads["defeated"] != NEVER) & ~np.isin(leads["fate"], fates.EXCLUDED)
    hidden = leads["fate"] == fates.FATE_OF["record_out_of_reach"]
    answers = draws.uniform("answers", (n, CALLS)) < np.where(hidden, 0.06, 0.6)[:, None]
    answers[leads["twist"] == CAME_BACK] = False  # they are back at the dealer, the call centre does not get them
    answers[has_sign(network, leads, "revisit_seconds"), 0] = True
    reached = np.where(answers.any(axis=1), answers.argmax(axis=1) + 1, 0)
    leads["reached_at_call"] = np.where(covered, reached, 0)
    leads["calls"] = np.where(covered, np.where(reached > 0, reached, CALLS), 0)
    gaps = np.cumsum(np.column_stack([draws.uniform("first_call", n, 1, 9), draws.uniform("gaps", (n, 2), 0.8, 3)]), 1)
    times = np.minimum(leads["defeated"], NEVER // 2)[:, None] + (gaps * DAY).astype(np.int64)
    times = in_opening_hours(times)
    burst = has_sign(network, leads, "deadline_burst") & covered
    # within ninety minutes of the end of the month
    rows = np.flatnonzero(burst)
    months = times[rows].astype("datetime64[s]").astype("datetime64[M]") + np.timedelta64(1, "M")
    ends = months.astype("datetime64[s]").astype(np.int64)
    times[rows] = ends - 5400 + 1700 * np.arange(CALLS) + (hash_seconds(rows)[:, None] % 1600)
    leads["call_times"] = times


def hash_seconds(rows: Ints) -> Ints:
    """A spread of whole seconds below an hour per row number."""
    return np.asarray(rows * 2_654_435_761 % 3_600)


def _answers(draws: Draws, leads: Columns) -> None:
    """What the reached customer says, as of the call."""
    n = len(leads["fate"])
    call = leads["call_times"][np.arange(n), np.maximum(leads["reached_at_call"] - 1, 0)]
    has_bought = (leads["bought_at"] != NEVER) & (leads["bought_at"] <= call)
    to_rival = leads["destination"] == COMPETITOR
    rival_at = np.minimum(leads["defeated"], NEVER // 2) + (draws.uniform("rival_at", n, -12, 1) * DAY).astype(np.int64)
    leads["rival_at"] = np.maximum(rival_at, leads["created"])
    leads["purchased"] = to_rival | has_bought
    here = has_bought & (leads["twist"] == BOUGHT_HERE)
    said = np.where(to_rival, COMPETITOR, np.where(has_bought, SAME_BRAND, NOT_PURCHASED))
    unknown = (leads["destination"] == UNKNOWN) & ~has_bought
    leads["said_destination"] = np.where(here, -1, np.where(unknown, UNKNOWN, said))
    still = draws.uniform("still", n) < np.where(_GROUP[leads["fate"]] == "customer", 0.45, 0.6)
    leads["intent"] = ~leads["purchased"] & (still | (leads["bought_at"] != NEVER))
    leads["planned_days"] = np.rint(draws.rng("planned").exponential(80, n)).astype(np.int64) + 7
    leads["second"] = draws.pick("second", n, (0.0, *[loss.share for loss in fates.LOSSES]))
    leads["reasons_said"] = 1 + draws.pick("reasons_said", n, (0.6, 0.3, 0.1))
    leads["third"] = draws.pick("third", n, (0.0, *[loss.share for loss in fates.LOSSES]))
    leads["scores"] = _scores(draws, leads)
    leads["duration"] = np.rint(60 + draws.rng("duration").gamma(2.2, 55, n)).astype(np.int64)
    leads["price_class"], leads["price_paid"] = _price_classes(draws, leads)


def _scores(draws: Draws, leads: Columns) -> Ints:
    """Lead x five satisfaction scores; what lost the customer scores low."""
    n = len(leads["fate"])
    base = 7.6 + 1.3 * draws.normal("scores", (n, 5)) + 0.6 * draws.normal("mood", n)[:, None]
    low = {
        "process_reception": 0,
        "process_product_knowledge": 1,
        "process_needs_not_understood": 1,
        "process_no_test_drive": 2,
        "process_follow_up": 4,
    }
    for code, column in low.items():
        base[leads["fate"] == fates.FATE_OF[code], column] -= 3.5
    base[_GROUP[leads["fate"]] == "price", 3] -= 2.5
    return np.clip(np.rint(base), 1, 10).astype(np.int64)


#: what is behind a price filing, in the order of precedence of domain.md section 14
PRICE_CLASSES = (
    "",
    "excuse",
    "bidding",
    "inconsistent_promotion",
    "markup",
    "needs_not_understood",
    "positioned_high",
    "unexplained",
)
_CLASS_OF = {
    "price_sister_bidding": 2,
    "price_inconsistent_promotion": 3,
    "price_dealer_markup": 4,
    "price_discount_too_small": 4,
    "process_needs_not_understood": 5,
    "price_positioned_high": 6,
}


def _price_classes(draws: Draws, leads: Columns) -> tuple[Ints, Floats]:
    """The true class of a price filing (0: none), and what the customer paid elsewhere."""
    n, fate = len(leads["fate"]), leads["fate"]
    is_price = np.array([*(_GROUP == "price"), True])
    filed = is_price[leads["declared"]] & (leads["declared"] >= 0)
    price = filed | is_price[fate]
    bought = np.isin(leads["destination"], (COMPETITOR, SAME_BRAND))
    excuse = filed & ~is_price[fate] & bought & draws.happens("excuse", n, 0.45)
    excuse &= fate != fates.FATE_OF["process_needs_not_understood"]
    classes = np.array([_CLASS_OF.get(code, 7) for code in fates.FATES])[fate]
    dearer = draws.uniform("dearer", n, 1.05, 1.22)
    cheaper = draws.uniform("cheaper", n, 0.82, 0.99)
    paid = np.rint(leads["quoted_price"] * np.where(excuse, dearer, cheaper) / 100) * 100
    return np.where(price, np.where(excuse, 1, classes), 0), paid


def rivals() -> tuple[Array, Array]:
    """Brand and series of the competitors: series x rival."""
    pairs = [list(series.rivals) for series in words.SERIES]
    brand = np.array([[pair[0] for pair in row] for row in pairs], object)
    return brand, np.array([[pair[1] for pair in row] for row in pairs], object)


def in_month(network: Network, times: Ints, month: int) -> Flags:
    """Which times lie in a month."""
    return np.asarray((times >= month_start(network, month)) & (times < month_start(network, month + 1)))
