"""`spotzee-logging replay`: events out of JSON logs, each once, however often it is run."""
