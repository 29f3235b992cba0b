"""`spotzee-logging doctor`: why nothing arrives."""
