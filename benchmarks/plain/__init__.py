"""Plain forms of what the package does faster: baselines here, oracles in the tests."""
