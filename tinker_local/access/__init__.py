"""Who may do what: keys and signatures."""
