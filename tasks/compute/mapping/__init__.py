"""The source mapping language at work: raw inputs to canonical tables, proposals and checks of mappings."""
