"""Authenticity signals: signs of made-up records, each a test of a dealer against its peers (docs/signals.md)."""

from expectations.authenticity.find import SignalOptions, Signals, find_signals

__all__ = ["SignalOptions", "Signals", "find_signals"]
