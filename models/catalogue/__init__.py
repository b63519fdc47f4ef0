"""The standards as data (TOML) and their loaders: contract, reasons, indicators, playbook, deadlines."""
