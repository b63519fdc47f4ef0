"""What people see: page contexts, formatters, charts, HTML, workbooks."""
