"""What the loop learns from its verdicts: the playbook's record and order, checks on itself (docs/learning.md)."""
