"""Ways into other people's frameworks, each a module of its own."""
