"""The judgement engine: who is truly weak, at what, and did a measure work (docs/judge.md; verification.md).

One dynamic empirical-Bayes fit serves both: ``compare`` and ``drivers`` read its posterior, ``verify`` its forecast.
"""
