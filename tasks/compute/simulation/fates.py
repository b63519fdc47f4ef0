"""How leads end, on average: won, or lost for one reason, at some stage, to some destination."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.compute.simulation.draws import Floats

WON = 0
WON_SHARE = 0.155

#: destinations in the order of the shares below
DESTINATIONS = ("competitor", "same_brand_other_dealer", "not_purchased", "unknown")

_Shares = tuple[float, ...]

# how far the deal came: before the visit, in the showroom, after the test drive, in price talk, waiting for delivery
_EARLY: _Shares = (0.88, 0.07, 0.03, 0.02, 0.0)
_TALK: _Shares = (0.50, 0.07, 0.08, 0.35, 0.0)
_SHOWROOM: _Shares = (0.14, 0.48, 0.22, 0.16, 0.0)
_CAR: _Shares = (0.62, 0.18, 0.14, 0.06, 0.0)
_DRIVEN: _Shares = (0.0, 0.0, 0.85, 0.15, 0.0)
_OWN: _Shares = (0.80, 0.08, 0.05, 0.07, 0.0)
_NONE: _Shares = (0.92, 0.05, 0.02, 0.01, 0.0)

# where the customer goes: competitor, (sister dealers are planted apart), not purchased, unknown
_RIVAL: _Shares = (0.78, 0.0, 0.19, 0.03)
_OPEN: _Shares = (0.62, 0.0, 0.34, 0.04)
_STAYS: _Shares = (0.08, 0.0, 0.90, 0.02)
_LOST: _Shares = (0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Loss:
    """One way to lose a lead: its share of all leads, how far the deal came, where the customer went."""

    code: str
    share: float
    stages: _Shares
    destinations: _Shares


LOSSES: tuple[Loss, ...] = (
    Loss("product_model_outdated", 0.020, _CAR, _RIVAL),
    Loss("product_simple_configuration", 0.022, _CAR, _RIVAL),
    Loss("product_power", 0.012, _DRIVEN, _RIVAL),
    Loss("product_noise", 0.010, _DRIVEN, _RIVAL),
    Loss("product_load_capacity", 0.004, _CAR, _RIVAL),
    Loss("product_quality_worry", 0.018, _CAR, _RIVAL),
    Loss("product_space_comfort", 0.020, _CAR, _RIVAL),
    Loss("product_brand_not_accepted", 0.030, _EARLY, _RIVAL),
    Loss("price_positioned_high", 0.055, _TALK, _OPEN),
    Loss("price_discount_too_small", 0.050, _TALK, _OPEN),
    Loss("price_dealer_markup", 0.020, (0.10, 0.10, 0.10, 0.70, 0.0), _RIVAL),
    Loss("price_sister_bidding", 0.028, (0.10, 0.08, 0.12, 0.70, 0.0), _RIVAL),
    Loss("price_inconsistent_promotion", 0.018, (0.12, 0.18, 0.10, 0.60, 0.0), _OPEN),
    Loss("price_finance_terms", 0.020, _TALK, _OPEN),
    Loss("price_trade_in_price", 0.022, (0.15, 0.15, 0.10, 0.60, 0.0), _OPEN),
    Loss("process_follow_up", 0.075, _EARLY, _RIVAL),
    Loss("process_product_knowledge", 0.020, _SHOWROOM, _RIVAL),
    Loss("process_no_trust", 0.022, _SHOWROOM, _RIVAL),
    Loss("process_skills_before_process", 0.012, _SHOWROOM, _RIVAL),
    Loss("process_needs_not_understood", 0.022, _SHOWROOM, _RIVAL),
    Loss("process_no_test_drive", 0.032, (0.05, 0.82, 0.0, 0.13, 0.0), _RIVAL),
    Loss("process_reception", 0.018, (0.05, 0.90, 0.03, 0.02, 0.0), _RIVAL),
    Loss("supply_no_stock", 0.025, (0.20, 0.25, 0.15, 0.35, 0.05), _RIVAL),
    Loss("supply_delivery_too_long", 0.020, (0.10, 0.15, 0.10, 0.35, 0.30), _RIVAL),
    Loss("supply_colour_configuration", 0.012, (0.15, 0.30, 0.15, 0.38, 0.02), _RIVAL),
    Loss("customer_funds_not_ready", 0.045, _OWN, _STAYS),
    Loss("customer_plan_cancelled", 0.030, _OWN, _STAYS),
    Loss("customer_plan_postponed", 0.055, _OWN, _STAYS),
    Loss("customer_habit_or_people", 0.035, _OWN, _RIVAL),
    Loss("customer_unreasonable_demand", 0.012, _TALK, _OPEN),
    Loss("customer_used_car_instead", 0.012, _OWN, (0.60, 0.0, 0.40, 0.0)),
    Loss("record_misjudged", 0.022, _NONE, _STAYS),
    Loss("record_out_of_reach", 0.034, _NONE, _LOST),
    Loss("record_duplicate", 0.006, _NONE, _LOST),
    Loss("record_invalid_contact", 0.012, _NONE, _LOST),
    Loss("record_test_or_fake", 0.004, _NONE, _LOST),
)

#: fate 0 is won, the others are the codes of ``LOSSES``
FATES: tuple[str, ...] = ("won", *[loss.code for loss in LOSSES])
FATE_OF = {code: number for number, code in enumerate(FATES)}
STAGES = len(_EARLY)

#: what a dealer can be planted to be bad at
CAUSES: tuple[str, ...] = (
    "process_follow_up",
    "process_no_test_drive",
    "process_reception",
    "process_product_knowledge",
    "process_needs_not_understood",
    "process_no_trust",
    "price_dealer_markup",
    "price_sister_bidding",
    "price_inconsistent_promotion",
    "price_discount_too_small",
    "supply_no_stock",
)

EXCLUDED: tuple[int, ...] = tuple(
    FATE_OF[code] for code in ("record_duplicate", "record_invalid_contact", "record_test_or_fake")
)


def starting_with(prefix: str) -> list[int]:
    """The fates whose code starts with ``prefix``."""
    return [number for number, code in enumerate(FATES) if code.startswith(prefix)]


def base_shares() -> Floats:
    """The average share of every fate, won first; sums to 1."""
    losses = np.array([loss.share for loss in LOSSES])
    return np.concatenate([[WON_SHARE], losses * (1 - WON_SHARE) / losses.sum()])


def stage_shares() -> Floats:
    """Fate x stage; a won lead went all the way."""
    return np.array([(0.0, 0.0, 0.0, 1.0, 0.0), *[loss.stages for loss in LOSSES]])


def destination_shares() -> Floats:
    """Fate x destination; not meant for won leads."""
    return np.array([(1.0, 0.0, 0.0, 0.0), *[loss.destinations for loss in LOSSES]])
