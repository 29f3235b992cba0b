"""What the pytest plugin is made of; it needs no pytest itself."""
