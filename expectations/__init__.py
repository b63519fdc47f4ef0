"""What good data is: suites of native Great Expectations, each rule with severity, owner and text."""
